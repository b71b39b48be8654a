"""The doctor: what is wrong with a configuration, and how to mend it."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.moderation import sites
from service.scoring import BatchScorer
from service.settings import Settings
from service.storage import migrations
from service.storage.db import Database, open_database
from service.storage.tables import Key, Membership


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `mend` says what to do when it is not well."""

    what: str
    well: bool
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that a start needs, one finding after the other."""
    yield _data_dir(settings)
    yield _weights(settings)
    yield _port(settings)
    yield _public_url(settings)
    database = open_database(settings.database_url)
    try:
        yield from _database(database)
    finally:
        database.dispose()


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    return Finding(
        what=f"{folder} can be written",
        well=folder.is_dir() and os.access(folder, os.W_OK),
        mend="make the folder writable, or name another in POSTBAG_DATA_DIR",
    )


def _weights(settings: Settings) -> Finding:
    scorer = BatchScorer(settings.weights, threads=1, queue=1)
    scorer.close()
    return Finding(
        what=f"the models load ({scorer.model or 'none'})",
        well=scorer.trouble is None,
        mend=scorer.trouble or "",
    )


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            free = True
        except OSError:
            free = False
    return Finding(
        what=f"{settings.host}:{settings.port} is free",
        well=free,
        mend="something listens there (Postbag itself?); stop it, or set POSTBAG_PORT",
    )


def _public_url(settings: Settings) -> Finding:
    url = urlsplit(settings.public_url)
    local = url.hostname in {"127.0.0.1", "localhost", "::1"}
    return Finding(
        what=f"{settings.public_url} is safe for sign-ins",
        well=url.scheme == "https" or (url.scheme == "http" and local),
        mend="set POSTBAG_PUBLIC_URL to the https:// address that your proxy serves",
    )


def _database(database: Database) -> Iterator[Finding]:
    alive = database.is_alive()
    yield Finding(
        what="the database answers", well=alive, mend="see POSTBAG_DATABASE_URL; is it running?"
    )
    if not alive:
        return
    current = migrations.is_current(database)
    yield Finding(what="the database is migrated", well=current, mend="run `postbag migrate`")
    if current:
        yield from database.read(_rows)


def _rows(session: Session) -> list[Finding]:
    return [
        Finding(
            what="there is a site",
            well=bool(sites.list_all(session)),
            mend="run `postbag site add SLUG --name NAME`",
        ),
        Finding(
            what="a backend has a key",
            well=session.scalar(select(Key.id).where(Key.revoked_at.is_(None)).limit(1))
            is not None,
            mend="run `postbag key add SITE`",
        ),
        Finding(
            what="a person can sign in",
            well=session.scalar(select(Membership.id).limit(1)) is not None,
            mend="run `postbag person add EMAIL --site SITE --role moderator`",
        ),
    ]
