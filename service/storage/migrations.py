"""Migrations: bring a database to the present shape, and say whether it has it."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from alembic import command
from service.storage.db import Database

# Beside the package in the clone; never inside it, where it would shadow the library of that name.
FOLDER = Path(__file__).resolve().parents[2] / "alembic"


def upgrade(url: str) -> None:
    """Run every migration that this database has not seen."""
    command.upgrade(_config(url), "head")


def is_current(database: Database) -> bool:
    """Whether the database stands at the newest migration."""
    newest = ScriptDirectory.from_config(_config("")).get_heads()
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(newest)


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["url"] = url
    return config
