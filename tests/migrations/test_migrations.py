"""One history of migrations makes the same tables on both databases, and loses nobody's rows."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from starlette.testclient import TestClient

from alembic import command
from service.moderation import deliveries, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process
from service.storage import migrations
from service.storage.db import Database, migration_engine, open_database
from service.storage.tables import EventKind, Table
from tests.conftest import NOW, House, post_comment

ALL = frozenset(EventKind)


def test_the_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_a_second_upgrade_changes_nothing(database: Database, database_url: str) -> None:
    migrations.upgrade(database_url)
    assert migrations.is_current(database)


def test_a_database_that_was_never_migrated_is_not_current(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert not migrations.is_current(database)
    database.dispose()


@pytest.mark.usefixtures("article")
def test_rebuilding_a_parent_table_keeps_its_children(
    client: TestClient, database: Database, database_url: str
) -> None:
    """SQLite rebuilds a table to change it; with foreign keys on, the children would go with it."""
    post_comment(client, "c-1", "Fine by me.")
    engine = migration_engine(database_url)
    with engine.connect() as connection, connection.begin():
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("comments") as batch:
            batch.alter_column("public_id", type_=sa.String(250), existing_nullable=False)
    engine.dispose()
    for child in ("comment_revisions", "decisions", "events"):
        count = sa.text(f"SELECT count(*) FROM {child} WHERE comment_id IS NOT NULL")
        if child == "comment_revisions":
            count = sa.text("SELECT count(*) FROM comment_revisions")
        assert database.read(lambda s, c=count: s.scalar(c)) == 1, child  # type: ignore[misc]


@pytest.mark.usefixtures("article")
def test_privacy_s_migration_keeps_events_with_their_deliveries(
    client: TestClient, process: Process, database_url: str, house: House
) -> None:
    """Events are rebuilt on SQLite, so that their ids never come again; what points at them stays."""
    wanted = Wanted(id=None, url="https://r.example/", description="", kinds=ALL, active=True)
    secret, database = process.settings.secret, process.database
    database.write(lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW))
    post_comment(client, "c-1", "Fine by me.")
    [webhook_id] = database.read(deliveries.list_behind)
    database.write(lambda s: deliveries.follow(s, webhook_id, now=NOW))
    rows = sa.text(
        "SELECT e.id, e.body, d.public_id FROM events e LEFT JOIN webhook_deliveries d ON d.event_id = e.id"
    )
    before = database.read(lambda s: s.execute(rows).all())
    assert len(before) == 1
    assert before[0].public_id
    database.dispose()
    command.downgrade(migrations._config(database_url), "0005")
    migrations.upgrade(database_url)
    assert database.read(lambda s: s.execute(rows).all()) == before
    post_comment(client, "c-2", "Fine by me.")
    ids = database.read(lambda s: s.scalars(sa.text("SELECT id FROM events ORDER BY id")).all())
    assert ids[-1] > before[0].id
