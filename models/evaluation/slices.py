"""Slices: where a good mean could hide a bad corner."""

import random
from collections.abc import Iterator
from dataclasses import replace

from models.data.forms.evasion import evade
from models.evaluation import measures
from models.evaluation.baselines import lengths
from models.evaluation.bench import Bench, Figure, Sheet
from models.evaluation.measures import AUC, Measure, auc
from models.evaluation.rows import is_, share_of

SHORT_WORDS = 8
DECILES = 10
SEED = 20261124
FORMS = {
    "raw": "as written",
    "lowercased": "in lower case",
    "normalised": "without punctuation",
}


def slices(bench: Bench) -> Iterator[Figure]:
    """Toxicity by length, by written form, when short and when disguised; spam by length; what befalls the non-native."""
    wiki = bench.test("jigsaw_wiki")
    yield from _by_length("toxicity", "jigsaw_wiki", bench, wiki, "toxic")
    yield from _by_length(
        "spam", "written for the test", bench, bench.written("spam_a", "spam_b"), "spam"
    )
    for form, said in FORMS.items():
        part = wiki.where(is_("x_text_form", form))
        yield _toxicity(bench, f"jigsaw_wiki, {said}", part)
    short = wiki.where(lambda row: len(row.text.split()) < SHORT_WORDS)
    yield _toxicity(bench, "jigsaw_wiki, under eight words", short)
    chance = random.Random(SEED)  # noqa: S311 - no secret
    told = wiki.where(is_("x_text_form", "raw"))
    hidden = bench.score([replace(row, text=evade(row.text, chance)) for row in told.rows])
    yield _toxicity(bench, "jigsaw_wiki, letters disguised in all rows", hidden)
    foreign = bench.written("nonnative")
    for label, reason in (("spam", "spam"), ("toxicity", "abusive")):
        limit = bench.classifier.thresholds.get(reason, 0.5)
        held = (foreign.scores(label) >= limit).astype(float)
        yield share_of(
            label, "written, harmless non-native English", f"share held as {reason}", held, None
        )


def _toxicity(bench: Bench, rows_from: str, sheet: Sheet) -> Figure:
    return bench.figure(
        sheet,
        [row.data["toxic"] for row in sheet.rows],
        task="toxicity",
        rows_from=rows_from,
        given=sheet.scores("toxicity"),
        measure=AUC,
    )


def _by_length(
    label: str, rows_from: str, bench: Bench, sheet: Sheet, column: str
) -> Iterator[Figure]:
    letters = lengths([row.text for row in sheet.rows])
    banded: tuple[tuple[str, Measure], ...] = (
        ("AUC in length deciles", measures.within(auc, letters, DECILES)),
        ("AUC, worst length decile", measures.within(auc, letters, DECILES, over=min)),
    )
    for measure in banded:
        yield bench.figure(
            sheet,
            [row.data[column] for row in sheet.rows],
            task=label,
            rows_from=rows_from,
            given=sheet.scores(label),
            measure=measure,
        )
