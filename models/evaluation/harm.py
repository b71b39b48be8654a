"""Harm: spam and toxicity, on sets that were held out, on foreign ones, and on what was written for the test."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from models.evaluation.bench import Bench, Figure, Learn, Row
from models.evaluation.measures import AUC, Interval, f1, recall_at_one_percent
from models.evaluation.rows import MOST, has, is_, known, share_of
from models.labels import TOXICITY_HEADS

TOXIC = ("jigsaw_wiki", "civil_spans", "surge")


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
    tutorials = bench.foreign("datacamp", known("spam"), MOST)
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


def toxicity(bench: Bench) -> Iterator[Figure]:
    """Toxicity: the six kinds, sets never trained on, and the slices that matter."""
    wiki = bench.test("jigsaw_wiki")
    columns = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_attack")
    reached = []
    for label, column in zip(TOXICITY_HEADS, columns, strict=True):
        told = wiki.where(has(column))
        figure = bench.figure(
            told,
            [row.data[column] for row in told.rows],
            task=label,
            rows_from="jigsaw_wiki, texts never seen",
            given=told.scores(label),
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
        sheet = bench.foreign(name, known(column), MOST)
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
        part = abuse.where(is_("kind", kind))
        said = (part.scores("toxicity") >= limit).astype(float)
        yield share_of("toxicity", f"written, {kind}", "share held as abusive", said, None)
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
    harmless = groups.where(is_("kind", "harmless"))
    everyone = (harmless.scores("toxicity") >= limit).astype(float)
    yield share_of(
        "toxicity", "written, harmless, all groups", "share held as abusive", everyone, None
    )
    for group in dict.fromkeys(row.data["group"] for row in harmless.rows):
        part = harmless.where(is_("group", group))
        said = (part.scores("toxicity") >= limit).astype(float)
        yield share_of(
            "toxicity", f"written, harmless, {group}", "share held as abusive", said, None
        )
