"""An archive holds one moment of a database, whole, and either database takes its rows."""

import json
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.errors import Conflict, Invalid
from service.moderation import keys, sites
from service.storage import archives, migrations
from service.storage.archives import Kind, Manifest
from service.storage.db import Database, open_database
from service.storage.tables import Scope
from tests.conftest import NOW, database_url_of, on_server, post_comment

Empty = Callable[[str], Database]


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """A migrated database without rows, of the kind that is asked for."""
    opened: list[Database] = []
    names: list[str] = []

    def make(kind: str) -> Database:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / 'other.db'}"
        else:
            server = request.getfixturevalue("postgresql_server")
            names.append(f"postbag_empty_{os.getpid()}_{os.urandom(3).hex()}")
            on_server(server, f'CREATE DATABASE "{names[-1]}"')
            url = database_url_of(server, names[-1])
        migrations.upgrade(url)
        opened.append(open_database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.dispose()
    for name in names:
        on_server(request.getfixturevalue("postgresql_server"), f'DROP DATABASE "{name}"')


def taken(database: Database, file: Path, kind: Kind) -> Manifest:
    return archives.write(database, file, kind=kind, version="1", secret="s", now=NOW)


def everything(database: Database) -> dict[str, list[str]]:
    """Each table's rows, as text that does not depend on the database."""
    found = sa.MetaData()
    with database.engine.connect() as connection:
        found.reflect(connection)
        return {
            table.name: sorted(line.decode() for line in archives._lines(connection, table))
            for table in archives._ours(found)
        }


def some_life(client: TestClient, article: dict[str, Any]) -> None:
    """Comments in several states, one of which was answered before it arrived."""
    assert post_comment(client, "c-2", "I answer, because I know.", parent_id="c-1").is_success
    assert post_comment(client, "c-1", "Words with \u2028 and 🦊, “quoted”.").is_success
    assert post_comment(client, "c-3", "You idiot.").json()["state"] == "held"
    decision = {"action": "reject", "revision": 1, "reason": "abusive", "note": "plain"}
    assert client.post("/api/v1/comments/c-3/decisions", json=decision).is_success


def a_sandbox_and_a_rotated_key(session: Session) -> None:
    """Rows that point at rows of their own table."""
    site, scopes = sites.get(session, "post"), frozenset({Scope.INGEST})
    keys.create(session, site, name="ci", scopes=scopes, test=True, now=NOW)
    old = keys.issue(session, site, name="cms", scopes=scopes, expires_at=None, now=NOW)
    keys.rotate(session, old.key, overlap=keys.OVERLAP, now=NOW)


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_rows_come_back_as_they_were_in_either_database(
    client: TestClient,
    article: dict[str, Any],
    database: Database,
    empty: Empty,
    tmp_path: Path,
    into: str,
) -> None:
    some_life(client, article)
    database.write(a_sandbox_and_a_rotated_key)
    manifest = taken(database, tmp_path / "b.zip", Kind.ROWS)
    assert archives.read_manifest(tmp_path / "b.zip") == manifest
    other = empty(into)
    archives.load_rows(tmp_path / "b.zip", manifest, other)
    assert everything(other) == everything(database)
    assert archives.count_rows(other) == manifest.counts
    assert manifest.counts["comments"] == 3
    # New rows follow the old ones.
    site = other.read(lambda s: sites.get(s, "post"))
    scopes = frozenset({Scope.INGEST})
    other.write(lambda s: keys.create(s, site, name="later", scopes=scopes, now=NOW))


def test_a_copy_is_the_embedded_database_itself(sqlite_template: Any, tmp_path: Path) -> None:
    source = tmp_path / "postbag.db"
    shutil.copy(sqlite_template.url.removeprefix("sqlite:///"), source)
    database = open_database(f"sqlite:///{source}")
    taken(database, tmp_path / "b.zip", Kind.COPY)
    archives.take_copy(tmp_path / "b.zip", tmp_path / "again.db")
    again = open_database(f"sqlite:///{tmp_path / 'again.db'}")
    assert everything(again) == everything(database)
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "again.db").stat().st_mode) == 0o600
    again.dispose()
    database.dispose()
    leftovers = {p.name for p in tmp_path.iterdir()} - {"postbag.db", "b.zip", "again.db"}
    assert not leftovers


def test_what_is_written_meanwhile_is_wholly_in_a_backup_or_not_at_all(
    database: Database, tmp_path: Path
) -> None:
    """A site and its policy are written together; a backup that tore them apart would count differently."""
    embedded = database.engine.dialect.name == "sqlite"
    kinds = [Kind.ROWS, Kind.COPY, Kind.COPY, Kind.ROWS] if embedded else [Kind.ROWS] * 4
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            database.write(partial(sites.create, slug=f"s-{number}", name="S", now=NOW))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [
            taken(database, tmp_path / f"{number}.zip", kind).counts
            for number, kind in enumerate(kinds)
        ]
    finally:
        stop.set()
        writer.join()
    assert counts[0]["sites"] < counts[-1]["sites"]
    assert all(count["sites"] == count["policies"] for count in counts)


def test_a_damaged_or_foreign_file_is_refused_before_anything_is_done(
    database: Database, tmp_path: Path
) -> None:
    good = tmp_path / "b.zip"
    manifest = taken(database, good, Kind.ROWS)
    with pytest.raises(Conflict, match="there already"):
        taken(database, good, Kind.ROWS)

    def altered(name: str, change: Callable[[str, bytes], bytes | None]) -> Path:
        file = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(file, "w") as target:
            for each in source.namelist():
                content = change(each, source.read(each))
                if content is not None:
                    target.writestr(each, content)
        return file

    def with_one_row_more(name: str, content: bytes) -> bytes:
        return content + content.splitlines()[-1] + b"\n" if name == "sites.jsonl" else content

    def of_the_future(name: str, content: bytes) -> bytes:
        if name != archives.MANIFEST:
            return content
        return json.dumps(json.loads(content) | {"format": 2}).encode()

    for file, words in (
        (altered("rows", with_one_row_more), "sites.jsonl is not what was written"),
        (altered("less", lambda n, c: None if n == "sites.jsonl" else c), "not whole"),
        (altered("none", lambda n, c: None if n == archives.MANIFEST else c), "no backup"),
        (altered("newer", of_the_future), "newer"),
    ):
        with pytest.raises(Invalid, match=words):
            archives.read_manifest(file)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(good.read_bytes()[:-200])
    with pytest.raises(Invalid, match="damaged"):
        archives.read_manifest(cut)
    assert archives.read_manifest(good) == manifest
