"""Promises of the storage room."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.storage.db import open_database


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
