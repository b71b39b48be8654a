"""rules and likenesses"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rule_books",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_rule_books_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_books")),
        sa.UniqueConstraint("site_id", "version", name=op.f("uq_rule_books_site_id_version")),
    )
    op.create_table(
        "likenesses",
        sa.Column("comment_id", Id, autoincrement=False, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("cluster", Id, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comments.id"], name=op.f("fk_likenesses_comment_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_likenesses_site_id")),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_likenesses")),
    )
    op.create_index(op.f("ix_likenesses_site_id_cluster"), "likenesses", ["site_id", "cluster"])
    op.create_index(op.f("ix_likenesses_fingerprint"), "likenesses", ["fingerprint"])
    op.create_table(
        "likeness_bands",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("comment_id", Id, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comments.id"], name=op.f("fk_likeness_bands_comment_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_likeness_bands_site_id")),
        sa.PrimaryKeyConstraint("site_id", "band", "comment_id", name=op.f("pk_likeness_bands")),
    )
    op.create_index(op.f("ix_likeness_bands_comment_id"), "likeness_bands", ["comment_id"])
    op.create_index(op.f("ix_likeness_bands_site_id_at"), "likeness_bands", ["site_id", "at"])
    # Not in a batch: a column that may be empty is added in place on both databases.
    op.add_column("verdicts", sa.Column("rules_version", sa.Integer(), nullable=True))
    op.add_column("verdicts", sa.Column("hits", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("verdicts") as table:
        table.drop_column("hits")
        table.drop_column("rules_version")
    op.drop_table("likeness_bands")
    op.drop_table("likenesses")
    op.drop_table("rule_books")
