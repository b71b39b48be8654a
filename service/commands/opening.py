"""Opening: the database that a command works on, once it is there and up to date."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from service.errors import MisconfiguredError
from service.settings import Settings, read_settings
from service.storage import migrations
from service.storage.db import Database, open_database

# A terminal breaks long lines itself; a pipe wants them whole.
out = Console(soft_wrap=True)


@contextmanager
def opened() -> Iterator[Database]:
    """The database that the settings name; raises MisconfiguredError where it cannot be used."""
    settings = read_settings()
    must_be_migrated(settings)
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        database.dispose()


def must_be_migrated(settings: Settings) -> None:
    database = open_database(settings.database_url)
    try:
        must_answer(database)
        if not migrations.is_current(database):
            raise MisconfiguredError("the database is not up to date; run `postbag migrate`.")
    finally:
        database.dispose()


def must_answer(database: Database) -> None:
    if not database.is_alive():
        raise MisconfiguredError("the database does not answer; see POSTBAG_DATABASE_URL.")
