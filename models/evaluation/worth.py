"""Worth: insight and what makes it up, always beside length; and the suggested quotes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from models.data.sets import read_rows
from models.evaluation import measures
from models.evaluation.baselines import lengths
from models.evaluation.bench import WRITTEN, Bench, Figure, Learn, Row, Sheet
from models.evaluation.measures import AUC, auc, ndcg, spearman
from models.evaluation.rows import MOST, known, share_of
from models.inference import Article


def insight(bench: Bench) -> Iterator[Figure]:
    """Insight and what makes it up, always beside length."""
    rated = bench.test("insight_rubric").where(lambda row: not row.data["x_hard_negative"])
    ratings = [row.data["x_insight"] for row in rated.rows]
    given = rated.scores("insight")
    letters = lengths([row.text for row in rated.rows])
    learn = Learn(("insight_rubric",), "insight")
    common: dict[str, Any] = {
        "task": "insight",
        "rows_from": "insight_rubric, debates never seen",
        "given": given,
        "learn": learn,
    }
    yield bench.figure(
        rated, ratings, measure=("NDCG@5", ndcg), by_group=True, reach=0.78, **common
    )
    banded = measures.within(spearman, letters, 5)
    yield bench.figure(
        rated, ratings, measure=("Spearman in length quintiles", banded), reach=0.50, **common
    )
    for label, column, border in (
        ("insight", "x_insight", 3),
        ("experience", "personal_story", 1),
        ("reasons", "x_reason", 1),
        ("novelty", "x_new", 0.5),
    ):
        yield bench.figure(
            rated,
            [float(row.data[column] >= border) for row in rated.rows],
            task=label,
            rows_from="insight_rubric, debates never seen",
            given=rated.scores(label),
            measure=AUC,
            learn=Learn(learn.sets, label),
        )
    globe = bench.foreign("c3", known("constructive"), MOST)
    globe_letters = lengths([row.text for row in globe.rows])
    yield bench.figure(
        globe,
        [row.data["constructive"] for row in globe.rows],
        task="insight",
        rows_from="c3, never trained on",
        given=globe.scores("insight"),
        measure=("AUC in length deciles", measures.within(auc, globe_letters, 10)),
        learn=learn,
        reach=0.72,
    )
    rules = bench.foreign("regroom", known("personal_story"), 10_000)
    yield bench.figure(
        rules,
        [row.data["personal_story"] for row in rules.rows],
        task="experience",
        rows_from="regroom, never trained on",
        given=rules.scores("experience"),
        measure=AUC,
        learn=Learn(learn.sets, "experience"),
        reach=0.93,
    )
    yield from _written_insight(bench)
    yield from _quotes(rated)


def _written_insight(bench: Bench) -> Iterator[Figure]:
    learn = Learn(("insight_rubric",), "insight")
    foreign = bench.written("nonnative")
    yield bench.figure(
        foreign,
        [row.data["insight"] for row in foreign.rows],
        task="insight",
        rows_from="written, non-native English of equal length",
        given=foreign.scores("insight"),
        measure=AUC,
        learn=learn,
    )
    rows = list(_pairs())
    better = bench.score([replace(row, text=row.data["better"]) for row in rows])
    worse = bench.score([replace(row, text=row.data["worse"]) for row in rows])
    won = (better.scores("insight") > worse.scores("insight")).astype(float)
    yield share_of("insight", "written pairs of equal length", "better one ahead", won, None)


def _pairs() -> Iterator[Row]:
    """The written pairs, their text still to be chosen."""
    for row in read_rows(WRITTEN / "insight_pairs.jsonl"):
        article = Article(row["article_title"], row["article_desc"], "")
        yield Row("", row, row["id"], article)


def _quotes(rated: Sheet) -> Iterator[Figure]:
    """How often the suggested quote shares more than half its letters with a rater's."""
    hits = []
    for row, scored in zip(rated.rows, rated.scored, strict=True):
        if not row.data["x_quotes"]:
            continue
        shares = [0.0]  # where none is suggested, none is found
        for quote in row.data["x_quotes"]:
            start = row.text.find(quote)
            if start < 0 or scored.quote is None:
                continue
            shared = min(scored.quote.end, start + len(quote)) - max(scored.quote.start, start)
            shares.append(shared / max(len(quote), scored.quote.end - scored.quote.start))
        hits.append(float(max(shares) > 0.5))
    yield share_of(
        "quote",
        "insight_rubric, debates never seen",
        "over half a rater's quote",
        np.array(hits),
        None,
    )
