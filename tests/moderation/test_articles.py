"""Articles: their words, without their markup, whatever a site sends."""

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from service.moderation import articles
from service.moderation.articles import plain_text
from service.process import Process
from tests.conftest import put_article


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<p>Buses stop here.</p>", "Buses stop here."),
        ("Buses<br>stop here.", "Buses\nstop here."),
        ("<h2>The quay</h2><p>Closed on Monday.</p>", "The quay\nClosed on Monday."),
        ("<html><body><p>Closed.</p></body></html>", "Closed."),
        ("<p><script>alert(1)</script>Closed.</p>", "Closed."),
        ("Plain words, 3 < 4,\r\nand a line.", "Plain words, 3 < 4,\nand a line."),
        ("<p></p>", ""),
    ],
)
def test_an_articles_words_are_kept_and_its_markup_is_not(body: str, words: str) -> None:
    assert plain_text(body) == words


def test_markup_is_read_before_the_transaction_begins(
    client: TestClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long page takes seconds to read; on SQLite every other writer would wait for it."""
    happened: list[str] = []

    def reading(body: str) -> str:
        happened.append("read")
        return body

    def began(connection: object) -> None:
        if connection.get_execution_options().get("postbag_write"):  # type: ignore[attr-defined]
            happened.append("began")

    # The first call of a day is noted beside its key, in a transaction of its own.
    assert client.get("/api/v1/feed").is_success
    monkeypatch.setattr(articles, "plain_text", reading)
    event.listen(process.database.engine, "begin", began)
    put_article(client, "a-1", body="<p>Closed.</p>")
    event.remove(process.database.engine, "begin", began)
    assert happened == ["read", "began"]
