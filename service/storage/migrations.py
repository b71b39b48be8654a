"""Migrations: bring a database to the present shape, and say how far it is from it."""

from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from alembic import command
from service.storage.db import Database

# Beside the package in the clone; never inside it, where it would shadow the library of that name.
FOLDER = Path(__file__).resolve().parents[2] / "alembic"


class Standing(StrEnum):
    """How a database stands to this code."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    # Its revision is none of this code's: a newer Postbag has been here, or it is somebody else's.
    UNKNOWN = "unknown"


def upgrade(url: str, to: str = "head") -> None:
    """Run every migration that this database has not seen, up to the revision `to`."""
    command.upgrade(_config(url), to)


def standing(database: Database) -> Standing:
    """How a database stands to this code; one with tables and no revision is unknown."""
    with database.engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_heads()
        if not at:
            has_tables = sa.inspect(connection).get_table_names()
            return Standing.UNKNOWN if has_tables else Standing.EMPTY
    if set(at) == set(_scripts().get_heads()):
        return Standing.CURRENT
    return Standing.BEHIND if all(is_known(revision) for revision in at) else Standing.UNKNOWN


def is_current(database: Database) -> bool:
    """Whether the database stands at the newest migration."""
    return standing(database) is Standing.CURRENT


def find_revision(database: Database) -> str | None:
    """The revision at which a database stands; None before the first."""
    with database.engine.connect() as connection:
        return next(iter(MigrationContext.configure(connection).get_current_heads()), None)


def revision_at(connection: Connection) -> str:
    """The revision that a connection sees."""
    [revision] = MigrationContext.configure(connection).get_current_heads()
    return revision


def list_missing(database: Database) -> list[tuple[str, str]]:
    """The revisions that a database has not seen, in their order, each with its title."""
    at = find_revision(database) or "base"
    missing = [(s.revision, s.doc) for s in _scripts().iterate_revisions("heads", at)]
    return missing[::-1]


def is_known(revision: str) -> bool:
    """Whether a revision is one of this code's."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(""))


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["url"] = url
    return config
