"""Copies: a whole database at once, read as of one moment, copied, put in place of another, or emptied."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from service.errors import Conflict
from service.storage.db import Database
from service.storage.tables import Table

# A schema of PostgreSQL's.
ASIDE = "postbag_set_aside"
VERSION_TABLE = "alembic_version"


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A connection that sees one moment of the data, however long it reads, and may write nothing."""
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        with connection.begin():
            yield connection


def copy_file(database: Database, target: Path) -> None:
    """Write one moment of an embedded database into a new file, while others write on.

    Pages that were freed are left out: what was erased is not copied. Raises Conflict where the disk is full or
    the file damaged.
    """
    connection = database.engine.raw_connection()
    try:
        connection.cursor().execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise Conflict(f"the database cannot be copied: {error}") from error
    finally:
        connection.close()


def list_damage(database: Database) -> list[str]:
    """What an embedded database says is broken in its file; a server looks after its own."""
    if database.engine.dialect.name != "sqlite":
        return []
    try:
        with database.engine.connect() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
    except DBAPIError as error:
        return [str(error.orig)]
    return [line for line in said if line != "ok"]


def count_others(database: Database) -> int:
    """How many others are connected to a server's database."""
    with database.engine.connect() as connection:
        others = connection.scalar(
            sa.text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    return others or 0


@contextmanager
def holding_file(file: Path) -> Iterator[None]:
    """Hold an embedded database alone; raises Conflict while any other process has it open.

    In WAL mode every open connection holds a shared lock on the file, and leaving that mode needs all of it.
    """
    if not file.exists():
        yield
        return
    held = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        try:
            held.execute("PRAGMA locking_mode=EXCLUSIVE")
            held.execute("PRAGMA journal_mode=DELETE")
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Conflict(f"{file} is in use: stop Postbag first") from error
        except sqlite3.DatabaseError:
            pass  # it is no database, and may be replaced by one
        yield
    finally:
        held.close()


def put_file(fresh: Path, file: Path) -> None:
    """Put a complete database file in the place of another; nobody may have that open."""
    with holding_file(file):
        for log in (Path(f"{file}-wal"), Path(f"{file}-shm")):
            log.unlink(
                missing_ok=True
            )  # of a file that was no database: it must not be read into this one
        os.replace(fresh, file)


@contextmanager
def set_aside(database: Database) -> Iterator[None]:
    """Keep a server's tables out of the way of new ones: put back if these do not come about, dropped when they have.

    What a restore left aside when it was cut off is put back first. Tables that are not Postbag's stay.
    """
    with database.engine.begin() as connection:
        _put_back(connection)
        connection.execute(sa.schema.CreateSchema(ASIDE))
        for name in _ours(connection):
            connection.exec_driver_sql(f'ALTER TABLE "{name}" SET SCHEMA {ASIDE}')
    try:
        yield
    except BaseException:
        with database.engine.begin() as connection:
            _put_back(connection)
        raise
    with database.engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(ASIDE, cascade=True))


def _put_back(connection: Connection) -> None:
    if ASIDE not in sa.inspect(connection).get_schema_names():
        return
    here = connection.scalar(sa.select(sa.func.current_schema()))
    for name in _ours(connection):
        connection.exec_driver_sql(f'DROP TABLE "{name}" CASCADE')
    for name in _ours(connection, schema=ASIDE):
        connection.exec_driver_sql(f'ALTER TABLE {ASIDE}."{name}" SET SCHEMA "{here}"')
    connection.execute(sa.schema.DropSchema(ASIDE))


def _ours(connection: Connection, *, schema: str | None = None) -> list[str]:
    known = {*Table.metadata.tables, VERSION_TABLE}
    return [name for name in sa.inspect(connection).get_table_names(schema) if name in known]


def list_counters(connection: Connection, tables: Sequence[sa.Table]) -> dict[str, int]:
    """The highest row id that each table has given out, be the row gone since, where the database keeps it."""
    if connection.dialect.name == "postgresql":
        found = {
            t.name: connection.scalar(sa.select(_last_value(t))) for t in tables if "id" in t.c
        }
        return {name: last for name, last in found.items() if last is not None}
    if not sa.inspect(connection).has_table("sqlite_sequence"):
        return {}
    rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    names = {table.name for table in tables}
    return {name: last for name, last in rows if name in names}


def set_counter(connection: Connection, table: sa.Table, last: int) -> None:
    """Let a table's next row id follow those of its rows, and `last`."""
    if "id" not in table.c:
        return
    highest = connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
    if connection.dialect.name == "postgresql":
        if highest or last:
            connection.execute(sa.select(sa.func.setval(_sequence(table), max(highest, last))))
    elif last > highest:
        name = {"name": table.name, "last": last}
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
        connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), name)


def _sequence(table: sa.Table) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.pg_get_serial_sequence(table.name, "id"), REGCLASS)


def _last_value(table: sa.Table) -> sa.ColumnElement[int]:
    return sa.func.pg_sequence_last_value(_sequence(table), type_=sa.BigInteger)
