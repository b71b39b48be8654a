"""Promises of the storage room."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.storage.db import leave_no_trace, open_database


def test_two_hundred_concurrent_read_then_writes_lose_no_update(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'counter.db'}")
    with database.writing() as session:
        session.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
        session.execute(sa.text("INSERT INTO counter VALUES (0)"))

    def increment(session: Session) -> None:
        seen = session.scalar(sa.text("SELECT n FROM counter"))
        session.execute(sa.text("UPDATE counter SET n = :n"), {"n": seen + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: database.write(increment), range(200)))
    assert database.read(lambda s: s.scalar(sa.text("SELECT n FROM counter"))) == 200
    database.dispose()


def test_sqlite_s_log_is_emptied_unless_somebody_reads_an_older_picture(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    log = tmp_path / "log.db-wal"

    def write(words: str) -> None:
        with database.writing() as session:
            session.execute(sa.text("INSERT INTO words VALUES (:words)"), {"words": words})

    with database.writing() as session:
        session.execute(sa.text("CREATE TABLE words (words TEXT)"))
    with database.reading() as reader:
        reader.execute(sa.text("SELECT * FROM words")).all()
        write("quaxlibert")
        assert not database.empty_log()
        assert b"quaxlibert" in log.read_bytes()
        write("and so on")  # nobody is kept waiting
    assert database.empty_log()
    assert log.read_bytes() == b""
    database.dispose()


def test_who_leaves_no_trace_empties_the_log_by_committing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    with database.writing() as session:
        session.execute(sa.text("CREATE TABLE words (words TEXT)"))
    assert (tmp_path / "log.db-wal").stat().st_size
    with database.writing() as session:
        session.execute(sa.text("INSERT INTO words VALUES ('more')"))
        leave_no_trace(session)
    assert not (tmp_path / "log.db-wal").stat().st_size
    database.dispose()
