"""Many comments in one call: each as if it had been posted alone."""

import time
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from service.api.batch import CHUNK, ON_THEIR_WAY
from service.process import Process
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"


def item(comment_id: str, body: str = GOOD, **fields: Any) -> dict[str, Any]:
    return {
        "id": comment_id,
        "article_id": "a-1",
        "author": {"name": "Ada"},
        "body": body,
        **fields,
    }


def send(client: TestClient, items: list[Any], wait: int = 20) -> list[dict[str, Any]]:
    reply = client.post(f"/api/v1/comments:batch?wait={wait}", json={"comments": items})
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    assert len(found) == len(items)
    return found


def test_each_is_answered_as_a_call_of_its_own_would_be_and_in_order(client: TestClient) -> None:
    post_comment(client, "known", GOOD)
    found = send(
        client,
        [
            item("c-1"),
            item("c-2", SPAM),
            item("known"),
            item("known", "Other words"),
            item("c-3", " "),
            item("c-4", article_id="a-9"),
            "no object",
            item("c-5", GOOD + "\0"),
            item("c-1"),
        ],
    )
    assert [one["status"] for one in found] == [201, 201, 200, 409, 422, 422, 422, 422, 200]
    assert [one["comment"]["state"] for one in found[:3]] == ["approved", "held", "approved"]
    assert found[0]["comment"] == client.get("/api/v1/comments/c-1").json()
    assert found[3]["problem"]["code"] == "id_taken"
    pointers = [[e["pointer"] for e in one["problem"]["errors"]] for one in found[4:8]]
    assert pointers == [["/body"], ["/article_id"], [""], ["/body"]]


def test_a_reply_may_come_with_its_parent(client: TestClient, scorer: KeywordScorer) -> None:
    found = send(client, [item("c-1"), item("c-2", "That is so", parent_id="c-1")])
    assert found[1]["comment"]["parent_id"] == "c-1"
    assert scorer.asked[1].parent == GOOD


def test_more_than_fit_into_one_stretch_are_all_judged_in_order(client: TestClient) -> None:
    many = [item(f"c-{n}", SPAM if n % 3 else GOOD) for n in range(3 * CHUNK + 5)]
    found = send(client, many)
    assert [one["comment"]["id"] for one in found] == [each["id"] for each in many]
    states = [one["comment"]["state"] for one in found]
    assert states == ["held" if n % 3 else "approved" for n in range(len(many))]
    assert {one["status"] for one in send(client, many)} == {200}


def test_a_batch_of_too_many_or_of_something_else_is_refused_as_a_whole(client: TestClient) -> None:
    for body, pointer in (
        ({"comments": [{}] * 1001}, "/comments"),
        ({"comments": [], "more": 1}, "/more"),
        ({}, "/comments"),
        ([], ""),
    ):
        reply = client.post("/api/v1/comments:batch", json=body)
        assert reply.status_code == 422
        assert [e["pointer"] for e in reply.json()["errors"]] == [pointer]
    assert client.post("/api/v1/comments:batch", content=b"{").status_code == 400
    assert send(client, []) == []


def test_a_full_queue_takes_none_and_stores_none(client: TestClient, scorer: KeywordScorer) -> None:
    scorer.queue = 0
    [one] = send(client, [item("c-1")])
    assert (one["status"], one["problem"]["code"]) == (503, "queue_full")
    assert client.get("/api/v1/comments/c-1").status_code == 404


def test_what_there_is_no_time_for_is_not_taken_and_what_was_taken_is_judged_later(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.held_back = []
    taken = ON_THEIR_WAY * CHUNK
    many = [item(f"c-{n}") for n in range(taken + 3)]
    found = send(client, many, wait=1)
    assert [one["status"] for one in found] == [202] * taken + [503] * 3
    assert client.get(f"/api/v1/comments/c-{taken}").status_code == 404
    scorer.release()
    until = time.monotonic() + 20
    while client.get("/api/v1/articles/a-1").json()["comments"].get("approved", 0) < taken:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_without_models_the_fail_policy_rules_on_each(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.trouble = "gone"
    found = send(client, [item("c-1"), item("c-2")])
    assert [one["comment"]["state"] for one in found] == ["held", "held"]
    scorer.trouble = None
    one, other = send(client, [item("c-3", "poison"), item("c-4")])
    assert one["comment"]["verdict"]["reasons"][0]["code"] == "model_unavailable"
    assert other["comment"]["state"] == "approved"


def test_a_comment_that_the_database_refuses_takes_no_other_with_it(
    client: TestClient, process: Process
) -> None:
    @event.listens_for(process.database.engine, "before_cursor_execute")
    def before(
        _connection: object, _cursor: object, statement: str, values: object, *_: object
    ) -> None:
        if statement.startswith("INSERT INTO comments ") and "c-2" in str(values):
            raise OperationalError(statement, {}, Exception("the disk is full"))

    found = send(client, [item("c-1"), item("c-2"), item("c-3")])
    assert [one["status"] for one in found] == [201, 503, 201]


def test_another_sites_comments_are_not_seen(
    client: TestClient, process: Process, house: House
) -> None:
    post_comment(client, "c-1", GOOD)
    client.headers.update(house.neighbour_auth)
    put_article(client, "a-1")
    [one] = send(client, [item("c-1", "Other words")])
    assert (one["status"], one["comment"]["body"]) == (201, "Other words")
