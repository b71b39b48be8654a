"""Comments at the API's door: received, replayed, edited, withdrawn."""

import time
from collections.abc import Callable

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from service.process import Process
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door."


def test_a_harmless_comment_is_approved_in_the_same_call(client: TestClient) -> None:
    reply = post_comment(client, "c-1", GOOD)
    assert reply.status_code == 201
    assert reply.headers["location"] == "/api/v1/comments/c-1"
    got = reply.json()
    assert (got["state"], got["revision"], got["relevance_label"]) == ("approved", 1, "direct")
    assert got["verdict"]["action"] == "approve"
    assert got["scores"]["insight"] == 0.9


def test_spam_is_held_and_the_verdict_says_why(client: TestClient) -> None:
    got = post_comment(client, "c-1", "Win at the casino today").json()
    assert got["state"] == "held"
    [reason] = got["verdict"]["reasons"]
    assert reason == {
        "code": "spam",
        "score": 0.97,
        "threshold": 0.8,
        "evidence": [{"start": 11, "end": 17}],
    }
    assert got["verdict"]["model"] == "keywords-1"
    assert got["verdict"]["policy"] == 1


def test_the_same_again_changes_nothing(client: TestClient, scorer: KeywordScorer) -> None:
    first = post_comment(client, "c-1", GOOD).json()
    again = post_comment(client, "c-1", GOOD)
    assert again.status_code == 200
    assert again.json() == first
    assert len(scorer.asked) == 1


def test_the_same_id_with_other_words_is_refused(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    reply = post_comment(client, "c-1", "Something else entirely")
    assert (reply.status_code, reply.json()["code"]) == (409, "id_taken")


def test_without_a_wait_the_answer_is_202_and_the_verdict_comes_later(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.held_back = []
    reply = post_comment(client, "c-1", GOOD, wait=0)
    assert (reply.status_code, reply.json()["state"]) == (202, "received")
    assert reply.json()["verdict"] is None
    _wait_for(lambda: scorer.held_back)
    scorer.release()
    _wait_for(lambda: client.get("/api/v1/comments/c-1").json()["state"] == "approved")


def test_a_slow_scorer_makes_it_202_when_the_callers_time_is_over(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.held_back = []
    assert post_comment(client, "c-1", GOOD, wait=0.2).status_code == 202
    scorer.release()


def test_an_edit_is_a_new_revision_and_is_judged_again(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Win at the casino today"}
    reply = client.put("/api/v1/comments/c-1?wait=5", json=edited)
    assert reply.status_code == 200
    assert (reply.json()["revision"], reply.json()["state"]) == (2, "held")
    again = client.put("/api/v1/comments/c-1?wait=5", json=edited)
    assert again.json()["revision"] == 2


def test_a_put_of_the_same_words_changes_what_stands_beside_them(client: TestClient) -> None:
    """The address moves the block's version, too: the page cites it."""
    url = "https://post.example/a-1"
    post_comment(client, "c-1", GOOD, url=f"{url}#1", posted_at="2026-01-02T03:04:05Z")
    client.post("/api/v1/articles/a-1/picks", json={"comment_id": "c-1", "revision": 1})
    client.post("/api/v1/articles/a-1/block/publish", json={"version": 1})
    before = client.get("/p/post/a-1.json")
    same = {"article_id": "a-1", "author": {"name": "Ada"}, "body": GOOD}
    moved = {**same, "url": f"{url}#2", "posted_at": "2026-01-02T03:04:06Z"}
    reply = client.put("/api/v1/comments/c-1", json=moved)
    assert (reply.status_code, reply.json()["revision"]) == (200, 1)
    assert reply.json()["posted_at"] == "2026-01-02T03:04:06Z"
    after = client.get("/p/post/a-1.json")
    assert [item["comment_url"] for item in after.json()["items"]] == [f"{url}#2"]
    assert after.headers["etag"] != before.headers["etag"]
    client.put("/api/v1/comments/c-1", json=moved)
    assert client.get("/p/post/a-1.json").headers["etag"] == after.headers["etag"]


def test_put_of_an_unknown_id_receives_it(client: TestClient) -> None:
    new = {"article_id": "a-1", "author": {"name": "Ada"}, "body": GOOD}
    reply = client.put("/api/v1/comments/c-9?wait=5", json=new)
    assert (reply.status_code, reply.json()["state"]) == (201, "approved")


def test_a_method_that_a_path_lacks_is_refused_with_all_it_has(client: TestClient) -> None:
    reply = client.patch("/api/v1/comments/c-1")
    assert (reply.status_code, reply.json()["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert "GET" in client.post("/api/v1/openapi.json").headers["allow"]
    assert client.get("/logout").headers["allow"] == "POST"


def test_a_whole_number_may_be_written_with_a_fraction_of_nought(client: TestClient) -> None:
    """JSON has one kind of number; some languages write 3 as 3.0."""
    reply = post_comment(client, "c-1", GOOD, reactions=3.0)
    assert reply.status_code == 201
    half = post_comment(client, "c-2", GOOD, reactions=3.5)
    assert [e["pointer"] for e in half.json()["errors"]] == ["/reactions"]


def test_a_withdrawn_comment_stays_withdrawn(client: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    assert client.delete("/api/v1/comments/c-1").json()["state"] == "withdrawn"
    assert client.delete("/api/v1/comments/c-1").status_code == 200
    edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Again"}
    reply = client.put("/api/v1/comments/c-1", json=edited)
    assert (reply.status_code, reply.json()["code"]) == (409, "wrong_state")


def test_a_full_queue_is_said_before_anything_is_stored(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.queue = 0
    reply = post_comment(client, "c-1", GOOD)
    assert (reply.status_code, reply.json()["code"]) == (503, "queue_full")
    assert reply.headers["retry-after"] == "2"
    assert client.get("/api/v1/comments/c-1").status_code == 404


def test_what_is_stored_and_not_yet_judged_fills_the_queue(
    client: TestClient, scorer: KeywordScorer
) -> None:
    """A burst is stored faster than it is asked about; each of it is promised an answer."""
    scorer.queue, scorer.held_back = 3, []
    replies = [post_comment(client, f"c-{n}", GOOD, wait=0).status_code for n in range(5)]
    assert replies == [202, 202, 202, 503, 503]
    _wait_for(lambda: len(scorer.held_back or []) == 3)
    scorer.release()
    _wait_for(lambda: client.get("/api/v1/comments/c-2").json()["state"] == "approved")
    _wait_for(lambda: post_comment(client, "c-4", GOOD).status_code == 201)


def test_without_models_a_person_is_asked_and_readyz_says_why(
    client: TestClient, scorer: KeywordScorer
) -> None:
    scorer.trouble = "the weights are missing"
    got = post_comment(client, "c-1", GOOD).json()
    assert got["state"] == "held"
    assert [r["code"] for r in got["verdict"]["reasons"]] == ["model_unavailable"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json()["models"] == "the weights are missing"


def test_an_unknown_article_is_named_and_an_inline_one_is_taken(client: TestClient) -> None:
    reply = post_comment(client, "c-1", GOOD, article_id="nowhere")
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["code"] == "unknown_article"
    inline = {"url": "https://post.example/x", "title": "Another", "body": "Some text."}
    reply = post_comment(client, "c-1", GOOD, article_id="nowhere", article=inline)
    assert reply.status_code == 201
    assert client.get("/api/v1/articles/nowhere").json()["title"] == "Another"


def test_a_closed_article_takes_no_comments(client: TestClient) -> None:
    put_article(client, "a-1", mode="closed")
    assert post_comment(client, "c-1", GOOD).json()["code"] == "article_closed"


def test_a_reply_may_come_before_its_parent(client: TestClient, scorer: KeywordScorer) -> None:
    post_comment(client, "reply", "I agree with that entirely", parent_id="parent")
    assert client.get("/api/v1/comments/reply").json()["parent_id"] == "parent"
    post_comment(client, "parent", GOOD)
    post_comment(client, "second", "So do I, as it happens", parent_id="parent")
    assert scorer.asked[-1].parent == GOOD
    cycle = {
        "article_id": "a-1",
        "parent_id": "reply",
        "author": {"name": "Ada"},
        "body": "Turned round",
    }
    refused = client.put("/api/v1/comments/parent", json=cycle)
    assert refused.json()["errors"][0]["code"] == "parent_cycle"


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"parent_id": "c-1"}, "/parent_id", "parent_cycle"),
        ({"parent_id": "c-2"}, "/parent_id", "parent_cycle"),
        ({"parent_id": "elsewhere"}, "/parent_id", "other_article"),
        ({"article_id": "a-2"}, "/article_id", "not_its_article"),
    ],
)
def test_a_thread_stays_a_tree_under_one_article(
    client: TestClient, fields: dict[str, str], pointer: str, code: str
) -> None:
    put_article(client, "a-2")
    post_comment(client, "c-1", "First")
    post_comment(client, "c-2", "Second", parent_id="c-1")
    post_comment(client, "elsewhere", "Third", article_id="a-2")
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "First, edited", **fields}
    refused = client.put("/api/v1/comments/c-1", json=edit)
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert client.get("/api/v1/comments/c-1").json()["revision"] == 1


def test_every_wrong_field_is_named_at_once(client: TestClient) -> None:
    reply = client.post(
        "/api/v1/comments",
        json={"id": "a/b", "article_id": 7, "author": {"nme": "Ada"}, "body": "  ", "shape": 1},
    )
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    found = {wrong["pointer"]: wrong["code"] for wrong in reply.json()["errors"]}
    assert found == {
        "/id": "invalid_id",
        "/article_id": "wrong_type",
        "/author/name": "missing",
        "/author/nme": "unknown_field",
        "/body": "empty",
        "/shape": "unknown_field",
    }


def test_a_request_full_of_mistakes_is_answered_with_a_list_that_ends(client: TestClient) -> None:
    for mistakes in ({f"k{n}": n for n in range(5000)}, {f"k{n}": "\x00" for n in range(5000)}):
        reply = client.post("/api/v1/comments", json=mistakes)
        assert reply.status_code == 422
        assert len(reply.json()["errors"]) == 1000


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff\xfe", b'{"a": 1' + b"]" * 9, b"[" * 100_000])
def test_what_is_no_json_is_a_400(client: TestClient, raw: bytes) -> None:
    reply = client.post("/api/v1/comments", content=raw)
    assert (reply.status_code, reply.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("deep", [300, 600, 900, 990])
def test_json_that_is_nested_too_deep_is_a_400(client: TestClient, deep: int) -> None:
    reply = client.post("/api/v1/comments", content=b"[" * deep + b"]" * deep)
    assert (reply.status_code, reply.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_the_calendar_is_named(client: TestClient, when: str) -> None:
    reply = post_comment(client, "c-1", GOOD, posted_at=when)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/posted_at", "not_allowed")


@pytest.mark.parametrize("text", ["a \\u0000 b", "a \\ud800 b"])
def test_a_nul_or_half_a_pair_is_invalid_text(client: TestClient, text: str) -> None:
    raw = f'{{"id": "c-1", "article_id": "a-1", "author": {{"name": "Ada"}}, "body": "{text}"}}'
    reply = client.post("/api/v1/comments", content=raw.encode())
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_text")
    assert reply.json()["errors"][0]["pointer"] == "/body"


def test_a_whole_pair_is_an_ordinary_character(client: TestClient) -> None:
    raw = (
        r'{"id": "c-1", "article_id": "a-1", "author": {"name": "Ada"}, "body": "\ud83d\ude00 yes"}'
    )
    reply = client.post("/api/v1/comments?wait=5", content=raw.encode())
    assert reply.json()["body"] == "\U0001f600 yes"


def test_a_body_over_the_limit_is_refused(client: TestClient) -> None:
    too_long = post_comment(client, "c-1", "x" * 50_001)
    assert too_long.json()["errors"][0] == {
        "pointer": "/body",
        "code": "too_long",
        "detail": "String should have at most 50000 characters",
    }
    huge = client.post("/api/v1/comments", content=b" " * (8 * 1024 * 1024 + 1))
    assert (huge.status_code, huge.json()["code"]) == (413, "too_large")
    growing = client.post("/api/v1/comments", content=(b" " * 2**20 for _ in range(9)))
    assert (growing.status_code, growing.json()["code"]) == (413, "too_large")


def test_another_sites_objects_are_not_there(client: TestClient, house: House) -> None:
    post_comment(client, "c-1", "Win at the casino today")
    other = house.neighbour_auth
    assert client.get("/api/v1/comments/c-1", headers=other).status_code == 404
    assert client.get("/api/v1/articles/a-1", headers=other).status_code == 404
    assert client.delete("/api/v1/comments/c-1", headers=other).status_code == 404
    assert client.get("/api/v1/queue", headers=other).json()["items"] == []
    assert client.get("/api/v1/feed", headers=other).json()["items"] == []
    decision = {"action": "approve", "revision": 1}
    reply = client.post("/api/v1/comments/c-1/decisions", json=decision, headers=other)
    assert reply.status_code == 404
    assert client.get("/api/v1/articles/a-1/block", headers=other).status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic abc", "Bearer \x00"])
def test_without_a_good_key_nothing_is_said(client: TestClient, header: str) -> None:
    reply = client.get("/api/v1/comments/c-1", headers={"Authorization": header})
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")


def test_markup_is_stored_as_it_was_sent(client: TestClient) -> None:
    body = "<script>alert(1)</script> & <b>bold</b>"
    got = post_comment(client, "c-1", body, author={"name": "<i>Ada</i>", "url": "javascript:x"})
    assert got.json()["body"] == body
    assert got.json()["author"] == {"name": "<i>Ada</i>", "url": "javascript:x"}


def _wait_for(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end, "it did not happen within ten seconds"
        time.sleep(0.01)


def test_what_was_stored_is_acknowledged_even_if_it_cannot_be_read_back(
    client: TestClient, process: Process, scorer: KeywordScorer
) -> None:
    """The database goes away between the commit and the answer."""
    engine = process.database.engine
    seen: list[str] = []

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "committed" in seen:
            raise OperationalError(statement, {}, Exception("the server closed the connection"))
        seen.extend(["stored"] if statement.startswith("INSERT INTO comment_revisions") else [])

    def committed(_connection: object) -> None:
        seen.extend(["committed"] if "stored" in seen else [])

    scorer.held_back = []
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", committed)
    reply = post_comment(client, "c-1", "A fair point.", wait=0)
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "commit", committed)
    assert seen == ["stored", "committed"]
    assert reply.status_code == 202
    assert reply.json() == {"id": "c-1", "state": "received"}
    assert client.get("/api/v1/comments/c-1").json()["state"] == "received"
