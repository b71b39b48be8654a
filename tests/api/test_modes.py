"""How an article and a site take comments: from trusted authors alone, or by looking on."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.moderation import sites
from service.moderation.trust import REJECTION_COUNTS_FOR
from service.process import Process, utc_now
from service.storage.tables import Decision, State
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"
KNOWN = {"name": "Ada", "id": "u-1"}


def set_policy(process: Process, house: House, body: dict[str, Any]) -> None:
    process.database.write(lambda s: sites.set_policy(s, house.site_id, body, now=utc_now()))


def earn_trust(client: TestClient, number: int, author: dict[str, str] = KNOWN) -> None:
    for n in range(number):
        reply = post_comment(client, f"earned-{n}", f"{GOOD} {n}", author=author)
        assert reply.json()["state"] == "approved"


def post_to_trusted(client: TestClient, comment_id: str = "c-1", **fields: Any) -> dict[str, Any]:
    put_article(client, "a-2", mode="trusted_only")
    fields = {"author": KNOWN, **fields}
    got: dict[str, Any] = post_comment(client, comment_id, GOOD, article_id="a-2", **fields).json()
    return got


def reject(client: TestClient, comment_id: str) -> None:
    body = {"action": "reject", "revision": 1, "reason": "other"}
    reply = client.post(f"/api/v1/comments/{comment_id}/decisions", json=body)
    assert reply.status_code == 201


def test_an_author_with_five_approved_comments_is_trusted(client: TestClient) -> None:
    earn_trust(client, 5)
    assert post_to_trusted(client)["state"] == "approved"
    stranger = post_to_trusted(client, "c-2", author={"name": "Bea", "id": "u-2"})
    assert stranger["state"] == "held"
    assert [r["code"] for r in stranger["verdict"]["reasons"]] == ["article_mode"]


def test_four_are_not_enough_and_the_comment_itself_does_not_count(client: TestClient) -> None:
    earn_trust(client, 4)
    assert post_to_trusted(client)["state"] == "held"


def test_who_cannot_be_known_is_not_trusted(client: TestClient) -> None:
    earn_trust(client, 5, author={"name": "Ada"})
    assert post_to_trusted(client, author={"name": "Ada"})["state"] == "held"


def test_the_site_says_how_many_approved_comments_it_takes(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"trusted_after": 1})
    earn_trust(client, 1)
    assert post_to_trusted(client)["state"] == "approved"


def test_a_rejection_takes_the_trust_away_for_ninety_days(
    client: TestClient, process: Process
) -> None:
    earn_trust(client, 6)
    reject(client, "earned-0")
    assert post_to_trusted(client, "c-1")["state"] == "held"

    def age(by: timedelta) -> None:
        when = utc_now() - by
        rejection = sa.update(Decision).where(Decision.now == State.REJECTED)
        process.database.write(lambda s: s.execute(rejection.values(at=when)))

    age(REJECTION_COUNTS_FOR - timedelta(minutes=5))
    assert post_to_trusted(client, "c-2")["state"] == "held"
    age(REJECTION_COUNTS_FOR + timedelta(minutes=5))
    assert post_to_trusted(client, "c-3")["state"] == "approved"


def test_a_rejection_that_was_overruled_is_none(client: TestClient) -> None:
    earn_trust(client, 6)
    reject(client, "earned-0")
    overruled = {"action": "approve", "revision": 1, "seen": "rejected"}
    assert client.post("/api/v1/comments/earned-0/decisions", json=overruled).status_code == 201
    assert post_to_trusted(client)["state"] == "approved"


def test_an_edit_does_not_wash_a_rejection_off(client: TestClient) -> None:
    earn_trust(client, 6)
    reject(client, "earned-0")
    edited = {"article_id": "a-1", "author": KNOWN, "body": GOOD + " Really."}
    reply = client.put("/api/v1/comments/earned-0?wait=5", json=edited)
    assert reply.json()["state"] == "approved"
    assert post_to_trusted(client)["state"] == "held"


def test_a_trusted_author_is_still_judged(client: TestClient) -> None:
    earn_trust(client, 5)
    put_article(client, "a-2", mode="trusted_only")
    got = post_comment(client, "c-1", SPAM, article_id="a-2", author=KNOWN).json()
    assert [r["code"] for r in got["verdict"]["reasons"]] == ["spam"]


def test_a_site_that_observes_holds_and_rejects_nothing_and_says_what_it_would_have_done(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"observe": True, "reject": {"abusive": 0.9}})
    put_article(client, "a-2", mode="hold_all")
    for comment_id, body, article_id, action, code in (
        ("c-1", SPAM, "a-1", "hold", "spam"),
        ("c-2", "You idiot", "a-1", "reject", "abusive"),
        ("c-3", GOOD, "a-2", "hold", "article_mode"),
        ("c-4", "bonjour", "a-1", "hold", "unsupported_language"),
    ):
        got = post_comment(client, comment_id, body, article_id=article_id).json()
        assert got["state"] == "approved"
        assert got["verdict"]["action"] == action
        assert got["verdict"]["reasons"][0]["code"] == code
    assert post_comment(client, "c-5", GOOD).json()["verdict"]["action"] == "approve"
    moved = {
        event["comment_id"]: event["body"]["reason"]
        for event in client.get("/api/v1/feed").json()["items"]
        if event["kind"] == "comment"
    }
    assert moved == {**{f"c-{n}": "observed" for n in range(1, 5)}, "c-5": None}


def test_a_site_that_observes_is_not_moved_by_readers_or_by_models_that_are_down(
    client: TestClient, process: Process, house: House, scorer: KeywordScorer
) -> None:
    set_policy(process, house, {"observe": True, "flags_to_hold": 1})
    post_comment(client, "c-1", GOOD)
    reply = client.post("/api/v1/comments/c-1/flags", json={"reporter": "r-1"})
    assert (reply.json()["flags"], reply.json()["state"]) == (1, "approved")
    scorer.trouble = "gone"
    got = post_comment(client, "c-2", GOOD).json()
    assert (got["state"], got["verdict"]["action"]) == ("approved", "hold")
    assert got["verdict"]["reasons"][0]["code"] == "model_unavailable"


def test_people_decide_on_a_site_that_observes_as_ever(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"observe": True})
    post_comment(client, "c-1", SPAM)
    reject(client, "c-1")
    assert client.get("/api/v1/comments/c-1").json()["state"] == "rejected"
