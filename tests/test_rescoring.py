"""Rescoring reads again what other weights judged, goes on where it stopped, and overrules nobody."""

from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service import worker
from service.moderation import backlog, judging, rescoring
from service.moderation.rescoring import Wanted
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import Comment, Decision, Event, EventKind, Score, State
from tests.conftest import House, post_comment

NEW = "keywords-2"


@pytest.fixture(autouse=True)
def judged_before(client: TestClient, article: dict[str, Any], process: Process) -> None:
    """Four comments: one a person approved, one held, two approved; all judged by the weights before."""
    post_comment(client, "c-1", "You idiot.")
    decision = {"action": "approve", "revision": 1}
    assert client.post("/api/v1/comments/c-1/decisions", json=decision).is_success
    post_comment(client, "c-2", "Buy at my casino.")
    post_comment(client, "c-3", "I cross there because it is near.")
    post_comment(client, "c-4", "Fine by me.")


def take(process: Process, wanted: Wanted, *, model: str = NEW, limit: int = 16) -> list[int]:
    return process.database.write(
        lambda s: rescoring.take(
            s, wanted, model=model, after=0, owner=process.owner, now=utc_now(), limit=limit
        )
    )


def left(database: Database, *, model: str = NEW) -> int:
    return database.read(lambda s: rescoring.count(s, Wanted(), model=model))


def judged_by(process: Process, ids: list[int], monkeypatch: pytest.MonkeyPatch) -> int:
    tasks = process.database.read(lambda s: judging.list_tasks(s, ids))
    monkeypatch.setattr("tests.keyword_scorer.MODEL", NEW)
    return worker.judge_again(process, tasks)


def test_what_this_version_judged_is_off_the_list_and_the_rest_stays_on_it(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = process.database
    assert left(database, model="keywords-1") == 0
    assert left(database) == 4
    first = take(process, Wanted(), limit=2)
    assert judged_by(process, first, monkeypatch) == 2
    assert left(database) == 2
    rest = take(process, Wanted())
    assert not set(rest) & set(first)
    # Another who rescores at the same time leaves them alone.
    assert take(process, Wanted()) == []
    assert judged_by(process, rest, monkeypatch) == 2
    assert left(database) == 0
    with database.reading() as session:
        assert session.scalars(sa.select(Comment.lease_owner)).all() == [None] * 4


def test_nobodys_decision_is_moved_and_a_difference_is_told(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record() -> tuple[dict[str, State], int, int]:
        with process.database.reading() as session:
            rows = session.execute(sa.select(Comment.public_id, Comment.state))
            states = {public_id: state for public_id, state in rows}
            decisions = session.scalar(sa.select(sa.func.count(Decision.id)))
            flags = sa.select(sa.func.count(Event.id)).where(Event.kind == EventKind.FLAG)
            return states, decisions or 0, session.scalar(flags) or 0

    states, decisions, flags = record()
    assert states["c-1"] is State.APPROVED
    assert judged_by(process, take(process, Wanted()), monkeypatch) == 4
    assert record() == (states, decisions, flags + 1)
    with process.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Score.model == NEW)) == 4


def test_a_comment_that_the_models_do_not_answer_keeps_its_verdict(
    client: TestClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_comment(client, "c-5", "This one is garbled.")
    before = client.get("/api/v1/comments/c-5").json()
    ids = take(process, Wanted(since=None))
    assert judged_by(process, ids, monkeypatch) == 4
    assert client.get("/api/v1/comments/c-5").json() == before


def test_it_may_be_limited_to_a_site_an_article_and_a_time(
    client: TestClient, process: Process, house: House
) -> None:
    database = process.database

    def count(wanted: Wanted) -> int:
        return database.read(lambda s: rescoring.count(s, wanted, model=NEW))

    with database.reading() as session:
        article_id = session.scalars(sa.select(Comment.article_id)).first()
    assert count(Wanted(site_id=house.site_id, article_id=article_id)) == 4
    assert count(Wanted(site_id=house.site_id + 1)) == 0
    assert count(Wanted(article_id=(article_id or 0) + 1)) == 0
    assert count(Wanted(since=utc_now())) == 0


def test_comments_that_just_came_in_go_first(
    client: TestClient, process: Process, scorer: Any
) -> None:
    def is_live() -> bool:
        return process.database.read(lambda s: backlog.is_live(s, now=utc_now()))

    assert not is_live()
    scorer.held_back = []
    assert post_comment(client, "c-6", "On its way.", wait=0).status_code == 202
    assert is_live()
    scorer.release()
