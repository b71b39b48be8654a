"""Comments composed by hand to learn from, where no set that may be learned from holds their kind.

One JSON object a line; README.md in this folder says who wrote what, and what each file is for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.data.sets import Example, read_rows
from models.text import Author

FOLDER = Path(__file__).parent
LABELS = (
    "spam",
    "toxicity",
    "severe_toxic",
    "obscene",
    "threat",
    "insult",
    "identity_attack",
    "experience",
)
PREFIX = "composed_"


def comments(name: str) -> list[Example]:
    """Single comments with labels: the files of spam, contempt, threats and experience."""
    found = []
    for row in _rows(name):
        labels = {label: float(row[label]) for label in LABELS if label in row}
        found.append(_example(name, row["text"], labels, row, form=row["text"]))
    return found


def placed(name: str = "relevance") -> list[Example]:
    """Comments rated for relevance (`x_rel`, 0 to 3) under an article, two neighbouring articles in a row."""
    found = []
    for article, row in enumerate(_rows(name)):
        for comment in row["comments"]:
            told = {
                "article_title": row["title"],
                "article_desc": row["description"],
                "x_rel": float(comment["relevance"]),
                "neighbour": str(article ^ 1),
            }
            found.append(
                _example(
                    name, comment["text"], {}, told, form=str(article // 2), group=str(article)
                )
            )
    return found


def pairs(name: str = "worth") -> list[tuple[Example, Example]]:
    """Two comments of equal length under one article, the one that an editor would feature first."""
    found = []
    for row in _rows(name):
        told = {"experience": float(row["experience"])}
        better = _example(name, row["good"], told, row, form=row["title"])
        worse = _example(name, row["dull"], {"experience": 0.0}, row, form=row["title"])
        found.append((better, worse))
    return found


def _rows(name: str) -> Iterator[dict[str, Any]]:
    return read_rows(FOLDER / f"{name}.jsonl")


def _example(
    name: str,
    text: str,
    labels: dict[str, float],
    row: dict[str, Any],
    *,
    form: str,
    group: str = "",
) -> Example:
    return Example(
        text=text,
        labels=labels,
        source=f"{PREFIX}{name}",
        group=group or name,
        split="train",
        author=Author(row.get("author_name"), row.get("author_url")),
        row={**row, "form": form},
    )
