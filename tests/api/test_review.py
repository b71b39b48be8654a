"""The queue at the API's door: read, claimed, decided."""

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from service.moderation import keys, sites
from service.storage.db import Database
from service.storage.tables import Scope
from tests.conftest import NOW, House, post_comment

pytestmark = pytest.mark.usefixtures("article")


def test_the_queue_is_in_order_of_harm_and_pages_by_cursor(client: TestClient) -> None:
    post_comment(client, "spam", "Win at the casino today")
    post_comment(client, "off", "Lovely weather today")
    post_comment(client, "abuse", "You idiot")
    post_comment(client, "fine", "A fair point")
    first = client.get("/api/v1/queue?limit=2").json()
    assert [item["id"] for item in first["items"]] == ["abuse", "spam"]
    second = client.get(f"/api/v1/queue?limit=2&cursor={first['next']}").json()
    assert [item["id"] for item in second["items"]] == ["off"]
    assert second["next"] is None


def test_a_page_of_the_queue_fetches_the_article_once(
    client: TestClient, database: Database
) -> None:
    """A long article with its vectors weighs megabytes; a page has a hundred comments under it."""
    for number in range(4):
        post_comment(client, f"c-{number}", "Win at the casino today")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    assert len(client.get("/api/v1/queue").json()["items"]) == 4
    event.remove(database.engine, "before_cursor_execute", note)
    assert sum("article_revisions.text" in statement for statement in asked) == 1
    for statement in asked:
        assert "article_revisions.body" not in statement
        assert "article_revisions.passages" not in statement
        assert "comments.id" not in statement or "article_revisions.text" not in statement


@pytest.mark.parametrize(
    "cursor",
    ["x", "1_2_3", "nan_x", "%00", "nan_1", "inf_1", "1_-1", f"1_{2**63}", f"1_{10**30}"],
)
def test_a_cursor_from_elsewhere_is_refused(client: TestClient, cursor: str) -> None:
    reply = client.get(f"/api/v1/queue?cursor={cursor}")
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_limit_out_of_bounds_is_named(client: TestClient, limit: str) -> None:
    reply = client.get(f"/api/v1/queue?limit={limit}")
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/query/limit"


def test_a_claimed_comment_is_given_to_nobody_else(
    client: TestClient, house: House, database: Database
) -> None:
    post_comment(client, "one", "Win at the casino today")
    post_comment(client, "two", "You idiot")
    mine = client.post("/api/v1/queue/claim", json={"number": 1}).json()["items"]
    assert [item["id"] for item in mine] == ["two"]
    second = database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="2", scopes=frozenset({Scope.MODERATE}), now=NOW
        )
    )
    headers = {"Authorization": f"Bearer {second}"}
    theirs = client.post("/api/v1/queue/claim", json={"number": 5}, headers=headers).json()
    assert [item["id"] for item in theirs["items"]] == ["one"]
    decision = {"action": "approve", "revision": 1}
    refused = client.post("/api/v1/comments/two/decisions", json=decision, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "claimed")


def test_a_decision_names_the_revision_and_is_written_down(client: TestClient) -> None:
    post_comment(client, "c-1", "Win at the casino today")
    stale = {"action": "approve", "revision": 2}
    reply = client.post("/api/v1/comments/c-1/decisions", json=stale)
    assert (reply.status_code, reply.json()["code"]) == (409, "stale")
    decided = client.post(
        "/api/v1/comments/c-1/decisions",
        json={"action": "reject", "revision": 1, "reason": "spam", "note": "seen before"},
    )
    assert decided.status_code == 201
    assert decided.json()["comment"]["state"] == "rejected"
    steps = [(d["was"], d["now"], d["by"]) for d in decided.json()["decisions"]]
    assert steps == [("received", "held", "machine"), ("held", "rejected", "key")]
    again = client.post(
        "/api/v1/comments/c-1/decisions",
        json={"action": "reject", "revision": 1, "reason": "spam"},
    )
    assert again.json()["code"] == "already_decided"


def test_a_rejection_needs_a_reason(client: TestClient) -> None:
    post_comment(client, "c-1", "Win at the casino today")
    reply = client.post("/api/v1/comments/c-1/decisions", json={"action": "reject", "revision": 1})
    assert reply.json()["errors"][0]["pointer"] == "/reason"


def test_a_key_without_the_scope_is_refused(
    client: TestClient, house: House, database: Database
) -> None:
    ingest = database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="i", scopes=frozenset({Scope.INGEST}), now=NOW
        )
    )
    reply = client.get("/api/v1/queue", headers={"Authorization": f"Bearer {ingest}"})
    assert (reply.status_code, reply.json()["code"]) == (403, "missing_scope")


def test_a_revoked_key_opens_nothing(client: TestClient, house: House, database: Database) -> None:
    database.write(lambda s: keys.revoke(s, sites.get(s, house.slug), house.key[:8], now=NOW))
    assert client.get("/api/v1/queue").status_code == 401
