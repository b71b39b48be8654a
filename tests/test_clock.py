"""A clock that jumps an hour, forth or back: nothing waits for it, and nobody is signed out by it."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from service import worker
from service.errors import TooManyRequests
from service.moderation import articles, comments, judging, reading, review, throttle
from service.moderation.actor import Actor
from service.moderation.articles import NewArticle
from service.moderation.comments import NewAuthor, NewComment
from service.moderation.judging import Task
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import Decision, State
from tests.conftest import ARTICLE_TEXT, PASSWORD, House, post_comment
from tests.keyword_scorer import answer

HOUR = timedelta(hours=1)
Turn = Callable[[timedelta], None]


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Sets the clock of the whole service."""

    def by(jump: timedelta) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("service.") and hasattr(module, "utc_now"):
                monkeypatch.setattr(module, "utc_now", lambda: datetime.now(UTC) + jump)

    return by


def left_behind(process: Process, house: House, body: str = "A fair point") -> Task:
    """A comment that some process received, leased, and did not judge."""
    new = NewArticle(
        id="a-1", url="https://p.example/a-1", title="Street", body=ARTICLE_TEXT, text=ARTICLE_TEXT
    )
    process.database.write(lambda s: articles.put(s, house.site_id, new, now=utc_now()))
    comment = NewComment(id="c-1", article_id="a-1", author=NewAuthor(name="Ada"), body=body)
    receipt = process.database.write(
        lambda s: comments.submit(s, house.site_id, comment, owner="another", now=utc_now())
    )
    task = process.database.read(lambda s: judging.find_task(s, receipt.comment_id))
    assert task is not None
    return task


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_what_was_left_behind_is_judged_whichever_way_the_clock_jumps(
    process: Process, house: House, turn: Turn, jump: timedelta
) -> None:
    left_behind(process, house)
    assert not worker._take(process), "it is leased"
    turn(jump)
    assert worker.work_once(process)
    view = process.database.read(lambda s: reading.get(s, house.site_id, "c-1"))
    assert view.state is State.APPROVED


def test_a_lease_that_a_jump_ends_early_makes_no_second_decision(
    process: Process, house: House, turn: Turn
) -> None:
    task = left_behind(process, house, "Win at the casino")
    turn(HOUR)
    assert worker.work_once(process)
    late = utc_now()
    process.database.write(lambda s: judging.judge(s, task, answer(task.question), now=late))
    assert process.database.read(lambda s: s.scalar(select(func.count(Decision.id)))) == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_claim_does_not_outlast_a_jump(
    process: Process, house: House, turn: Turn, jump: timedelta
) -> None:
    task = left_behind(process, house, "Win at the casino")
    process.database.write(lambda s: judging.judge(s, task, answer(task.question), now=utc_now()))

    def claim(person_id: int, now: datetime) -> int:
        actor = Actor(person_id=person_id)
        return len(
            process.database.write(
                lambda s: review.claim(s, house.site_id, actor=actor, number=5, now=now)
            )
        )

    now = utc_now()
    assert (claim(1, now), claim(2, now)) == (1, 0)
    assert (claim(2, now + jump), claim(1, now + jump)) == (1, 0)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_nobody_is_signed_out_by_a_jump(
    client: TestClient, house: House, turn: Turn, jump: timedelta
) -> None:
    sign_in(client, house)
    turn(jump)
    assert client.get("/desk/post/review").status_code == 200


def test_a_session_that_is_over_leads_to_the_sign_in_and_does_nothing(
    client: TestClient, house: House, turn: Turn, article: object
) -> None:
    post_comment(client, "c-1", "Win at the casino")
    sign_in(client, house)
    turn(timedelta(hours=13))
    form = {"action": "approve", "revision": "1"}
    reply = client.post("/desk/post/review/c-1/decide", data=form, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/login")
    shown = client.get("/desk/post/review", follow_redirects=False)
    assert shown.headers["location"] == "/login?next=/desk/post/review"
    assert client.get("/api/v1/comments/c-1").json()["state"] == "held"


def sign_in(client: TestClient, house: House) -> None:
    client.headers["Sec-Fetch-Site"] = "same-origin"
    form = {"email": house.moderator, "password": PASSWORD}
    assert client.post("/login", data=form, follow_redirects=False).status_code == 303


def test_wrong_passwords_of_a_later_clock_lock_nobody_out_for_the_difference(
    database: Database,
) -> None:
    now = utc_now()

    def attempt(at: datetime) -> None:
        tried = throttle.attempt("mo@post.example", address="::1", browser=None, secret="s", now=at)
        database.write(lambda s: throttle.take(s, tried))

    for _ in range(throttle.ACCOUNT.free):
        attempt(now)
    with pytest.raises(TooManyRequests):
        attempt(now)
    # Other hosts' clocks may be a little ahead; the wait is no longer than it was.
    with pytest.raises(TooManyRequests) as refused:
        attempt(now - timedelta(minutes=4))
    assert int(refused.value.headers["Retry-After"]) <= throttle.FIRST_WAIT.total_seconds() + 1
    attempt(now - HOUR)
