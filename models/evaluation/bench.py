"""The bench: rows and what the served weights say of them, each scored once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.sets import Example, Part, home_part, load, part_of, read_rows
from models.evaluation import measures
from models.evaluation.baselines import Baselines, lengths
from models.evaluation.measures import Interval, Measure
from models.inference import Article, Author, Classifier, Comment, Passages, Scored
from models.registry import open_weights
from models.relevance import split_passages

Array = NDArray[np.float64]
WRITTEN = Path(__file__).with_name("written")
CHUNK = 512
# All that a score depends on: text, article, parent, author.
Asked = tuple[str, Article | None, str | None, Author]


@dataclass(frozen=True)
class Figure:
    """One measurement, with its interval, its baselines, and what was asked for."""

    task: str
    rows_from: str
    measure: str
    rows: int
    interval: Interval
    baselines: dict[str, float]
    reach: float | None = None


@dataclass(frozen=True)
class Learn:
    """What the baselines of a figure learn: a label of some sets."""

    sets: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Row:
    """A comment that somebody labelled, with whatever it stands under."""

    text: str
    data: dict[str, Any]
    group: str
    article: Article | None = None
    example: Example | None = None


@dataclass(frozen=True)
class Sheet:
    """Rows beside their scores."""

    rows: list[Row]
    scored: list[Scored]

    def scores(self, label: str) -> Array:
        """(n,): one score of each row; 0 where it has no ground."""
        return np.array([s.scores.get(label, 0.0) for s in self.scored])

    def where(self, wanted: Callable[[Row], bool]) -> "Sheet":
        """The rows that are wanted."""
        kept = [i for i, row in enumerate(self.rows) if wanted(row)]
        return Sheet([self.rows[i] for i in kept], [self.scored[i] for i in kept])


class Bench:
    """One version of weights on every set; `fold` is the part that it was not trained on."""

    def __init__(
        self, classifier: Classifier, data: Path, *, fold: int, baselines: Baselines
    ) -> None:
        self.classifier = classifier
        self.data = data
        self.fold = fold
        self.baselines = baselines
        self._sheets: dict[str, Sheet] = {}
        self._learn: dict[str, list[Example]] = {}
        self._shelf: dict[Article, Passages] = {}
        self._scored: dict[Asked, Scored] = {}

    @classmethod
    def open(cls, folder: Path, data: Path, cache: Path) -> "Bench":
        """The version in a folder, with the fold that its recipe kept for the test; `cache` holds the baselines' encoder."""
        return cls(
            Classifier.load(folder),
            data,
            fold=open_weights(folder).manifest["recipe"]["fold"],
            baselines=Baselines(cache),
        )

    def test(self, name: str) -> Sheet:
        """The TEST part of a set that training learned from."""
        if name not in self._sheets:
            examples = load(self.data / "train", name)
            rows = [
                Row(e.text, e.row, e.group, _article(e.row), e)
                for e in examples
                if part_of(e, fold=self.fold) is Part.TEST
            ]
            self._sheets[name] = self.score(rows)
        return self._sheets[name]

    def at_home(self, name: str) -> Sheet:
        """Comments of TEST articles wherever they were shown, under a wrong article too."""
        key = f"{name}, at home"
        if key not in self._sheets:
            examples = load(self.data / "train", name)
            self._sheets[key] = self.score(
                [
                    Row(e.text, e.row, e.group, _article(e.row), e)
                    for e in examples
                    if home_part(e, fold=self.fold) is Part.TEST
                ]
            )
        return self._sheets[key]

    def foreign(self, name: str, wanted: Callable[[dict[str, Any]], bool], most: int) -> Sheet:
        """Rows of a set that no weights of ours may learn from, evenly over the file."""
        found = [r for r in read_rows(self.data / "eval-only" / f"{name}.jsonl.zst") if wanted(r)]
        found = found[:: max(1, len(found) // most)]
        rows = [Row(r["text"], r, str(r.get("article_id") or r["id"]), _article(r)) for r in found]
        return self.score(rows)

    def written(self, *names: str) -> Sheet:
        """Rows that were written for evaluation, by hands that had not seen the generator."""
        found = [r for name in names for r in read_rows(WRITTEN / f"{name}.jsonl")]
        return self.score([Row(r["text"], r, r["id"], _article(r)) for r in found])

    def learn(self, *names: str) -> list[Example]:
        """What a baseline may learn from: the LEARN part."""
        for name in names:
            if name not in self._learn:
                examples = load(self.data / "train", name)
                self._learn[name] = [
                    e for e in examples if part_of(e, fold=self.fold) is Part.LEARN
                ]
        return [e for name in names for e in self._learn[name]]

    def score(self, rows: list[Row]) -> Sheet:
        """Every row as it would be served."""
        asked = [_asked(row) for row in rows]
        new = {key: row for key, row in zip(asked, rows, strict=True) if key not in self._scored}
        for start in range(0, len(new), CHUNK):
            some = dict(islice(new.items(), start, start + CHUNK))
            scored = self.classifier.predict([self._comment(row) for row in some.values()])
            self._scored |= dict(zip(some, scored, strict=True))
        return Sheet(rows, [self._scored[key] for key in asked])

    def likeness(self, sheet: Sheet) -> dict[str, Array]:
        """What the encoder as it was released says of relevance: nearness to the article's nearest passage."""
        texts = self.baselines.means([row.text for row in sheet.rows])
        found = []
        for row, vector in zip(sheet.rows, texts, strict=True):
            parts = split_passages(row.article) if row.article else []
            passages = self.baselines.means([text for text, _ in parts])
            found.append(float((passages @ vector).max()) if parts else 0.0)
        return {"frozen": np.array(found)}

    def _comment(self, row: Row) -> Comment:
        if row.article is not None and row.article not in self._shelf:
            self._shelf[row.article] = self.classifier.passages(row.article)
        return Comment(
            text=row.text,
            passages=None if row.article is None else self._shelf[row.article],
            parent=row.data.get("parent_text"),
            author=_author(row),
        )

    def figure(
        self,
        sheet: Sheet,
        truth: Sequence[float],
        *,
        task: str,
        rows_from: str,
        given: Array,
        measure: tuple[str, Measure],
        by_group: bool = False,
        learn: Learn | None = None,
        beside: dict[str, Array] | None = None,
        reach: float | None = None,
    ) -> Figure:
        """One measurement; baselines learn the label of `learn` from its examples."""
        wanted = np.array(truth, dtype=float)
        texts = [row.text for row in sheet.rows]
        groups = (
            measures.group_numbers([row.group for row in sheet.rows])
            if by_group
            else measures.row_numbers(len(texts))
        )
        name, how = measure
        found = {"length": lengths(texts), **(beside or {})}
        if learn is not None:
            key = "+".join((*learn.sets, learn.label))
            examples = self.learn(*learn.sets)
            found |= self.baselines.scores(key, examples, learn.label, texts)
        return Figure(
            task=task,
            rows_from=rows_from,
            measure=name,
            rows=len(texts),
            interval=measures.measured(how, wanted, given, groups, by_group=by_group),
            baselines={k: round(how(wanted, v, groups), 4) for k, v in found.items()},
            reach=reach,
        )


def _author(row: Row) -> Author:
    return Author(*(row.data.get(f"author_{part}") for part in ("name", "url", "email_domain")))


def _asked(row: Row) -> Asked:
    return row.text, row.article, row.data.get("parent_text"), _author(row)


def _article(row: dict[str, Any]) -> Article | None:
    title = row.get("article_title")
    if not title or row.get("source") == "youtube_spam":
        return None
    return Article(title, row.get("article_desc") or "", row.get("article_text") or "")
