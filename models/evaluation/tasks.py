"""The tasks: everything that is measured of a version, and whether its probabilities hold."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.calibration import expected_calibration_error
from models.evaluation import measures
from models.evaluation.bench import Bench, Figure
from models.evaluation.harm import spam, toxicity, written_harm
from models.evaluation.place import kinds, relevance
from models.evaluation.rows import labelled
from models.evaluation.worth import insight
from models.labels import INSIGHT_HEADS, TOXICITY_HEADS


def calibration(bench: Bench) -> Iterator[Figure]:
    """Expected calibration error of every head, on test rows of the kinds it was calibrated on."""
    wiki, rated = bench.test("jigsaw_wiki"), bench.test("insight_rubric")
    natural = rated.where(lambda row: not row.data["x_hard_negative"])
    sheets = dict.fromkeys(TOXICITY_HEADS, wiki) | dict.fromkeys(INSIGHT_HEADS, natural)
    sheets["spam"] = bench.test("youtube_spam")
    for label, sheet in sheets.items():
        known = sheet.where(labelled(label))
        if not known.rows:
            continue
        truth = np.array([round(r.example.labels[label]) for r in known.rows if r.example])
        yield _calibrated(label, known.rows[0].data["source"], truth, known.scores(label))
    placed = bench.at_home("insight_rubric")
    truth = np.array([float(row.data["x_rel"] >= 2) for row in placed.rows])
    yield _calibrated("relevance", "insight_rubric", truth, placed.scores("relevance"))


def _calibrated(label: str, name: str, truth: Any, given: Any) -> Figure:
    def error(t: Any, g: Any, _: Any) -> float:
        return expected_calibration_error(t.astype(np.float32), g.astype(np.float32))

    interval = measures.measured(
        error, truth.astype(float), given, measures.row_numbers(len(given)), by_group=False
    )
    return Figure(label, f"{name}, never seen", "calibration error", len(given), interval, {}, 0.03)


TASKS = (spam, relevance, toxicity, written_harm, insight, kinds, calibration)
