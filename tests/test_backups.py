"""A backup comes back whole, without what was erased since; a migration takes one first."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service import backups, erasure_list, worker
from service.erasure_list import ErasureList
from service.errors import Conflict, Invalid, MisconfiguredError
from service.moderation import erasures
from service.moderation.actor import MACHINE
from service.process import Process
from service.settings import Settings
from service.storage import archives, copies, db, migrations
from service.storage.archives import Kind
from service.storage.db import Database, open_database
from service.storage.tables import Comment
from tests.conftest import NOW, database_url_of, on_server, post_comment
from tests.running import free_port, wait_until_ready

ROOT = Path(__file__).parents[1]
WORDS = "I shop there every week because the bus stops at the door."
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`postbag …` in a folder of its own; what it printed and how it ended."""

    def one(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "COLUMNS": "200",
                "POSTBAG_DATA_DIR": str(tmp_path / "data"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    return one


def erase(session: Session, public_id: str) -> int:
    row_id = session.scalars(sa.select(Comment.id).where(Comment.public_id == public_id)).one()
    return erasures.erase(session, [row_id], actor=MACHINE, because="erased", now=NOW)


def state_of(database: Database, public_id: str) -> str:
    with database.reading() as session:
        return session.scalars(sa.select(Comment.state).where(Comment.public_id == public_id)).one()


@pytest.mark.parametrize("portable", [False, True])
def test_who_was_erased_after_a_backup_is_erased_after_its_restore(
    client: TestClient,
    article: dict[str, Any],
    process: Process,
    settings: Settings,
    tmp_path: Path,
    portable: bool,
) -> None:
    database = process.database
    post_comment(client, "c-1", WORDS)
    post_comment(client, "c-2", "Mine stays, because I said so.")
    file, _ = backups.take(settings, database, tmp_path / "b.zip", portable=portable, now=NOW)
    database.write(lambda s: erase(s, "c-1"))
    worker.note_erasures(process)
    post_comment(client, "c-3", "Written after the backup.")
    with pytest.raises(Conflict, match="stop Postbag first"):
        backups.must_be_idle(settings)
    database.dispose()
    backups.must_be_idle(settings)
    manifest = archives.read_manifest(file)
    backups.must_fit(settings, manifest)
    erased = erasure_list.read(settings.data_dir / erasure_list.NAME)
    assert "bus stops" not in json.dumps(erased)
    restored = backups.restore(settings, file, manifest, erased, reapply=erasures.reapply)
    assert restored.erased == 1
    assert (state_of(database, "c-1"), state_of(database, "c-2")) == ("erased", "approved")
    with pytest.raises(sa.exc.NoResultFound):
        state_of(database, "c-3")
    if (embedded := db.find_file(settings.database_url)) is not None:
        assert b"bus stops" not in embedded.read_bytes()
    # It serves as before: the next comment finds its place.
    assert post_comment(client, "c-4", "Another thing.").status_code == 201


@pytest.mark.parametrize("portable", [False, True])
def test_a_restore_that_fails_leaves_what_was_there(
    client: TestClient,
    article: dict[str, Any],
    process: Process,
    settings: Settings,
    tmp_path: Path,
    portable: bool,
) -> None:
    post_comment(client, "c-1", WORDS)
    file, manifest = backups.take(
        settings, process.database, tmp_path / "b.zip", portable=portable, now=NOW
    )
    post_comment(client, "c-2", "Written after the backup.")
    process.database.dispose()
    one_row_more = {**manifest.counts, "comments": manifest.counts["comments"] + 1}
    broken = manifest.model_copy(update={"counts": one_row_more})
    for _ in range(2):
        with pytest.raises(Invalid, match="has not the rows"):
            backups.restore(settings, file, broken, [], reapply=erasures.reapply)
        assert state_of(process.database, "c-2") == "approved"
        assert migrations.is_current(process.database)
    assert post_comment(client, "c-3", "Another thing.").status_code == 201
    process.database.dispose()
    backups.restore(settings, file, manifest, [], reapply=erasures.reapply)
    with pytest.raises(sa.exc.NoResultFound):
        state_of(process.database, "c-2")


def test_a_restore_that_was_cut_off_is_undone_by_the_next(
    client: TestClient,
    article: dict[str, Any],
    process: Process,
    settings: Settings,
    tmp_path: Path,
) -> None:
    if db.find_file(settings.database_url) is not None:
        return  # an embedded database is made ready beside the old one
    post_comment(client, "c-1", WORDS)
    with process.database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE anothers (id int)")
    process.database.dispose()
    cut_off = copies.set_aside(process.database)
    cut_off.__enter__()
    migrations.upgrade(settings.database_url)
    with pytest.raises(OSError, match="disk"), copies.set_aside(process.database):
        raise OSError("the disk is full")
    assert state_of(process.database, "c-1") == "approved"
    with process.database.engine.connect() as connection:
        assert "postbag_set_aside" not in sa.inspect(connection).get_schema_names()
        assert sa.inspect(connection).has_table("anothers")


def test_the_list_of_erasures_grows_by_what_is_new_and_survives_a_cut(tmp_path: Path) -> None:
    file = tmp_path / "not there yet" / "erasures.jsonl"
    rows = [{"site": "post", "comment_id": f"c-{n}", "at": NOW.isoformat()} for n in range(3)]
    assert ErasureList(file).add(rows[:2]) == 2
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open("a") as cut:
        cut.write('{"site": "po')
    again = ErasureList(file)
    assert again.add(rows) == 1
    assert again.add(rows) == 0
    assert again.since is not None
    assert again.since < NOW
    assert [row["comment_id"] for row in erasure_list.read(file)] == ["c-0", "c-1", "c-2"]
    file.write_text("nonsense\n")
    with pytest.raises(MisconfiguredError, match="line 1"):
        ErasureList(file)


def test_workers_that_share_the_list_neither_repeat_nor_cut_what_another_writes(
    tmp_path: Path,
) -> None:
    file = tmp_path / "erasures.jsonl"
    rows = [{"site": "post", "comment_id": f"c-{n}", "at": NOW.isoformat()} for n in range(200)]
    lists = [ErasureList(file) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        adding = [pool.submit(lists[n % 4].add, rows[: n + 1]) for n in range(200)]
        added = sum(each.result() for each in adding)
    assert added == len(rows)
    listed = [str(row["comment_id"]) for row in erasure_list.read(file)]
    assert sorted(listed) == sorted(f"c-{n}" for n in range(200))


def test_a_database_that_was_put_back_by_other_means_is_erased_when_a_worker_starts(
    client: TestClient, article: dict[str, Any], process: Process
) -> None:
    post_comment(client, "c-1", WORDS)
    listed = {"site": "post", "comment_id": "c-1", "reporter": None, "at": NOW.isoformat()}
    process.erasures.add([listed])
    stop = threading.Event()
    stop.set()
    worker.run(process, stop)
    assert state_of(process.database, "c-1") == "erased"


def test_what_a_database_has_recorded_is_not_erased_again() -> None:
    """A reader who was forgotten, and who reported something since, is not forgotten a second time."""
    earlier, later = NOW.isoformat(), (NOW + timedelta(days=1)).isoformat()
    first = {"site": "post", "comment_id": None, "reporter": "hash", "at": earlier}
    again, other = {**first, "at": later}, {**first, "site": "other"}
    assert erasure_list.beyond([first, again], [again]) == []
    assert erasure_list.beyond([first, again], [first]) == [again]
    assert erasure_list.beyond([first, other], [again]) == [other]


def test_a_worker_without_a_folder_for_the_list_judges_on(process: Process, tmp_path: Path) -> None:
    process.database.write(lambda s: erasures.reapply(s, [ROW]))
    process.erasures._file = tmp_path / "none" / "erasures.jsonl"
    worker.note_erasures(process)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(process, stop))
    thread.start()
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


ROW = {"site": "post", "comment_id": "c-9", "reporter": None, "at": NOW.isoformat()}


def test_a_running_service_is_not_restored_over(run: Run, tmp_path: Path) -> None:
    assert run("migrate").returncode == 0
    run("site", "add", "post", "--name", "The Post")
    assert run("backup", str(tmp_path / "b.zip")).returncode == 0
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "POSTBAG_DATA_DIR": str(tmp_path / "data"),
            "POSTBAG_PORT": str(port),
            "POSTBAG_WORKER": "separate",
            "POSTBAG_DRAIN": "0",
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}")
        examined = run("doctor", POSTBAG_PORT=str(port)).stdout
        assert f"ok     127.0.0.1:{port} is free, or Postbag's own" in examined
        while_it_runs = run("backup", str(tmp_path))
        assert while_it_runs.returncode == 0, while_it_runs.stderr
        assert len(list(tmp_path.glob("postbag-*.zip"))) == 1
        refused = run("restore", "--force", str(tmp_path / "b.zip"))
        assert refused.returncode == 1
        assert "is in use: stop Postbag first" in refused.stderr
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    unforced = run("restore", str(tmp_path / "b.zip"))
    assert "--force" in unforced.stderr
    done = run("restore", "--force", str(tmp_path / "b.zip"), POSTBAG_SECRET="another" * 5)
    assert done.returncode == 0, done.stderr
    assert "another secret" in done.stdout
    assert "post" in run("site", "list").stdout


def test_what_lies_where_the_database_should_be_is_replaced_only_by_force(
    run: Run, tmp_path: Path
) -> None:
    run("migrate")
    run("site", "add", "post", "--name", "The Post")
    run("backup", str(tmp_path / "b.zip"))
    file = tmp_path / "data/postbag.db"
    file.write_bytes(b"no database at all" * 1000)
    refused = run("restore", str(tmp_path / "b.zip"))
    assert "--force" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run("restore", "--force", str(tmp_path / "b.zip")).returncode == 0
    file.unlink()
    assert run("restore", str(tmp_path / "b.zip")).returncode == 0
    assert "post" in run("site", "list").stdout


def test_a_migration_backs_up_first_and_says_what_it_runs(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data/postbag.db'}"
    (tmp_path / "data").mkdir()
    migrations.upgrade(url, "0004")
    refused = run("serve", POSTBAG_PORT=str(free_port()))
    assert "run `postbag migrate`" in refused.stderr
    (tmp_path / "data/backups").touch()
    refused = run("migrate")
    assert "nothing was migrated" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / "data/backups").unlink()
    done = run("migrate")
    assert done.returncode == 0, done.stderr
    assert "To be run: 0005 what readers report" in done.stdout
    [kept] = (tmp_path / "data/backups").iterdir()
    assert archives.read_manifest(kept).revision == "0004"
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    again = run("migrate")
    assert "To be run" not in again.stdout
    assert list((tmp_path / "data/backups").iterdir()) == [kept]
    # And back: the older shape is taken in and brought up to date.
    assert run("restore", str(kept)).returncode == 0
    database = open_database(url)
    assert migrations.is_current(database)
    database.dispose()


def test_a_database_of_a_newer_postbag_is_left_alone(run: Run, tmp_path: Path) -> None:
    assert run("migrate").returncode == 0
    file = tmp_path / "data/postbag.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (("migrate",), ("serve",)):
        refused = run(*command, POSTBAG_PORT=str(free_port()))
        assert refused.returncode == 1
        assert "does not know (9999)" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data/backups").exists()
    with sqlite3.connect(tmp_path / "data/strange.db") as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    strange = f"sqlite:///{tmp_path / 'data/strange.db'}"
    assert "does not know (none)" in run("migrate", POSTBAG_DATABASE_URL=strange).stderr


def test_nothing_is_migrated_for_weights_that_are_not_whole(run: Run, tmp_path: Path) -> None:
    refused = run("migrate", POSTBAG_WEIGHTS=str(tmp_path))
    assert refused.returncode == 1
    assert "nothing was migrated" in refused.stderr


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> Iterator[str]:
    name = f"postbag_restore_{os.getpid()}"
    on_server(postgresql_server, f'CREATE DATABASE "{name}"')
    yield database_url_of(postgresql_server, name)
    on_server(postgresql_server, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_an_installation_moves_from_sqlite_to_postgresql(
    run: Run, empty_postgresql: str, tmp_path: Path
) -> None:
    run("migrate")
    run("site", "add", "post", "--name", "The Post")
    run("backup", str(tmp_path / "copy.zip"))
    run("backup", "--portable", str(tmp_path / "rows.zip"))
    there = {"POSTBAG_DATABASE_URL": empty_postgresql}
    refused = run("restore", str(tmp_path / "copy.zip"), **there)
    assert "--portable" in refused.stderr
    done = run("restore", str(tmp_path / "rows.zip"), **there)
    assert done.returncode == 0, done.stderr
    assert "post" in run("site", "list", **there).stdout
    again = run("restore", "--force", str(tmp_path / "rows.zip"), **there)
    assert again.returncode == 0, again.stderr


def test_a_backup_of_a_newer_postbag_is_refused(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    _, manifest = backups.take(settings, database, tmp_path / "b.zip", portable=True, now=NOW)
    assert manifest.kind is Kind.ROWS
    with pytest.raises(Invalid, match="newer than this one"):
        backups.must_fit(settings, manifest.model_copy(update={"revision": "9999"}))
