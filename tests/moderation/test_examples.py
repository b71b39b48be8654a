"""Examples say what people decided on words that are still there, and nothing else."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.labels import SCORES
from service.moderation import examples
from service.storage.db import Database
from tests.conftest import House, post_comment

pytestmark = pytest.mark.usefixtures("article")
THOUGHT = "I cross there every morning because the school is on the other side."


def decide(client: TestClient, comment_id: str, action: str, reason: str | None = None) -> None:
    body = {"action": action, "revision": 1, "reason": reason}
    reply = client.post(f"/api/v1/comments/{comment_id}/decisions", json=body)
    assert reply.is_success, reply.text


def exported(database: Database, house: House) -> dict[str, dict[str, Any]]:
    with database.reading() as session:
        found = list(examples.each(session, site_id=house.site_id))
    json.dumps(found)
    return {example["id"]: example for example in found}


def test_decisions_and_picks_become_labels_of_the_models_own(
    client: TestClient, database: Database, house: House
) -> None:
    post_comment(client, "c-1", THOUGHT, author={"name": "Ada Canary", "email": "a@b.example"})
    post_comment(client, "c-2", "Buy at my casino.", parent_id="c-1")
    post_comment(client, "c-3", "You idiot.")
    post_comment(client, "c-4", "It was the machine that passed this one.")
    post_comment(client, "c-5", "Nobody says why this goes.")
    decide(client, "c-2", "reject", "spam")
    decide(client, "c-3", "approve")
    decide(client, "c-5", "reject", "other")
    pick = {"comment_id": "c-1", "revision": 1, "spans": [{"start": 0, "end": 29}]}
    assert client.post("/api/v1/articles/a-1/picks", json=pick).status_code == 201
    found = exported(database, house)
    assert set(found) == {"c-1", "c-2", "c-3"}
    assert found["c-1"]["labels"] == {"insight": 1.0, "relevance": 1.0}
    assert (found["c-1"]["decided"], found["c-1"]["picked"]) == (None, [[0, 29]])
    assert found["c-2"]["labels"] == {"spam": 1.0}
    assert (found["c-2"]["by"], found["c-2"]["parent_text"]) == ("key", THOUGHT)
    assert found["c-3"]["labels"] == {"spam": 0.0, "toxicity": 0.0, "incoherent": 0.0}
    assert "Canary" not in json.dumps(found)
    for labels in (examples.APPROVED, examples.PICKED, *examples.REJECTED.values()):
        assert set(labels) <= set(SCORES)


def test_what_was_edited_withdrawn_or_featured_as_an_echo_teaches_nothing(
    client: TestClient, database: Database, house: House
) -> None:
    for comment_id in ("c-1", "c-2"):
        post_comment(client, comment_id, THOUGHT)
        decide(client, comment_id, "approve")
    assert len(exported(database, house)) == 2
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Other words."}
    assert client.put("/api/v1/comments/c-1?wait=5", json=edit).is_success
    assert client.delete("/api/v1/comments/c-2").is_success
    echo = "Traders had asked for a longer trial. Buses now stop at the old fish market"
    assert post_comment(client, "c-3", echo).json()["state"] == "approved"
    pick = {"comment_id": "c-3", "revision": 1, "acknowledge_echo": True}
    assert client.post("/api/v1/articles/a-1/picks", json=pick).status_code == 201
    assert exported(database, house) == {}


def test_pages_of_examples_leave_none_out(
    client: TestClient, database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "AT_ONCE", 2)
    for number in range(5):
        post_comment(client, f"c-{number}", f"{THOUGHT} {number}")
        decide(client, f"c-{number}", "approve")
    assert len(exported(database, house)) == 5


def test_the_words_of_a_parent_that_was_withdrawn_are_not_told(
    client: TestClient, database: Database, house: House
) -> None:
    post_comment(client, "c-1", THOUGHT)
    post_comment(client, "c-2", "Buy at my casino.", parent_id="c-1")
    decide(client, "c-2", "reject", "spam")
    assert exported(database, house)["c-2"]["parent_text"] == THOUGHT
    assert client.delete("/api/v1/comments/c-1").is_success
    assert exported(database, house)["c-2"]["parent_text"] is None


def test_the_words_of_a_parent_that_the_law_had_removed_are_not_told(
    client: TestClient, database: Database, house: House
) -> None:
    post_comment(client, "c-1", THOUGHT)
    post_comment(client, "c-2", "Buy at my casino.", parent_id="c-1")
    decide(client, "c-2", "reject", "spam")
    body = {"action": "reject", "reason": "legal", "reference": "4 U 12/26", "revision": 1}
    assert client.post("/api/v1/comments/c-1/decisions", json=body).is_success
    assert exported(database, house)["c-2"]["parent_text"] is None
