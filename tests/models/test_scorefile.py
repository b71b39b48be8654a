"""Score files: the serving code on lines, joined to articles, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from models.inference import Classifier, Comment
from models.labels import SCORES
from models.scorefile import score_file
from tests.models.conftest import ARTICLE

pytestmark = pytest.mark.weights

COMMENT = "I have driven the number 7 for eleven years and nothing points the way to the shops."


def write(path: Path, rows: list[Any]) -> Path:
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(zstandard.compress(lines) if path.suffix == ".zst" else lines)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    return [json.loads(line) for line in raw.decode().splitlines()]


def run(source: Path, out: Path, classifier: Classifier, articles: Path | None = None) -> int:
    return score_file(source, out, articles, classifier, lambda done, total: None)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
def test_lines_are_scored_in_order_and_joined_to_their_articles(
    tmp_path: Path, classifier: Classifier, suffix: str
) -> None:
    source = write(
        tmp_path / f"in{suffix}",
        [
            {"id": 7, "text": COMMENT, "article_id": "a"},
            {"id": "b", "text": COMMENT, "article_title": ARTICLE.title, "article_desc": "Buses."},
            {"id": "c", "text": COMMENT},
            {"id": "d", "text": ARTICLE.text.split(". ")[1], "article_text": ARTICLE.text},
            {"id": "e", "text": "", "author_name": "Ada", "parent_text": COMMENT},
        ],
    )
    articles = write(
        tmp_path / "articles.jsonl",
        [{"article_id": "a", "title": ARTICLE.title, "text": ARTICLE.text}],
    )
    out = tmp_path / f"out{suffix}"
    assert run(source, out, classifier, articles) == 5
    rows = read(out)
    assert [row["id"] for row in rows] == [7, "b", "c", "d", "e"]
    assert set(rows[0]) == {"id", "scores", "relevance_label", "language", "quote"}
    assert set(rows[0]["scores"]) == set(SCORES)
    assert "relevance" in rows[1]["scores"]
    assert "relevance" not in rows[2]["scores"]
    assert rows[3]["scores"]["echo"] == 1.0
    passages = classifier.passages(ARTICLE)
    [served] = classifier.predict([Comment(text=COMMENT, passages=passages)])
    assert rows[0]["scores"]["relevance"] == pytest.approx(served.scores["relevance"], abs=0.02)
    quote = rows[0]["quote"]
    assert COMMENT[quote["start"] : quote["end"]] == COMMENT


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": 1}',
        '{"text": "x"}',
        '{"id": 1, "text": 2}',
        '{"id": 1, "text": "\\ud800"}',
        '{"id": 1, "text": "x", "author_name": 3}',
        '{"id": 1, "text": "x", "article_id": []}',
        '{"id": 1, "text": "x", "parent_text": {}}',
    ],
)
def test_a_wrong_line_is_named_and_the_old_answer_stays(
    tmp_path: Path, classifier: Classifier, line: str
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(f'{{"id": 1, "text": "fine"}}\n{line}\n')
    out.write_text("as it was")
    with pytest.raises(ValueError, match="line 2"):
        run(source, out, classifier)
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_what_cannot_be_unpacked_and_articles_without_a_name_are_said(
    tmp_path: Path, classifier: Classifier
) -> None:
    source = tmp_path / "in.jsonl.zst"
    source.write_bytes(b"no zstd at all")
    with pytest.raises(ValueError, match=r"in\.jsonl\.zst"):
        run(source, tmp_path / "out.jsonl", classifier)
    fine = write(tmp_path / "fine.jsonl", [{"id": 1, "text": "x"}])
    articles = write(tmp_path / "articles.jsonl", [{"title": "Nameless"}])
    with pytest.raises(ValueError, match="article_id"):
        run(fine, tmp_path / "out.jsonl", classifier, articles)
