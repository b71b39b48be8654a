"""The labelled sets, as training and evaluation read them."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard


@dataclass(frozen=True)
class Example:
    """A text with the labels that somebody gave it; an absent label says nothing."""

    text: str
    labels: dict[str, float]
    source: str
    group: str
    split: str
    author_name: str | None = None
    author_url: str | None = None
    row: dict[str, Any] = field(default_factory=dict)


def is_held_out(example: Example) -> bool:
    """A tenth of the articles (of the texts, where there are none) that only evaluation may see."""
    digest = hashlib.sha256(f"{example.source}/{example.group}".encode()).digest()
    return example.source != "spam_forms" and digest[0] % 10 == 0


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed by zstd or not."""
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        with io.TextIOWrapper(stream, encoding="utf-8") as lines:
            yield from map(json.loads, lines)


# Set → how its columns become our labels. Columns that are null stay absent.
COLUMNS = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxic",
    "obscene": "obscene",
    "threat": "threat",
    "insult": "insult",
    "identity_attack": "identity_attack",
    "spam": "spam",
}


def load(folder: Path, name: str, *, most: int | None = None) -> list[Example]:
    """The examples of one set, at most `most` of them, evenly over the file."""
    rows = list(read_rows(folder / f"{name}.jsonl.zst"))
    if most is not None and len(rows) > most:
        step = len(rows) / most
        rows = [rows[int(i * step)] for i in range(most)]
    examples = []
    for row in rows:
        # Text that somebody lower-cased and stripped leaks its label by its form alone.
        if row.get("x_text_form", "raw") != "raw":
            continue
        labels = {
            ours: float(row[theirs])
            for theirs, ours in COLUMNS.items()
            if row.get(theirs) is not None
        }
        labels |= _insight(row) if name == "insight_rubric" else {}
        examples.append(
            Example(
                text=row["text"],
                labels=labels,
                source=name,
                group=str(row.get("article_id") or row["id"]),
                split=row["split"],
                row=row,
            )
        )
    return examples


def _insight(row: dict[str, Any]) -> dict[str, float]:
    if row["x_hard_negative"]:
        return {}  # its insight was capped because it stands under the wrong debate
    return {
        "insight": float(row["x_insight"] >= 3),
        "experience": float(row["personal_story"]),
        "reasons": float(row["x_reason"] >= 1),
        "novelty": float(row["x_new"] >= 0.5),
        "spam": float("spam" in row["x_flags"]),
    }
