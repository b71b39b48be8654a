"""Score files: JSON Lines in, scores out, through the very code that serves."""

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import zstandard

from models.inference import Article, Author, Classifier, Comment, Passages, Scored
from models.labels import SCORES

# Hears the lines done, and how many there are.
Progress = Callable[[int, int], None]
# Lines scored together: enough to fill batches of like length.
CHUNK = 512
TEXTS = (
    "text",
    "article_title",
    "article_desc",
    "article_text",
    "parent_text",
    "author_name",
    "author_url",
    "author_email_domain",
    "language",
    "title",
    "description",
)
# Half of a pair that UTF-16 needs: no character, and no tokenizer takes it.
SURROGATE = re.compile("[\ud800-\udfff]")


def score_file(
    source: Path, out: Path, articles: Path | None, classifier: Classifier, progress: Progress
) -> int:
    """Score every line of `source` into `out`, in order; returns how many there were.

    A line is an object with `id`, `text` and, where known, `article_id` (joined to `articles`),
    `article_title`, `article_desc`, `article_text`, `parent_text`, `author_name`, `author_url`,
    `author_email_domain`. Raises ValueError naming the first line that cannot be read; `out` is then left as it
    was.
    """
    known = _known(articles) if articles else {}
    total = sum(1 for _ in _lines(source))
    shelf: dict[Article, Passages] = {}
    done = 0
    unfinished = out.with_name(f".{out.name}.unfinished")
    progress(0, total)
    with _writing(unfinished, compressed=out.suffix == ".zst") as target:
        rows = _rows(source)
        while chunk := list(islice(rows, CHUNK)):
            comments = [_comment(number, row, known, classifier, shelf) for number, row in chunk]
            for (_, row), scored in zip(chunk, classifier.predict(comments), strict=True):
                target.write(json.dumps(render(row["id"], scored)) + "\n")
            done += len(chunk)
            progress(done, total)
    os.replace(unfinished, out)
    return done


def _known(path: Path) -> dict[str, Article]:
    found = {}
    for number, row in _rows(path):
        if row.get("article_id") is None:
            raise ValueError(f"line {number} of {path.name}: an article needs an `article_id`")
        _must_be_text(number, row)
        found[row["article_id"]] = _article(row)
    return found


def render(comment_id: Any, scored: Scored) -> dict[str, Any]:
    """One line of the answer; a score without ground is absent."""
    quote = scored.quote
    return {
        "id": comment_id,
        "scores": {k: round(scored.scores[k], 5) for k in SCORES if k in scored.scores},
        "relevance_label": scored.relevance_label,
        "language": scored.language,
        "quote": None if quote is None else {"start": quote.start, "end": quote.end},
    }


def _comment(
    number: int,
    row: dict[str, Any],
    known: dict[Any, Article],
    classifier: Classifier,
    shelf: dict[Article, Passages],
) -> Comment:
    if not isinstance(row.get("text"), str) or "id" not in row:
        raise ValueError(f"line {number}: an object with `id` and `text` is needed")
    _must_be_text(number, row)
    article = known.get(row.get("article_id")) or _article(
        {
            "title": row.get("article_title"),
            "description": row.get("article_desc"),
            "text": row.get("article_text"),
        }
    )
    if article not in shelf and not article.is_empty:
        shelf[article] = classifier.passages(article)
    return Comment(
        text=row["text"],
        passages=shelf.get(article),
        parent=row.get("parent_text"),
        author=Author(
            row.get("author_name"), row.get("author_url"), row.get("author_email_domain")
        ),
        language=row.get("language"),
    )


def _must_be_text(number: int, row: dict[str, Any]) -> None:
    """Raise ValueError for a field that is no text, or holds what no text can."""
    if not isinstance(row.get("article_id"), str | int | None):
        raise ValueError(f"line {number}: `article_id` is no name")  # noqa: TRY004 - of the file
    for name in TEXTS:
        value = row.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or SURROGATE.search(value):
            raise ValueError(f"line {number}: `{name}` is no text")


def _article(row: dict[str, Any]) -> Article:
    return Article(
        title=row.get("title") or "",
        description=row.get("description") or row.get("desc") or "",
        text=row.get("text") or "",
    )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} of {path.name} is no JSON") from error
        yield number, row if isinstance(row, dict) else {}


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        stream: IO[bytes] = file
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(file)
        try:
            with io.TextIOWrapper(stream, encoding="utf-8") as lines:
                yield from (line for line in lines if line.strip())
        except (zstandard.ZstdError, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name} cannot be read: {error}") from error


@contextmanager
def _writing(path: Path, *, compressed: bool) -> Iterator[IO[str]]:
    """A file that vanishes again if writing it fails."""
    try:
        with path.open("wb") as file:
            stream: IO[bytes] = file
            if compressed:
                stream = zstandard.ZstdCompressor().stream_writer(file, closefd=False)
            with io.TextIOWrapper(stream, encoding="utf-8") as target:
                yield target
    except BaseException:
        path.unlink(missing_ok=True)
        raise
