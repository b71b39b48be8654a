"""Place: is a comment about its article, about the site, or about nothing at all?"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.data.sets import read_rows
from models.evaluation.bench import Bench, Figure, Learn, Row, Sheet
from models.evaluation.measures import AUC, auc, spearman
from models.evaluation.rows import MOST, share_of
from models.inference import Article


def relevance(bench: Bench) -> Iterator[Figure]:
    """Relevance: true pairs against other debates, headlines against bodies, and the hand ratings."""
    debates = _strict_pairs(bench)
    yield bench.figure(
        debates,
        [row.data["relevant"] for row in debates.rows],
        task="relevance",
        rows_from="nyt_rfd, debates never seen",
        given=debates.scores("relevance"),
        measure=AUC,
        beside=bench.likeness(debates),
        reach=0.995,
    )
    headlines = _headlines(bench)
    yield bench.figure(
        headlines,
        [row.data["relevant"] for row in headlines.rows],
        task="relevance",
        rows_from="fnc1, never trained on",
        given=headlines.scores("relevance"),
        measure=AUC,
        beside=bench.likeness(headlines),
        reach=0.985,
    )
    rated = bench.at_home("insight_rubric")
    ratings = [row.data["x_rel"] for row in rated.rows]
    given = rated.scores("relevance")
    common: dict[str, Any] = {
        "task": "relevance",
        "rows_from": "insight_rubric, debates never seen",
    }
    yield bench.figure(
        rated,
        ratings,
        given=given,
        measure=("Spearman", spearman),
        beside=bench.likeness(rated),
        reach=0.72,
        **common,
    )
    planted = rated.where(lambda row: row.data["x_hard_negative"] or row.data["x_rel"] >= 2)
    yield bench.figure(
        planted,
        [1 - row.data["x_hard_negative"] for row in planted.rows],
        given=planted.scores("relevance"),
        measure=("AUC, nearest other debate", auc),
        beside=bench.likeness(planted),
        reach=0.97,
        **common,
    )
    direct = rated.where(lambda row: row.data["x_rel"] >= 3)
    off = np.array([float(s.relevance_label == "off") for s in direct.scored])
    yield share_of("relevance", "insight_rubric, rated direct", "share called off", off, 0.02)


def _strict_pairs(bench: Bench) -> Sheet:
    """Pairs whose article and whose comment's own article are both of the test."""
    sheet = bench.test("nyt_rfd")
    home = {
        row["x_comment"]: row["article_id"]
        for row in read_rows(bench.data / "train" / "nyt_rfd.jsonl.zst")
        if row["relevant"]
    }
    tested = {row.group for row in sheet.rows}
    return sheet.where(lambda row: home.get(row.data["x_comment"]) in tested)


def _headlines(bench: Bench) -> Sheet:
    folder = bench.data / "eval-only"
    bodies = {r["article_id"]: r["text"] for r in read_rows(folder / "articles_fnc1.jsonl.zst")}
    found = list(read_rows(folder / "fnc1.jsonl.zst"))
    found = found[:: max(1, len(found) // MOST)]
    return bench.score(
        [
            Row(r["text"], r, r["article_id"], Article("", "", bodies[r["article_id"]]))
            for r in found
        ]
    )


def kinds(bench: Bench) -> Iterator[Figure]:
    """Talk about the site, and word salad."""
    site = bench.written("about_site")
    yield bench.figure(
        site,
        [row.data["about_site"] for row in site.rows],
        task="about_site",
        rows_from="written for the test",
        given=site.scores("about_site"),
        measure=AUC,
        learn=Learn(("insight_rubric",), "about_site"),
    )
    spoken = bench.written("language")
    sense = spoken.where(lambda row: row.data["expected"] in {"en", "gibberish"})
    yield bench.figure(
        sense,
        [float(row.data["expected"] == "gibberish") for row in sense.rows],
        task="incoherent",
        rows_from="written for the test",
        given=sense.scores("incoherent"),
        measure=AUC,
    )
    right = []
    for row, scored in zip(spoken.rows, spoken.scored, strict=True):
        expected = row.data["expected"]
        if expected == "other":
            right.append(float(not scored.supported))
        elif expected != "gibberish":
            right.append(float(scored.supported))
    yield share_of(
        "language", "written for the test", "held or let through rightly", np.array(right), None
    )
