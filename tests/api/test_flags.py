"""Readers' reports at the API's door: counted once each, seen in queue and feed, and heeded once."""

from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.moderation import sites
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.flags import Flag
from tests.conftest import House, post_comment, put_article

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"


def flag(client: TestClient, reporter: str, comment_id: str = "c-1", **fields: Any) -> Any:
    body = {"reporter": reporter, **fields}
    return client.post(f"/api/v1/comments/{comment_id}/flags", json=body)


def decide(client: TestClient, action: str, revision: int = 1, **fields: Any) -> None:
    body = {"action": action, "revision": revision, **fields}
    assert client.post("/api/v1/comments/c-1/decisions", json=body).status_code == 201


def state_of(client: TestClient) -> str:
    return str(client.get("/api/v1/comments/c-1").json()["state"])


def set_policy(process: Process, house: House, body: dict[str, Any]) -> None:
    process.database.write(lambda s: sites.set_policy(s, house.site_id, body, now=utc_now()))


def test_a_reader_counts_once(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    first = flag(client, "r-1", reason="abusive", note="He means me.")
    assert first.status_code == 201
    assert first.json() == {"comment_id": "c-1", "revision": 1, "state": "approved", "flags": 1}
    again = flag(client, "r-1", reason="spam")
    assert (again.status_code, again.json()["flags"]) == (200, 1)
    assert flag(client, "r-2").json()["flags"] == 2
    assert client.get("/api/v1/comments/c-1").json()["flags"] == 2


def test_the_reader_is_kept_as_a_hash(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", GOOD)
    flag(client, "reader-4711", note="Look at this")
    [kept] = database.read(lambda s: s.scalars(sa.select(Flag)).all())
    assert len(kept.reporter) == 64
    assert "4711" not in kept.reporter
    assert kept.note == "Look at this"


def test_enough_readers_bring_an_approved_comment_back_to_the_queue(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    client.post("/api/v1/articles/a-1/picks", json={"comment_id": "c-1", "revision": 1})
    client.post("/api/v1/articles/a-1/block/publish", json={"version": 1})
    assert [flag(client, f"r-{n}").json()["state"] for n in (1, 1, 2)] == ["approved"] * 3
    assert flag(client, "r-3").json()["state"] == "held"
    got = client.get("/api/v1/comments/c-1").json()
    assert got["verdict"]["action"] == "hold"
    assert got["verdict"]["reasons"] == [{"code": "flagged", "evidence": []}]
    assert got["scores"]["insight"] == 0.9
    assert client.get("/p/post/a-1.json").json()["items"] == []


def test_after_a_person_has_decided_readers_never_bring_it_back_again(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    for n in range(3):
        flag(client, f"r-{n}")
    decide(client, "approve")
    for n in range(3, 9):
        assert flag(client, f"r-{n}").json()["state"] == "approved"
    assert client.get("/api/v1/comments/c-1").json()["flags"] == 9


def test_a_decision_made_while_reports_came_in_stands_too(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    flag(client, "r-1")
    decide(client, "hold", reason="other")
    decide(client, "approve", seen="held")
    for n in range(2, 6):
        assert flag(client, f"r-{n}").json()["state"] == "approved"


def test_what_a_person_approved_before_the_first_report_can_come_back_once(
    client: TestClient,
) -> None:
    post_comment(client, "c-1", SPAM)
    decide(client, "approve")
    assert [flag(client, f"r-{n}").json()["state"] for n in range(3)][-1] == "held"


def test_other_words_can_be_reported_anew(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    for n in range(3):
        flag(client, f"r-{n}")
    decide(client, "approve")
    edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": GOOD + " Really."}
    assert client.put("/api/v1/comments/c-1?wait=5", json=edited).json()["state"] == "approved"
    states = [flag(client, f"n-{n}").json()["state"] for n in range(3)]
    assert states == ["approved", "approved", "held"]


def test_the_site_says_how_many_readers_it_takes(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"flags_to_hold": 1})
    post_comment(client, "c-1", GOOD)
    assert flag(client, "r-1").json()["state"] == "held"
    set_policy(process, house, {"flags_to_hold": 0})
    post_comment(client, "c-2", GOOD)
    assert {flag(client, f"r-{n}", "c-2").json()["state"] for n in range(12)} == {"approved"}


def test_reports_raise_a_comment_in_the_queue_also_when_it_is_judged_again(
    client: TestClient,
) -> None:
    post_comment(client, "c-1", SPAM)
    post_comment(client, "c-2", SPAM + " again")
    flag(client, "r-1", "c-2")

    def queue() -> list[tuple[str, int]]:
        items = client.get("/api/v1/queue").json()["items"]
        return [(item["id"], item["flags"]) for item in items]

    assert queue() == [("c-2", 1), ("c-1", 0)]
    edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": SPAM + " once more"}
    client.put("/api/v1/comments/c-2?wait=5", json=edited)
    assert queue() == [("c-2", 1), ("c-1", 0)]


def test_a_report_is_an_event_without_reader_or_words(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    flag(client, "r-1", reason="spam", note="Buy nothing")
    [event] = [e for e in client.get("/api/v1/feed").json()["items"] if e["kind"] == "flag"]
    assert event["comment_id"] == "c-1"
    assert event["body"] == {"flags": 1, "reason": "spam", "state": "approved", "revision": 1}


def test_what_is_gone_or_anothers_cannot_be_reported(client: TestClient, house: House) -> None:
    post_comment(client, "c-1", GOOD)
    assert flag(client, "r-1", "c-9").status_code == 404
    flag(client, "r-1")
    client.delete("/api/v1/comments/c-1")
    assert flag(client, "r-1").status_code == 200
    reply = flag(client, "r-2")
    assert (reply.status_code, reply.json()["code"]) == (409, "wrong_state")
    client.headers.update(house.neighbour_auth)
    put_article(client, "a-1")
    assert flag(client, "r-3").status_code == 404
