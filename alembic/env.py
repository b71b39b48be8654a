"""How Alembic meets the database: its own engine, with SQLite's foreign keys off while tables are rebuilt."""

import sqlalchemy as sa

from alembic import context
from service.settings import read_settings
from service.storage import (
    flags,  # noqa: F401 - its tables join the others
    limit_tables,  # noqa: F401 - its table joins the others
    people_tables,  # noqa: F401 - its tables join the others
    privacy_tables,  # noqa: F401 - its tables join the metadata
    rule_tables,  # noqa: F401 - its tables belong to the same metadata
    webhook_tables,  # noqa: F401 - its tables join the metadata
    worker_tables,  # noqa: F401 - its table joins the metadata
)
from service.storage.db import migration_engine
from service.storage.tables import Table, UtcDateTime


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Migrations outlive our classes: they name SQLAlchemy's own types only."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


url = context.config.attributes.get("url") or read_settings().database_url
engine = migration_engine(url)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        broken = connection.execute(sa.text("PRAGMA foreign_key_check")).all()
        if broken:
            raise RuntimeError(f"the migration left {len(broken)} rows that point nowhere")
    connection.commit()
engine.dispose()
