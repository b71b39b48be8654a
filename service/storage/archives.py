"""Archives: a whole database in one file, as a copy of its own or as rows that any database takes."""

import base64
import hashlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from sqlalchemy.engine import Connection

from service.errors import Conflict, Invalid
from service.storage import copies, db, migrations
from service.storage.db import Database

FORMAT = 1
MANIFEST, COPY = "manifest.json", "postbag.db"
ROWS_AT_ONCE = 500
PIECE = 1 << 20
# Alembic's own; the manifest has the revision.
NOT_OURS = {"alembic_version"}


class Kind(StrEnum):
    """What an archive holds: an embedded database's file, or each table's rows as JSON lines."""

    COPY = "copy"
    ROWS = "rows"


class Manifest(BaseModel):
    """What stands in an archive, and what tells that it is whole."""

    model_config = ConfigDict(extra="forbid")

    format: int
    kind: Kind
    version: str
    revision: str
    taken_at: AwareDatetime
    # Tells whether two installations hash alike, and nothing of the secret.
    secret: str
    counts: dict[str, int]
    # The highest row id that was given out, where its row may be gone: a feed never goes back.
    counters: dict[str, int]
    sha256: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Content:
    """What was written into an archive, all of one moment."""

    revision: str
    counts: dict[str, int]
    counters: dict[str, int]
    sha256: dict[str, str]


def write(
    database: Database, target: Path, *, kind: Kind, version: str, secret: str, now: datetime
) -> Manifest:
    """Archive one moment of a database in a new file that its owner alone can read, whole or not at all.

    Raises Conflict where the file is there already, or the database is damaged.
    """
    if target.exists():
        raise Conflict(f"{target} is there already: name another file")
    if migrations.find_revision(database) is None:
        raise Conflict("this database is empty: there is nothing to back up")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                fill = _write_copy if kind is Kind.COPY else _write_rows
                content = fill(database, archive, beside=partial)
                manifest = Manifest(
                    format=FORMAT,
                    kind=kind,
                    version=version,
                    taken_at=now,
                    secret=secret,
                    **asdict(content),
                )
                archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """An archive's manifest, after every entry was read and found as it was written; raises Invalid."""
    with _opened(file) as archive:
        try:
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
        except (KeyError, ValidationError) as error:
            raise Invalid(f"{file} is no backup of Postbag's, or of a newer one") from error
        if manifest.format != FORMAT:
            raise Invalid(f"{file} is a backup of a newer Postbag")
        if set(archive.namelist()) != {MANIFEST, *manifest.sha256}:
            raise Invalid(f"{file} is not whole")
        for name, digest in manifest.sha256.items():
            with archive.open(name) as entry:
                if hashlib.file_digest(entry, "sha256").hexdigest() != digest:  # type: ignore[arg-type] # it reads and is binary
                    raise Invalid(f"{file} is damaged: {name} is not what was written")
    return manifest


def take_copy(file: Path, target: Path) -> None:
    """The embedded database in an archive, as a file that its owner alone can read."""
    fresh = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fresh, "wb") as out, _opened(file) as archive, archive.open(COPY) as entry:
        shutil.copyfileobj(entry, out, PIECE)


def load_rows(file: Path, manifest: Manifest, database: Database) -> None:
    """Put an archive's rows into a database of the same revision, all or nothing; raises Invalid."""
    found = sa.MetaData()
    with database.engine.execution_options(postbag_write=True).begin() as connection:
        found.reflect(connection)
        tables = _ours(found)
        for table in reversed(tables):
            connection.execute(sa.delete(table))
        with _opened(file) as archive:
            if {f"{table.name}.jsonl" for table in tables} != set(archive.namelist()) - {MANIFEST}:
                raise Invalid(f"{file} has other tables than its revision")
            for table in tables:
                with archive.open(f"{table.name}.jsonl") as entry:
                    _load_table(connection, table, entry)
                copies.set_counter(connection, table, manifest.counters.get(table.name, 0))


def count_rows(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    found = sa.MetaData()
    with database.engine.connect() as connection:
        found.reflect(connection)
        return _counts(connection, found)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError) as error:
        raise Invalid(f"{file} is no backup, or is damaged") from error


def _write_copy(database: Database, archive: zipfile.ZipFile, *, beside: Path) -> Content:
    copy = beside.with_suffix(".copy")
    copy.touch(mode=0o600)
    try:
        copies.copy_file(database, copy)
        copied = db.open_database(f"sqlite:///{copy}")
        try:
            if damage := copies.list_damage(copied):
                raise Conflict(f"the database is damaged ({damage[0]}): nothing was written")
            with copied.engine.connect() as connection:
                revision = migrations.revision_at(connection)
            counts = count_rows(copied)
        finally:
            copied.dispose()
        with copy.open("rb") as source, archive.open(COPY, "w", force_zip64=True) as entry:
            digest = _poured(source, entry)
        return Content(revision=revision, counts=counts, counters={}, sha256={COPY: digest})
    finally:
        for leftover in (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm")):
            leftover.unlink(missing_ok=True)


def _poured(source: IO[bytes], entry: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(PIECE):
        digest.update(piece)
        entry.write(piece)
    return digest.hexdigest()


def _write_rows(database: Database, archive: zipfile.ZipFile, *, beside: Path) -> Content:
    counts: dict[str, int] = {}
    sha256: dict[str, str] = {}
    with copies.snapshot(database) as connection:
        found = sa.MetaData()
        found.reflect(connection)
        tables = _ours(found)
        for table in tables:
            name = f"{table.name}.jsonl"
            digest, number = hashlib.sha256(), 0
            with archive.open(name, "w", force_zip64=True) as entry:
                for number, line in enumerate(_lines(connection, table)):
                    digest.update(line)
                    entry.write(line)
            counts[table.name], sha256[name] = number, digest.hexdigest()
        return Content(
            revision=migrations.revision_at(connection),
            counts=counts,
            counters=copies.list_counters(connection, tables),
            sha256=sha256,
        )


def _lines(connection: Connection, table: sa.Table) -> Iterator[bytes]:
    """The columns' names, then each row's values."""
    yield _line([column.name for column in table.columns])
    for row in connection.execute(sa.select(table).execution_options(yield_per=ROWS_AT_ONCE)):
        yield _line([_as_json(value) for value in row])


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _load_table(connection: Connection, table: sa.Table, entry: IO[bytes]) -> None:
    names = json.loads(entry.readline())
    if names != [column.name for column in table.columns]:
        raise Invalid(f"the table {table.name} has other columns than its revision")
    columns = list(table.columns)
    # A comment may answer one that stands below it: such references are written when all rows are there.
    looped = [c.name for c in columns if any(f.column.table is table for f in c.foreign_keys)]
    later: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for line in entry:
        values = json.loads(line)
        row = {c.name: _from_json(v, c.type) for c, v in zip(columns, values, strict=True)}
        if any(row[name] is not None for name in looped):
            later.append({f"{name}_": row[name] for name in ("id", *looped)})
            row |= dict.fromkeys(looped)
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE:
            connection.execute(sa.insert(table), rows)
            rows = []
    if rows:
        connection.execute(sa.insert(table), rows)
    if later:
        change: dict[str, Any] = {name: sa.bindparam(f"{name}_") for name in looped}
        at_its_row = sa.update(table).where(table.c.id == sa.bindparam("id_")).values(change)
        connection.execute(at_its_row, later)


def _from_json(value: Any, kind: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(kind, sa.DateTime) and value is not None:
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date) and value is not None:
        return date.fromisoformat(value)
    if isinstance(kind, sa.LargeBinary) and value is not None:
        return base64.b64decode(value)
    return value


def _ours(found: sa.MetaData) -> list[sa.Table]:
    """The tables, those that others point at first; what is absent from a JSON column stays absent."""
    tables = [table for table in found.sorted_tables if table.name not in NOT_OURS]
    for table in tables:
        for column in table.columns:
            if isinstance(column.type, sa.JSON):
                column.type = sa.JSON(none_as_null=True)
    return tables


def _counts(connection: Connection, found: sa.MetaData) -> dict[str, int]:
    return {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in _ours(found)
    }
