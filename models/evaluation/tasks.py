"""The tasks: everything that is measured of a version, and whether its probabilities hold."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.calibration import expected_calibration_error
from models.evaluation import measures
from models.evaluation.bench import Bench, Figure
from models.evaluation.harm import spam, toxicity, written_harm
from models.evaluation.measures import Interval
from models.evaluation.place import kinds, relevance
from models.evaluation.rows import labelled
from models.evaluation.slices import slices
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
        yield from _calibrated(label, known.rows[0].data["source"], truth, known.scores(label))
    placed = bench.at_home("insight_rubric")
    truth = np.array([float(row.data["x_rel"] >= 2) for row in placed.rows])
    yield from _calibrated("relevance", "insight_rubric", truth, placed.scores("relevance"))


def _calibrated(label: str, name: str, truth: Any, given: Any) -> Iterator[Figure]:
    """The error, and what the same rows would show of probabilities that are right: with few rows, not nothing."""

    def error(t: Any, g: Any, _: Any) -> float:
        return expected_calibration_error(t.astype(np.float32), g.astype(np.float32))

    numbers = measures.row_numbers(len(given))
    interval = measures.measured(error, truth.astype(float), given, numbers, by_group=False)
    rows_from = f"{name}, never seen"
    yield Figure(label, rows_from, "calibration error", len(given), interval, {}, 0.03)
    chance = np.random.default_rng(0)
    drawn = [
        error((chance.random(len(given)) < given).astype(float), given, numbers)
        for _ in range(measures.RESAMPLES)
    ]
    low, middle, high = map(float, np.quantile(drawn, [0.025, 0.5, 0.975]))
    perfect = Interval(middle, low, high)
    yield Figure(label, rows_from, "the same, were it perfect", len(given), perfect, {})


TASKS = (spam, relevance, toxicity, written_harm, slices, insight, kinds, calibration)
