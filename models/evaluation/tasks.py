"""The tasks: what the issue of the classifiers asks for, measured one by one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from models.calibration import expected_calibration_error
from models.data.sets import read_rows
from models.evaluation import measures
from models.evaluation.bench import WRITTEN, Bench, Figure, Learn, Row, Sheet
from models.evaluation.measures import Interval, auc, f1, ndcg, recall_at_one_percent, spearman
from models.inference import Article
from models.labels import INSIGHT_HEADS, TOXICITY_HEADS

AUC = ("AUC", auc)
# The whole run stays within a quarter of an hour on two cores.
MOST = 4000
TOXIC = ("jigsaw_wiki", "civil_spans", "surge")
SHORT_WORDS = 8


def spam(bench: Bench) -> Iterator[Figure]:
    """Spam: a video never seen, comments under tutorials, and the written set."""
    learn = Learn(("youtube_spam", "sms_spam"), "spam")
    videos = bench.test("youtube_spam")
    if videos.rows:
        truth = [row.data["spam"] for row in videos.rows]
        common: dict[str, Any] = {"task": "spam", "rows_from": "youtube_spam, a video never seen"}
        given = videos.scores("spam")
        yield bench.figure(
            videos, truth, given=given, measure=AUC, learn=learn, reach=0.992, **common
        )
        yield bench.figure(videos, truth, given=given, measure=("F1", f1), reach=0.955, **common)
    tutorials = bench.foreign("datacamp", _known("spam"), MOST)
    yield bench.figure(
        tutorials,
        [row.data["spam"] for row in tutorials.rows],
        task="spam",
        rows_from="datacamp, never trained on",
        given=tutorials.scores("spam"),
        measure=AUC,
        learn=learn,
        reach=0.93,
    )
    yield from _written_spam(bench)


def _written_spam(bench: Bench) -> Iterator[Figure]:
    sheet = bench.written("spam_a", "spam_b")
    learn = Learn(("youtube_spam", "sms_spam"), "spam")
    slices: list[tuple[str, Callable[[Row], bool]]] = [
        ("written for the test", lambda row: True),
        (
            "written for the test, disguised spam",
            lambda row: not row.data["spam"] or row.data["evasion"] is not None,
        ),
    ]
    for name, wanted in slices:
        part = sheet.where(wanted)
        truth = [row.data["spam"] for row in part.rows]
        given = part.scores("spam")
        yield bench.figure(
            part, truth, task="spam", rows_from=name, given=given, measure=AUC, learn=learn
        )
        yield bench.figure(
            part,
            truth,
            task="spam",
            rows_from=name,
            given=given,
            measure=("recall at 1 % false positives", recall_at_one_percent),
            learn=learn,
            reach=0.90 if name == slices[0][0] else None,
        )


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
    yield _share("relevance", "insight_rubric, rated direct", "share called off", off, 0.02)


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


def toxicity(bench: Bench) -> Iterator[Figure]:
    """Toxicity: the six kinds, sets never trained on, and the slices that matter."""
    wiki = bench.test("jigsaw_wiki")
    columns = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_attack")
    reached = []
    for label, column in zip(TOXICITY_HEADS, columns, strict=True):
        known = wiki.where(_has(column))
        figure = bench.figure(
            known,
            [row.data[column] for row in known.rows],
            task=label,
            rows_from="jigsaw_wiki, texts never seen",
            given=known.scores(label),
            measure=AUC,
            learn=Learn(("jigsaw_wiki",), label),
            reach=0.987 if label == "toxicity" else None,
        )
        reached.append(figure.interval.value)
        yield figure
    mean = float(np.mean(reached))
    yield Figure(
        "toxicity",
        "jigsaw_wiki, texts never seen",
        "AUC, mean of six",
        len(wiki.rows),
        Interval(mean, float("nan"), float("nan")),
        {},
        0.985,
    )
    learn = Learn(TOXIC, "toxicity")
    for name, column, reach in (("c3", "toxic", 0.80), ("ucc", "x_hostile", None)):
        sheet = bench.foreign(name, _known(column), MOST)
        yield bench.figure(
            sheet,
            [float(row.data[column] >= 0.5) for row in sheet.rows],
            task="toxicity",
            rows_from=f"{name}, never trained on",
            given=sheet.scores("toxicity"),
            measure=AUC,
            learn=learn,
            reach=reach,
        )
    short = wiki.where(lambda row: len(row.text.split()) < SHORT_WORDS)
    yield bench.figure(
        short,
        [row.data["toxic"] for row in short.rows],
        task="toxicity",
        rows_from="jigsaw_wiki, under eight words",
        given=short.scores("toxicity"),
        measure=AUC,
    )


def written_harm(bench: Bench) -> Iterator[Figure]:
    """Abuse that hides, and harmless words that look like it."""
    abuse = bench.written("abuse")
    truth = [row.data["toxic"] for row in abuse.rows]
    learn = Learn(TOXIC, "toxicity")
    yield bench.figure(
        abuse,
        truth,
        task="toxicity",
        rows_from="written for the test",
        given=abuse.scores("toxicity"),
        measure=AUC,
        learn=learn,
    )
    limit = bench.classifier.thresholds.get("abusive", 0.5)
    for kind in dict.fromkeys(row.data["kind"] for row in abuse.rows):
        part = abuse.where(_is("kind", kind))
        said = (part.scores("toxicity") >= limit).astype(float)
        yield _share("toxicity", f"written, {kind}", "share held as abusive", said, None)
    groups = bench.written("identity")
    attack = np.array([row.data["kind"] == "attack" for row in groups.rows], dtype=float)
    yield bench.figure(
        groups,
        list(attack),
        task="identity_attack",
        rows_from="written for the test",
        given=groups.scores("identity_attack"),
        measure=AUC,
        learn=learn,
    )
    harmless = groups.where(_is("kind", "harmless"))
    everyone = (harmless.scores("toxicity") >= limit).astype(float)
    yield _share(
        "toxicity", "written, harmless, all groups", "share held as abusive", everyone, None
    )
    for group in dict.fromkeys(row.data["group"] for row in harmless.rows):
        part = harmless.where(_is("group", group))
        said = (part.scores("toxicity") >= limit).astype(float)
        yield _share("toxicity", f"written, harmless, {group}", "share held as abusive", said, None)


def insight(bench: Bench) -> Iterator[Figure]:
    """Insight and what makes it up, always beside length."""
    rated = bench.test("insight_rubric").where(lambda row: not row.data["x_hard_negative"])
    ratings = [row.data["x_insight"] for row in rated.rows]
    given = rated.scores("insight")
    lengths = np.array([float(len(row.text)) for row in rated.rows])
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
    banded = measures.within(spearman, lengths, 5)
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
    globe = bench.foreign("c3", _known("constructive"), MOST)
    globe_lengths = np.array([float(len(row.text)) for row in globe.rows])
    yield bench.figure(
        globe,
        [row.data["constructive"] for row in globe.rows],
        task="insight",
        rows_from="c3, never trained on",
        given=globe.scores("insight"),
        measure=("AUC in length deciles", measures.within(auc, globe_lengths, 10)),
        learn=learn,
        reach=0.72,
    )
    rules = bench.foreign("regroom", _known("personal_story"), 10_000)
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
    yield _share("insight", "written pairs of equal length", "better one ahead", won, None)


def _pairs() -> Iterator[Row]:
    """The written pairs, their text still to be chosen."""
    for row in read_rows(WRITTEN / "insight_pairs.jsonl"):
        article = Article(row["article_title"], row["article_desc"], "")
        yield Row("", row, row["id"], article)


def _quotes(rated: Sheet) -> Iterator[Figure]:
    """How often the suggested quote shares more than half its letters with a rater's."""
    hits = []
    for row, scored in zip(rated.rows, rated.scored, strict=True):
        if not row.data["x_quotes"] or scored.quote is None:
            continue
        shares = []
        for quote in row.data["x_quotes"]:
            start = row.text.find(quote)
            shared = min(scored.quote.end, start + len(quote)) - max(scored.quote.start, start)
            shares.append(shared / max(len(quote), scored.quote.end - scored.quote.start))
        hits.append(float(max(shares) > 0.5))
    yield _share(
        "quote",
        "insight_rubric, debates never seen",
        "over half a rater's quote",
        np.array(hits),
        None,
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
    yield _share(
        "language", "written for the test", "held or let through rightly", np.array(right), None
    )


def calibration(bench: Bench) -> Iterator[Figure]:
    """Expected calibration error of every head, on test rows of the kinds it was calibrated on."""
    wiki, rated = bench.test("jigsaw_wiki"), bench.test("insight_rubric")
    natural = rated.where(lambda row: not row.data["x_hard_negative"])
    sheets = dict.fromkeys(TOXICITY_HEADS, wiki) | dict.fromkeys(INSIGHT_HEADS, natural)
    sheets["spam"] = bench.test("youtube_spam")
    for label, sheet in sheets.items():
        known = sheet.where(_labelled(label))
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


def _share(task: str, rows_from: str, measure: str, hits: Any, reach: float | None) -> Figure:
    """The share of rows of which something is true."""

    def mean(t: Any, g: Any, _: Any) -> float:
        return float(t.mean())

    interval = measures.measured(mean, hits, hits, measures.row_numbers(len(hits)), by_group=False)
    return Figure(task, rows_from, measure, len(hits), interval, {}, reach)


def _has(column: str) -> Callable[[Row], bool]:
    return lambda row: row.data.get(column) is not None


def _is(column: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row.data[column] == value


def _known(column: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get(column) is not None


def _labelled(label: str) -> Callable[[Row], bool]:
    return lambda row: row.example is not None and label in row.example.labels


TASKS = (spam, relevance, toxicity, written_harm, insight, kinds, calibration)
