"""Backups: taking one while the service runs, and putting one back without what was erased since."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.orm import Session

from service.errors import Conflict, Invalid
from service.settings import Settings
from service.storage import archives, copies, db, migrations
from service.storage.archives import Kind, Manifest
from service.storage.db import Database, open_database

ErasedRows = Sequence[Mapping[str, object]]
Reapply = Callable[[Session, ErasedRows], int]


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was put back; `erased` counts the comments that were erased again."""

    manifest: Manifest
    erased: int


def take(
    settings: Settings, database: Database, target: Path, *, portable: bool, now: datetime
) -> tuple[Path, Manifest]:
    """Back a database up into `target`, or into a file named after the time where that is a folder.

    An embedded database is copied as it is, unless it is to be `portable`: as rows, which PostgreSQL takes too.
    """
    if target.is_dir():
        target = target / f"postbag-{now:%Y%m%dT%H%M%SZ}.zip"
    embedded = db.find_file(settings.database_url) is not None
    kind = Kind.COPY if embedded and not portable else Kind.ROWS
    manifest = archives.write(
        database,
        target,
        kind=kind,
        version=version("postbag"),
        secret=fingerprint(settings.secret),
        now=now,
    )
    return target, manifest


def fingerprint(secret: str) -> str:
    """What tells two secrets apart, and neither of them from it."""
    return hmac.new(secret.encode(), b"backup", hashlib.sha256).hexdigest()[:16]


def must_fit(settings: Settings, manifest: Manifest) -> None:
    """Raise Invalid unless this code and this database can take the backup."""
    if not migrations.is_known(manifest.revision):
        raise Invalid(f"this backup is of Postbag {manifest.version}, which is newer than this one")
    if manifest.kind is Kind.COPY and db.find_file(settings.database_url) is None:
        raise Invalid(
            "this backup is a copy of an embedded database, and this database is a server's: "
            "take one with `postbag backup --portable`"
        )


def must_be_idle(settings: Settings) -> None:
    """Raise Conflict while any other process has the database open."""
    file = db.find_file(settings.database_url)
    if file is not None:
        with copies.holding_file(file):
            return
    database = open_database(settings.database_url)
    try:
        if others := copies.count_others(database):
            raise Conflict(f"{others} others are connected to the database: stop Postbag first")
    finally:
        database.dispose()


def restore(
    settings: Settings, file: Path, manifest: Manifest, erased: ErasedRows, *, reapply: Reapply
) -> Restored:
    """Make a backup the database, or leave it as it was: brought up to date, and without what `erased` names."""
    here = db.find_file(settings.database_url)
    if here is None:
        database = open_database(settings.database_url)
        try:
            with copies.set_aside(database):
                migrations.upgrade(settings.database_url, manifest.revision)
                again = _fill(settings.database_url, file, manifest, erased, reapply)
        finally:
            database.dispose()
        return Restored(manifest=manifest, erased=again)
    here.parent.mkdir(parents=True, exist_ok=True)
    # Made ready beside the database, and put in its place when there is nothing left to go wrong.
    fresh = here.with_name(f".{here.name}.{secrets.token_hex(4)}.fresh")
    try:
        if manifest.kind is Kind.COPY:
            archives.take_copy(file, fresh)
        else:
            fresh.touch(mode=0o600)
            migrations.upgrade(f"sqlite:///{fresh}", manifest.revision)
        again = _fill(f"sqlite:///{fresh}", file, manifest, erased, reapply)
        copies.put_file(fresh, here)
    finally:
        for leftover in (fresh, Path(f"{fresh}-wal"), Path(f"{fresh}-shm")):
            leftover.unlink(missing_ok=True)
    return Restored(manifest=manifest, erased=again)


def _fill(url: str, file: Path, manifest: Manifest, erased: ErasedRows, reapply: Reapply) -> int:
    database = open_database(url)
    try:
        if manifest.kind is Kind.ROWS:
            archives.load_rows(file, manifest, database)
        if archives.count_rows(database) != manifest.counts:
            raise Invalid(f"{file} has not the rows that its manifest counts")
        migrations.upgrade(url)
        return database.write(lambda session: reapply(session, erased)) if erased else 0
    finally:
        database.dispose()
