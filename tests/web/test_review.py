"""The moderator's page: what waits and why, decided, undone, and never by two at once."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.moderation import comments, decisions
from service.storage.db import Database
from tests.conftest import House, post_comment
from tests.web.conftest import Browse

pytestmark = pytest.mark.usefixtures("article")

SPAM, ABUSE = "Win at the casino today", "You idiot, the street is fine"


def decide(browser: TestClient, comment_id: str, **form: str) -> str:
    reply = browser.post(
        f"/desk/post/review/{comment_id}/decide", data={"revision": "1", "note": "", **form}
    )
    assert reply.status_code == 303
    return reply.headers["location"]


def state(client: TestClient, comment_id: str) -> str:
    return str(client.get(f"/api/v1/comments/{comment_id}").json()["state"])


def test_the_queue_shows_words_reasons_scores_and_the_evidence(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", SPAM)
    page = moderator.get("/desk/post/review").text
    assert "1 comment waits" in page
    assert '<mark class="evidence">casino</mark>' in page
    assert "It reads like advertising or fraud." in page
    assert "97% sure; held from 80%" in page
    assert "High street closes to cars" in page


def test_the_most_harmful_comes_first(client: TestClient, moderator: TestClient) -> None:
    post_comment(client, "c-1", SPAM)
    post_comment(client, "c-2", ABUSE)
    page = moderator.get("/desk/post/review").text
    assert page.index("idiot") < page.index("casino")


def test_an_approval_and_a_rejection_are_done_and_said(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", SPAM)
    post_comment(client, "c-2", ABUSE)
    moderator.get("/desk/post/review")
    assert decide(moderator, "c-1", action="approve").endswith("?said=approve")
    assert decide(moderator, "c-2", action="reject", reason="abusive").endswith("?said=reject")
    assert (state(client, "c-1"), state(client, "c-2")) == ("approved", "rejected")
    page = moderator.get("/desk/post/review?said=reject").text
    assert "Rejected." in page
    assert "Nothing waits" in page


def test_a_rejection_needs_a_reason_that_people_give(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", SPAM)
    for form in ({"action": "reject"}, {"action": "reject", "reason": "model_unavailable"}, {}):
        assert decide(moderator, "c-1", **form).endswith("?said=missing")
    assert state(client, "c-1") == "held"


def test_the_note_belongs_to_the_rejection(client: TestClient, moderator: TestClient) -> None:
    """Enter in a field presses its form's first button: it must not be the one that approves."""
    post_comment(client, "c-1", SPAM)
    page = moderator.get("/desk/post/review").text
    [form] = [f for f in re.findall(r"<form.*?</form>", page, re.DOTALL) if 'name="note"' in f]
    assert re.findall(r'name="action" value="(\w+)"', form) == ["reject"]


def test_a_score_is_the_same_number_in_its_bar_and_in_its_reason(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", "What weather today")
    page = moderator.get("/desk/post/review").text
    [sure] = re.findall(r"(\d+%) sure; held from", page)
    bar = r'<li class="over">\s*<span class="name">Off topic</span>.*?<span class="value">(.*?)</span>'
    assert re.findall(bar, page, re.DOTALL) == [sure]


def test_a_long_comment_scrolls_in_reach_of_the_keyboard_and_a_short_one_does_not(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", SPAM)
    assert 'class="text body" dir="auto"' in moderator.get("/desk/post/review").text
    post_comment(client, "c-2", f"{SPAM}. " * 100)
    assert 'class="text body long" tabindex="0"' in moderator.get("/desk/post/review").text


def test_a_decision_is_undone_once(client: TestClient, moderator: TestClient) -> None:
    post_comment(client, "c-1", SPAM)
    decide(moderator, "c-1", action="reject", reason="spam")
    page = moderator.get("/desk/post/review").text
    found = re.search(r'name="decision" value="(\d+)"', page)
    assert found
    undo = {"decision": found[1]}
    path = "/desk/post/review/c-1/undo"
    assert moderator.post(path, data=undo).headers["location"].endswith("?said=undone")
    assert state(client, "c-1") == "held"
    assert moderator.post(path, data=undo).headers["location"].endswith("?said=stale")


def test_a_decision_of_somebody_elses_is_not_undone(
    client: TestClient, moderator: TestClient, browse: Browse, house: House, database: Database
) -> None:
    post_comment(client, "c-1", SPAM)
    post_comment(client, "c-2", "I shop there every week.")
    decide(moderator, "c-1", action="reject", reason="spam")
    order = {"action": "reject", "revision": 1, "reason": "legal", "reference": "324 O 7/26"}
    assert client.post("/api/v1/comments/c-2/decisions", json=order).status_code == 201
    other = browse(house.second_moderator)
    for comment_id in ("c-1", "c-2"):
        with database.reading() as session:
            comment = comments.get(session, house.site_id, comment_id)
            latest = decisions.latest(session, comment.id)
        assert latest is not None
        path = f"/desk/post/review/{comment_id}/undo"
        undone = other.post(path, data={"decision": str(latest.id)})
        assert undone.headers["location"].endswith("?said=stale")
        assert state(client, comment_id) == "rejected"


def test_two_moderators_never_see_the_same_comment(
    client: TestClient, browse: Browse, house: House
) -> None:
    for number in range(8):
        post_comment(client, f"c-{number}", f"{SPAM} number {number}.")
    one, two = browse(house.moderator), browse(house.second_moderator)
    seen = [
        set(re.findall(r"today number (\d)\.", who.get("/desk/post/review").text))
        for who in (one, two)
    ]
    assert [len(numbers) for numbers in seen] == [5, 3]
    assert not seen[0] & seen[1]
    taken = f"c-{seen[0].pop()}"
    assert decide(two, taken, action="approve").endswith("?said=claimed")
    assert state(client, taken) == "held"


def test_what_one_was_shown_is_shown_again(client: TestClient, moderator: TestClient) -> None:
    for number in range(5):
        post_comment(client, f"c-{number}", f"{SPAM} number {number}.")
    moderator.get("/desk/post/review")
    post_comment(client, "worse", ABUSE)
    assert "idiot" not in moderator.get("/desk/post/review").text
    decide(moderator, "c-0", action="approve")
    assert "idiot" in moderator.get("/desk/post/review").text


def test_a_comment_that_was_edited_meanwhile_is_not_decided(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", SPAM)
    edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Another casino"}
    client.put("/api/v1/comments/c-1?wait=5", json=edited)
    assert decide(moderator, "c-1", action="approve").endswith("?said=stale")
    assert state(client, "c-1") == "held"


def test_a_second_decision_loses_and_says_so(client: TestClient, moderator: TestClient) -> None:
    post_comment(client, "c-1", SPAM)
    client.post("/api/v1/comments/c-1/decisions", json={"action": "approve", "revision": 1})
    assert decide(moderator, "c-1", action="reject", reason="spam").endswith("?said=stale")
    assert state(client, "c-1") == "approved"


def test_a_reply_is_shown_under_what_it_answers(client: TestClient, moderator: TestClient) -> None:
    post_comment(client, "c-1", "Fine by me.")
    post_comment(client, "c-2", ABUSE, parent_id="c-1")
    page = moderator.get("/desk/post/review").text
    assert "Fine by me." in page


def test_what_the_models_did_not_judge_is_said(
    client: TestClient, moderator: TestClient, scorer: object
) -> None:
    scorer.trouble = "no weights"  # type: ignore[attr-defined] # tests' own scorer
    reply = post_comment(client, "c-1", "Anything at all", wait=5)
    assert reply.status_code in {201, 202}
    page = moderator.get("/desk/post/review").text
    assert "The models could not judge it." in page


@pytest.mark.parametrize("where", ["body", "name", "url", "title"])
def test_markup_is_inert_wherever_it_stands(
    client: TestClient, moderator: TestClient, where: str
) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(1)</script>\"'"
    author = {"name": attack if where == "name" else "Ada"}
    if where == "url":
        author["url"] = f"javascript:alert(1){attack}"
    body = f"{attack} casino" if where == "body" else SPAM
    if where == "title":
        article = {"url": "https://post.example/a-1", "title": attack, "body": "Some words."}
        client.put("/api/v1/articles/a-1", json=article)
    post_comment(client, "c-1", body, author=author)
    page = moderator.get("/desk/post/review").text
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
    assert "<script>" not in page
    assert 'href="javascript' not in page


@pytest.mark.parametrize("comment_id", ["no-such", "of-the-neighbour"])
def test_what_is_not_of_this_site_is_not_there(
    client: TestClient, moderator: TestClient, house: House, comment_id: str
) -> None:
    theirs: dict[str, Any] = {
        "id": "of-the-neighbour",
        "author": {"name": "Eve"},
        "body": SPAM,
        "article_id": "n",
    }
    theirs["article"] = {"url": "https://other.example/n", "title": "N", "body": "Words."}
    reply = client.post("/api/v1/comments?wait=5", json=theirs, headers=house.neighbour_auth)
    assert reply.status_code == 201, reply.text
    assert "casino" not in moderator.get("/desk/post/review").text
    assert decide(moderator, comment_id, action="approve").endswith("?said=not_found")


def test_unfit_text_in_a_form_is_refused(client: TestClient, moderator: TestClient) -> None:
    post_comment(client, "c-1", SPAM)
    form = {"revision": "1", "action": "approve", "note": "a\x00b"}
    assert moderator.post("/desk/post/review/c-1/decide", data=form).status_code == 422
    assert state(client, "c-1") == "held"


def test_a_moderator_sees_that_readers_reported_a_comment(
    client: TestClient, moderator: TestClient
) -> None:
    post_comment(client, "c-1", "Fine by me.")
    for reader in ("r-1", "r-2", "r-3"):
        client.post("/api/v1/comments/c-1/flags", json={"reporter": reader})
    page = moderator.get("/desk/post/review").text
    assert "Readers reported it." in page
    assert "3 readers." in page
    assert page.count("<strong>Flagged</strong>") == 1
