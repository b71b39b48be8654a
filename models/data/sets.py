"""The labelled sets, as training and evaluation read them."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import zstandard

from models.labels import TOXICITY_HEADS
from models.text import NOBODY, Author


class Part(StrEnum):
    """What a row is for: no row is for two things."""

    LEARN = "learn"
    TUNE = "tune"
    TEST = "test"


@dataclass(frozen=True)
class Example:
    """A text with the labels that somebody gave it; an absent label says nothing."""

    text: str
    labels: dict[str, float]
    source: str
    group: str
    split: str
    author: Author = NOBODY
    row: dict[str, Any] = field(default_factory=dict)


# Sets of the same texts under the same articles fall into the same parts.
FAMILIES = {
    "nyt_rfd": "rfd",
    "insight_rubric": "rfd",
    "ukpconvarg_rank": "ukp",
    "ukpconvarg_pairs": "ukp",
}
FOLDS = 8
# Sets of our own, written to learn from.
WRITTEN_TO_LEARN = ("forms", "composed")
# The dev part of the rated comments has twelve debates: too few to calibrate on.
TUNED_ON_MORE = ("rfd",)


def part_of(example: Example, *, fold: int = 0) -> Part | None:
    """What an example is for when `fold` of the FOLDS is the test: whole articles stay together.

    None for a comment that was shown under one article and belongs to another, when the two are for
    different things: then it is for neither.
    """
    parts = {_part(example, group, fold) for group in _groups(example)}
    return parts.pop() if len(parts) == 1 else None


def home_part(example: Example, *, fold: int = 0) -> Part:
    """What the article is for that a comment was written under, wherever it was shown to a rater."""
    return _part(example, str(example.row.get("x_true_article") or example.group), fold)


def _groups(example: Example) -> set[str]:
    return {example.group, str(example.row.get("x_true_article") or example.group)}


def _part(example: Example, group: str, fold: int) -> Part:
    family = FAMILIES.get(example.source, example.source)
    digest = hashlib.sha256(f"{family}/{group}".encode()).digest()
    if family.startswith(WRITTEN_TO_LEARN):
        # Written for training: whole forms are kept for tuning, none for the test.
        # Of composed comments a form may stand under several groups: both articles of a pair of neighbours.
        whose = family if family.startswith("composed") else group
        form = hashlib.sha256(f"{whose}/{example.row['form']}".encode()).digest()
        return Part.LEARN if form[0] % 10 else Part.TUNE
    if digest[0] % FOLDS == fold:
        return Part.TEST
    if example.split == "dev" or (family in TUNED_ON_MORE and digest[1] % 10 == 0):
        return Part.TUNE
    return Part.LEARN


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed by zstd or not."""
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        with io.TextIOWrapper(stream, encoding="utf-8") as lines:
            yield from map(json.loads, lines)


# A set's column → our label. Columns that are null stay absent.
COLUMNS = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxic",
    "obscene": "obscene",
    "threat": "threat",
    "insult": "insult",
    "identity_attack": "identity_attack",
    "spam": "spam",
}
# Emotions that a comment may carry: they teach the encoder manner, and are not served.
EMOTIONS = (
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "disappointment",
    "disapproval",
    "disgust",
    "gratitude",
    "realization",
    "sadness",
    "surprise",
    "neutral",
)


def load(folder: Path, name: str, *, most: int | None = None) -> list[Example]:
    """The examples of one set, at most `most` of them, evenly over the file."""
    rows = list(read_rows(folder / f"{name}.jsonl.zst"))
    if most is not None and len(rows) > most:
        step = len(rows) / most
        rows = [rows[int(i * step)] for i in range(most)]
    return [
        Example(
            text=row["text"],
            labels=_labels(name, row),
            source=name,
            group=str(row.get("article_id") or row["id"]),
            split=row["split"],
            row=row,
        )
        for row in rows
    ]


def _labels(name: str, row: dict[str, Any]) -> dict[str, float]:
    labels = {
        ours: float(row[theirs]) for theirs, ours in COLUMNS.items() if row.get(theirs) is not None
    }
    if not labels.get("toxicity", 1) and any(labels.get(kind) for kind in TOXICITY_HEADS[1:]):
        # One row in a hundred of jigsaw_wiki: an insult that is not toxic teaches nothing.
        del labels["toxicity"]
    if name == "civil_spans":
        labels["toxicity"] = float(row["toxic_score"])  # the share of raters, not their vote
    if name == "ukpconvarg_rank":
        labels["convincing"] = float(row["constructive_score"])
    if name == "goemotions":
        labels |= {f"emotion_{each}": float(row[f"x_{each}"]) for each in EMOTIONS}
    return labels | (_rated(row) if name == "insight_rubric" else {})


def _rated(row: dict[str, Any]) -> dict[str, float]:
    """The rubric's ratings; a comment under a wrong article was rated for that place, not for itself."""
    flags = row["x_flags"]
    labels = {
        "toxicity": float(row["x_civil"] < 0.5),
        "identity_attack": float("identity_attack" in flags),
        "spam": float("spam" in flags),
        "experience": float(row["personal_story"]),
        "incoherent": float("incoherent" in flags),
        "about_site": float("meta" in flags),
        "sharp": float(row["x_civil"] < 1.5),
    }
    if row["x_hard_negative"]:
        return labels
    steps = {f"insight_{step}": float(row["x_insight"] >= step) for step in (1, 2, 4)}
    return (
        labels
        | steps
        | {
            "insight": float(row["x_insight"] >= 3),
            "reasons": float(row["x_reason"] >= 1),
            "evidence": float(row["x_reason"] >= 2),
            "novelty": float(row["x_new"] >= 0.5),
        }
    )
