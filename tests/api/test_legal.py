"""Legal removal: a reason of its own, with the order it rests on, and no way back but a person's."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import post_comment

pytestmark = pytest.mark.usefixtures("article")

ORDER = {"reference": "LG Hamburg 324 O 7/26", "deadline": "2026-12-01T12:00:00Z"}
WORDS = "I shop there every week because the bus stops at the door."


def decide(client: TestClient, **fields: Any) -> Any:
    return client.post("/api/v1/comments/c-1/decisions", json={"revision": 1, **fields})


def remove(client: TestClient) -> Any:
    reply = decide(client, action="reject", reason="legal", **ORDER)
    assert reply.status_code == 201, reply.text
    return reply.json()


def test_the_record_has_reference_and_deadline(client: TestClient) -> None:
    post_comment(client, "c-1", WORDS)
    reply = remove(client)
    assert reply["comment"]["state"] == "rejected"
    [judged, removed] = reply["decisions"]
    assert (judged["reference"], judged["deadline"]) == (None, None)
    assert {name: removed[name] for name in ("reason", *ORDER)} == {"reason": "legal", **ORDER}


def test_its_words_leave_the_page(client: TestClient) -> None:
    post_comment(client, "c-1", WORDS)
    client.post("/api/v1/articles/a-1/picks", json={"comment_id": "c-1", "revision": 1})
    client.post("/api/v1/articles/a-1/block/publish", json={"version": 1})
    assert "bus stops" in client.get("/p/post/a-1.html").text
    remove(client)
    assert "bus stops" not in client.get("/p/post/a-1.html").text
    assert client.get("/p/post/a-1.json").json()["items"] == []
    assert client.get("/api/v1/candidates?article_id=a-1").json()["items"] == []


def test_no_edit_brings_it_back_until_a_person_says_so(client: TestClient) -> None:
    post_comment(client, "c-1", WORDS)
    remove(client)
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": WORDS + " Really."}
    reply = client.put("/api/v1/comments/c-1?wait=5", json=edit)
    assert (reply.status_code, reply.json()["code"]) == (409, "legally_removed")
    assert client.get("/api/v1/comments/c-1").json()["revision"] == 1
    assert decide(client, action="approve").json()["code"] == "already_decided"
    assert decide(client, action="approve", seen="rejected").status_code == 201
    assert client.put("/api/v1/comments/c-1?wait=5", json=edit).json()["state"] == "approved"


def test_an_order_for_what_was_rejected_before_joins_the_record(client: TestClient) -> None:
    post_comment(client, "c-1", WORDS)
    assert decide(client, action="reject", reason="spam").status_code == 201
    legal = {"action": "reject", "reason": "legal", "reference": "A 1"}
    assert decide(client, **legal).json()["code"] == "already_decided"
    assert decide(client, **legal, seen="rejected").status_code == 201
    reply = decide(client, **{**legal, "reference": "A 2"}, seen="rejected").json()
    assert [each["reference"] for each in reply["decisions"]] == [None, None, "A 1", "A 2"]
    spam = {"action": "reject", "reason": "spam", "seen": "rejected"}
    assert decide(client, **spam).json()["code"] == "already_decided"


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"action": "reject", "reason": "legal"}, "/reference", "missing"),
        ({"action": "hold", "reason": "legal", **ORDER}, "/reason", "legal_only"),
        ({"action": "reject", "reason": "spam", "reference": "1"}, "/reference", "legal_only"),
        ({"action": "approve", "reference": "1"}, "/reference", "legal_only"),
        (
            {"action": "reject", "reason": "spam", "deadline": "2026-12-01T12:00:00Z"},
            "/reference",
            "missing",
        ),
        ({"action": "reject", "reason": "legal", "reference": " "}, "/reference", "empty"),
        ({"action": "reject", "reason": "legal", "reference": "x" * 201}, "/reference", "too_long"),
        (
            {
                "action": "reject",
                "reason": "legal",
                "reference": "1",
                "deadline": "2026-12-01T12:00:00",
            },
            "/deadline",
            "no_time_zone",
        ),
    ],
)
def test_reason_and_order_go_together(
    client: TestClient, fields: dict[str, Any], pointer: str, code: str
) -> None:
    post_comment(client, "c-1", WORDS)
    reply = decide(client, **fields)
    assert reply.status_code == 422
    assert [(w["pointer"], w["code"]) for w in reply.json()["errors"]] == [(pointer, code)]
    assert client.get("/api/v1/comments/c-1").json()["state"] == "approved"
