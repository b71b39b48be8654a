"""The console: what commands share in speaking to an operator and in opening the database."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.errors import MisconfiguredError, NotFound
from service.moderation import sites
from service.settings import Settings, read_settings
from service.storage import migrations
from service.storage.db import Database, open_database
from service.storage.migrations import Standing
from service.storage.tables import Site

# A terminal breaks long lines itself; a pipe wants them whole.
out = Console(soft_wrap=True)


@contextmanager
def opened() -> Iterator[Database]:
    """The database of the settings, migrated; closed at the end."""
    settings = read_settings()
    must_be_migrated(settings)
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        database.dispose()


def must_be_migrated(settings: Settings) -> None:
    """Raise MisconfiguredError, with the advice, unless the database has the shape this code needs."""
    database = open_database(settings.database_url)
    try:
        must_answer(database)
        must_be_known(database)
        if not migrations.is_current(database):
            raise MisconfiguredError("the database is not up to date; run `postbag migrate`.")
    finally:
        database.dispose()


def must_be_known(database: Database) -> None:
    """Raise MisconfiguredError for a database that is none of this code's."""
    if migrations.standing(database) is Standing.UNKNOWN:
        revision = migrations.find_revision(database) or "none"
        raise MisconfiguredError(
            f"the database is at a revision that this Postbag does not know ({revision}): "
            "it belongs to a newer one, or to something else."
        )


def must_answer(database: Database) -> None:
    """Raise MisconfiguredError unless the database answers."""
    if not database.is_alive():
        raise MisconfiguredError("the database does not answer; see POSTBAG_DATABASE_URL.")


def get_site(database: Database, slug: str | None) -> Site:
    """The site of this slug, or the only one there is; raises NotFound."""
    if slug is not None:
        return database.read(lambda session: sites.get(session, slug))
    known = database.read(sites.list_all)
    if len(known) != 1:
        raise NotFound(f"there are {len(known)} sites; name one with --site")
    return known[0]


def in_utc(moment: datetime | None) -> datetime | None:
    """A moment as it was typed, which has no zone: it is meant in UTC."""
    return moment and moment.replace(tzinfo=UTC)


@contextmanager
def noting_interrupts() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event, to be looked at between two batches.

    Raised wherever Python happens to be, an interrupt can be swallowed by a library's callback.
    """
    asked_to_stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: asked_to_stop.set()) for number in numbers]
    try:
        yield asked_to_stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def read_text(file: Path) -> str:
    """A file's text; raises MisconfiguredError where it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MisconfiguredError(f"{file} is not text in UTF-8") from error


def read_json(file: Path) -> dict[str, Any]:
    """A file's JSON object; raises MisconfiguredError where it has none."""
    try:
        body = json.loads(read_text(file))
    except ValueError as error:
        raise MisconfiguredError(f"{file} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise MisconfiguredError(f"{file} must hold a JSON object")
    return body


def progress_bar() -> Progress:
    """A bar on stderr, so that stdout stays what a script reads."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
