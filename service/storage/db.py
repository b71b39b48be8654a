"""Engines, sessions and transactions, on whichever database it is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from service import metrics
from service.errors import MisconfiguredError
from service.storage.outages import AWAY, find_outage, may_be_tried_again

T = TypeVar("T")

# How long a writer waits for SQLite's single write lock before it gives up.
BUSY_TIMEOUT_S = 20
ATTEMPTS = 4
# First half of PostgreSQL's two-number advisory locks, so that ours meet nobody else's.
FEED_LOCK, TURN_LOCK = 706_700, 706_701
POOL_SIZE = 16
# What a session is marked with by `leave_no_trace`, and how long its commit then waits for readers.
LEAVES_NO_TRACE = "leaves_no_trace"
EMPTYING_TAKES_MS = 500
FILLER = "x" * 100_000
ONCE_COMMITTED = "once_committed"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One engine, and the two kinds of transaction that anything here may open."""

    engine: Engine
    # Set while the latest write was refused for want of the database, not of what was written.
    refusing: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that reads: a steady picture of the data."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that writes; on SQLite it holds the write lock from its first moment."""
        engine = self.engine.execution_options(postbag_write=True)
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            if find_outage(error):
                self.refusing.set()
            raise
        self.refusing.clear()
        if LEAVES_NO_TRACE in session.info:
            self.empty_log()
        for act in session.info.get(ONCE_COMMITTED, ()):
            act()

    def write(self, act: Callable[[Session], T]) -> T:
        """Run `act` in one write transaction, again from the start when the database asks for it."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.writing() as session:
                    return act(session)
            except DBAPIError as error:
                if attempt == ATTEMPTS or not may_be_tried_again(error):
                    raise
                metrics.database_retries.inc()
                time.sleep(0.02 * attempt)
        raise AssertionError("unreachable")

    def read(self, act: Callable[[Session], T]) -> T:
        """Run `act` in one read transaction."""
        with self.reading() as session:
            return act(session)

    def empty_log(self) -> bool:
        """Make SQLite forget what was overwritten: its log (the WAL) is written back and cut to nothing.

        False if somebody who reads an older picture kept it from that; there is a next time. On
        PostgreSQL this is for `VACUUM` and the turnover of its own log, and nothing is done.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        # A raw connection: a checkpoint cannot run inside the transaction that others begin with.
        connection = self.engine.raw_connection()
        cursor = connection.cursor()
        try:
            # Writers wait while this waits for readers.
            cursor.execute(f"PRAGMA busy_timeout={EMPTYING_TAKES_MS}")
            [busy, *_] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
            connection.close()
        return not busy

    def is_alive(self) -> bool:
        """Whether the database answers at all."""
        try:
            with self.engine.connect() as connection:
                return connection.scalar(sa.select(1)) == 1
        except DBAPIError:
            return False

    def find_trouble(self) -> str | None:
        """Why the database takes no work now; None where it does, as far as the latest write tells."""
        try:
            if not self.refusing.is_set():
                return None if self.is_alive() else AWAY[1]
            with self.writing() as session:
                # As much as a comment may need is written: room and rights show by nothing less.
                session.execute(sa.text("CREATE TABLE IF NOT EXISTS probe (filler TEXT)"))
                session.execute(sa.text("INSERT INTO probe VALUES (:filler)"), {"filler": FILLER})
                session.execute(sa.text("DROP TABLE probe"))
        except SQLAlchemyError as error:
            outage = find_outage(error)
            return outage.detail if outage else None
        return None

    @property
    def connections_in_use(self) -> int:
        """How many connections of this process somebody holds."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, sa.QueuePool) else 0

    def dispose(self) -> None:
        self.engine.dispose()


def open_database(url: str) -> Database:
    """An engine for `url` (SQLite file or PostgreSQL), set up the way that database wants to be used."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(engine=_sqlite_engine(parsed))
    return Database(engine=_postgresql_engine(parsed))


def migration_engine(url: str) -> Engine:
    """An engine for Alembic: on SQLite foreign keys are off, or a rebuilt parent table empties its children."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed)
    engine = _sqlite_engine(parsed, foreign_keys=False)
    return engine.execution_options(postbag_write=True)


def serialize_feed(session: Session, site_id: int) -> None:
    """Let one transaction at a time append to a site's feed, so that ids are committed in order.

    PostgreSQL hands out ids before commits, and a reader would step over a slower writer's event.
    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            sa.text("SELECT pg_advisory_xact_lock(:room, :site)"),
            {"room": FEED_LOCK, "site": site_id},
        )


def take_turns(session: Session, name: str) -> None:
    """Let one transaction at a time go on under this name, until its end, so that it may act on what it counted.

    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            sa.text("SELECT pg_advisory_xact_lock(:room, hashtext(:name))"),
            {"room": TURN_LOCK, "name": name},
        )


def leave_no_trace(session: Session) -> None:
    """What this transaction overwrites and deletes is to be gone from the file, too, once it is committed."""
    session.info[LEAVES_NO_TRACE] = True


def once_committed(session: Session, act: Callable[[], None]) -> None:
    """Do something when this transaction has been committed, and not when it is run again."""
    session.info.setdefault(ONCE_COMMITTED, []).append(act)


def not_locked(statement: "sa.Select[int]") -> "sa.Select[int]":
    """The ids that a statement with a limit selects, passing over rows another transaction holds.

    PostgreSQL may run a plain subquery again for each row it is compared with, and so take more than the
    limit; a named one that locks is run once. SQLite ignores the lock and has no need of it.
    """
    found = statement.with_for_update(skip_locked=True).cte("not_locked")
    return sa.select(found.c.id)


def find_file(url: str) -> Path | None:
    """The file of an embedded database; None where it is a server's."""
    parsed = _parsed(url)
    embedded = parsed.get_backend_name() == "sqlite" and parsed.database != ":memory:"
    return Path(parsed.database) if embedded and parsed.database else None


def _parsed(url: str) -> URL:
    """The address in its parts; raises MisconfiguredError, without the address: it may hold a password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    backend = parsed.get_backend_name() if parsed else ""
    if parsed and backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed and backend == "sqlite":
        return parsed
    raise MisconfiguredError(
        "POSTBAG_DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://."
    )


def _sqlite_engine(url: URL, *, foreign_keys: bool = True) -> Engine:
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o222:
                # Before SQLite makes it for all to read; its log takes over the mode.
                Path(url.database).touch(mode=0o600)
        except OSError as error:
            raise MisconfiguredError(
                f"{folder} cannot hold the database ({error.strerror}); see POSTBAG_DATABASE_URL."
            ) from error
    engine = sa.create_engine(
        url,
        pool_size=POOL_SIZE,
        hide_parameters=True,  # an error's text goes to the log, comments must not
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own; BEGIN is ours (see begin below).
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: NORMAL may lose an acknowledged commit when the power goes.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("postbag_write", False)
        # Two deferred transactions that read and then write fail with "database is locked"
        # whatever the timeout; IMMEDIATE queues them instead.
        if not writes:
            connection.exec_driver_sql("BEGIN")
            return
        with metrics.write_lock_seconds.time():
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    return sa.create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=8,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=UTC -c lock_timeout=20s", "connect_timeout": 5},
    )
