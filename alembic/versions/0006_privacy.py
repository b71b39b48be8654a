"""what is kept of persons, and what was erased"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "author_emails",
        sa.Column("author_id", ID, autoincrement=False, nullable=False),
        sa.Column("email_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["authors.id"], name=op.f("fk_author_emails_author_id")
        ),
        sa.PrimaryKeyConstraint("author_id", "email_hash", name=op.f("pk_author_emails")),
    )
    op.create_index(op.f("ix_author_emails_email_hash"), "author_emails", ["email_hash"])
    op.create_table(
        "addresses",
        sa.Column("comment_id", ID, autoincrement=False, nullable=False),
        sa.Column("ip_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comments.id"], name=op.f("fk_addresses_comment_id")
        ),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_addresses")),
    )
    op.create_index(op.f("ix_addresses_at"), "addresses", ["at"])
    op.create_table(
        "erasures",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("public_id", sa.String(length=200), nullable=True),
        sa.Column("reporter", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_erasures_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("site_id", "public_id", name=op.f("uq_erasures_site_id_public_id")),
        sa.UniqueConstraint("site_id", "reporter", name=op.f("uq_erasures_site_id_reporter")),
    )
    op.create_index(op.f("ix_erasures_at"), "erasures", ["at"])
    op.create_table(
        "retentions",
        sa.Column("site_id", ID, autoincrement=False, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("pruned_to", ID, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_retentions_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_retentions")),
    )
    op.create_table(
        "legal_orders",
        sa.Column("decision_id", ID, autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name=op.f("fk_legal_orders_decision_id")
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_legal_orders")),
    )
    # Without AUTOINCREMENT, SQLite gives an id again once the events that had it are pruned, and
    # whoever follows the feed would step over the event that has it then. PostgreSQL never does.
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(
            "events", recreate="always", table_kwargs={"sqlite_autoincrement": True}
        ):
            pass


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("events", recreate="always"):
            pass
    for table in ("legal_orders", "retentions", "erasures", "addresses", "author_emails"):
        op.drop_table(table)
