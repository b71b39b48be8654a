"""The database: `migrate`."""

import typer

from service.commands.console import must_answer, out
from service.settings import read_settings
from service.storage import migrations
from service.storage.db import open_database

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database to the present shape; safe to run twice."""
    settings = read_settings()
    database = open_database(settings.database_url)
    try:
        must_answer(database)
    finally:
        database.dispose()
    migrations.upgrade(settings.database_url)
    out.print("The database is up to date.")
