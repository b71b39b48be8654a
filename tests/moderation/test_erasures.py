"""Erasures: what is erased stays a tombstone, and is erased again in a backup that was restored."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.errors import Invalid
from service.moderation import erasures
from service.moderation.actor import MACHINE
from service.moderation.erasures import ON_REQUEST
from service.process import Process
from service.storage.db import Database
from service.storage.flags import Flag
from service.storage.tables import Author, Comment, CommentRevision, Event, Table
from tests.conftest import NOW, House, post_comment
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

WORDS = "I shop there every week because the bus stops at the door."


def erase(database: Database, *public_ids: str) -> int:
    ids = sa.select(Comment.id).where(Comment.public_id.in_(public_ids))
    return database.write(
        lambda s: erasures.erase(
            s, s.scalars(ids).all(), actor=MACHINE, because=ON_REQUEST, now=NOW
        )
    )


def reapply(database: Database, rows: list[dict[str, object]]) -> int:
    return database.write(lambda s: erasures.reapply(s, json.loads(json.dumps(rows))))


def record(database: Database) -> list[dict[str, object]]:
    return database.read(lambda s: erasures.listed(s, since=None))


def put(client: TestClient, body: str) -> Any:
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": body}
    return client.put("/api/v1/comments/c-1?wait=5", json=edit)


def test_a_tombstone_has_a_place_and_no_words(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS, author={"name": "Ada", "id": "u-1"})
    post_comment(client, "c-2", "I do too because it is near.", parent_id="c-1")
    assert erase(database, "c-1") == 1
    assert erase(database, "c-1") == 0
    found = client.get("/api/v1/comments/c-1").json()
    assert (found["state"], found["body"], found["author"]["name"]) == ("erased", "", "")
    assert (found["scores"], found["verdict"]) == (None, None)
    reply = client.get("/api/v1/comments/c-2").json()
    assert (reply["parent_id"], reply["state"]) == ("c-1", "approved")
    assert database.read(lambda s: s.scalars(sa.select(Author)).all()) == []


def test_an_erased_id_takes_nothing_any_more(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS)
    erase(database, "c-1")
    for reply in (post_comment(client, "c-1", WORDS), put(client, WORDS), put(client, "More.")):
        assert (reply.status_code, reply.json()["code"]) == (410, "erased")
    items = client.post(
        "/api/v1/comments:batch",
        json={
            "comments": [
                {"id": "c-1", "article_id": "a-1", "author": {"name": "A"}, "body": "Hi there"}
            ]
        },
    ).json()["items"]
    assert [item["status"] for item in items] == [410]


def test_no_decision_report_or_undoing_brings_it_back(
    client: TestClient, database: Database
) -> None:
    post_comment(client, "c-1", WORDS)
    decided = {"action": "reject", "reason": "other", "revision": 1}
    client.post("/api/v1/comments/c-1/decisions", json=decided)
    erase(database, "c-1")
    for seen in (None, "rejected", "erased"):
        body = {"action": "approve", "revision": 1, "seen": seen}
        assert client.post("/api/v1/comments/c-1/decisions", json=body).status_code == 409
    flagged = client.post("/api/v1/comments/c-1/flags", json={"reporter": "r-1"})
    assert flagged.status_code == 409
    assert client.delete("/api/v1/comments/c-1").json()["state"] == "erased"


def test_scores_that_come_late_are_not_written(
    client: TestClient, process: Process, scorer: KeywordScorer
) -> None:
    scorer.held_back = []
    assert post_comment(client, "c-1", WORDS, wait=0).status_code == 202
    while not scorer.held_back:
        pass
    erase(process.database, "c-1")
    scorer.release()
    client.get("/api/v1/feed")
    while process.background:
        pass
    counts = {
        table: process.database.read(
            lambda s, t=table: s.scalar(
                sa.select(sa.func.count()).select_from(Table.metadata.tables[t])
            )  # type: ignore[misc]
        )
        for table in ("scores", "verdicts", "likenesses", "likeness_bands")
    }
    assert counts == dict.fromkeys(counts, 0)
    assert client.get("/api/v1/comments/c-1").json()["state"] == "erased"


def test_an_erased_parent_is_no_ground_to_judge_by(
    client: TestClient, database: Database, scorer: KeywordScorer
) -> None:
    post_comment(client, "c-1", WORDS)
    erase(database, "c-1")
    post_comment(client, "c-2", "Me too.", parent_id="c-1")
    assert scorer.asked[-1].parent is None


def test_the_feed_tells_it_by_ids(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS)
    erase(database, "c-1")
    event = client.get("/api/v1/feed").json()["items"][-1]
    assert (event["kind"], event["comment_id"]) == ("comment", "c-1")
    assert event["body"] == {"from": "approved", "to": "erased", "revision": 1, "reason": "erased"}


def test_a_restored_backup_is_brought_up_to_the_record(
    client: TestClient, database: Database, house: House
) -> None:
    """The record is taken from the lost database; the one at hand plays the backup."""
    post_comment(client, "c-1", WORDS, author={"name": "Ada", "id": "u-1"})
    post_comment(client, "c-2", "Me too because I like it.")
    report = {"reporter": "u-1", "note": "He means me"}
    client.post("/api/v1/comments/c-2/flags", json=report)
    [reporter] = database.read(lambda s: s.scalars(sa.select(Flag.reporter)).all())
    at = (NOW + timedelta(days=1)).isoformat()
    rows: list[dict[str, object]] = [
        {"site": house.slug, "comment_id": "c-1", "reporter": None, "at": at},
        {"site": house.slug, "comment_id": "c-9", "reporter": None, "at": at},
        {"site": house.slug, "comment_id": None, "reporter": reporter, "at": at},
        {"site": "gone", "comment_id": "c-2", "reporter": None, "at": at},
        {"site": "other", "comment_id": "c-2", "reporter": None, "at": at},
    ]
    assert reapply(database, rows) == 1
    assert client.get("/api/v1/comments/c-1").json()["state"] == "erased"
    assert client.get("/api/v1/comments/c-2").json()["state"] == "approved"
    assert post_comment(client, "c-9", "It arrived after the backup.").status_code == 410
    [flag] = database.read(lambda s: s.scalars(sa.select(Flag)).all())
    assert (flag.note, flag.reporter == reporter) == (None, False)
    again = record(database)
    assert [row["comment_id"] for row in again] == ["c-1", "c-9", None, "c-2"]
    assert reapply(database, rows) == 0
    assert record(database) == again


def test_the_record_is_listed_from_a_moment_on(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS)
    erase(database, "c-1")
    whole = record(database)
    assert whole == database.read(lambda s: erasures.listed(s, since=NOW))
    assert database.read(lambda s: erasures.listed(s, since=NOW + timedelta(seconds=1))) == []


@pytest.mark.parametrize("row", [{}, {"site": "post", "comment_id": "c-1", "at": "soon"}])
def test_what_is_no_record_is_refused(database: Database, row: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        reapply(database, [row])


def test_ids_of_events_never_come_again(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS)
    last = database.read(lambda s: s.scalar(sa.select(sa.func.max(Event.id)))) or 0
    database.write(lambda s: s.execute(sa.delete(Event)))
    erase(database, "c-1")
    assert (database.read(lambda s: s.scalar(sa.select(sa.func.max(Event.id)))) or 0) > last


def test_every_revision_is_emptied(client: TestClient, database: Database) -> None:
    post_comment(client, "c-1", WORDS)
    put(client, "Other words.")
    erase(database, "c-1")
    rows = database.read(lambda s: s.scalars(sa.select(CommentRevision)).all())
    assert [(row.number, row.body, row.fingerprint) for row in rows] == [(1, "", ""), (2, "", "")]
