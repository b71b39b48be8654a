"""who set a policy and what it brought back; what floods and honeypots are told by; test keys"""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("policies") as table:
        table.add_column(sa.Column("person_id", ID, nullable=True))
        table.add_column(sa.Column("key_id", ID, nullable=True))
        table.add_column(sa.Column("restores", sa.Integer(), nullable=True))
        table.create_foreign_key(
            op.f("fk_policies_person_id_people"), "people", ["person_id"], ["id"]
        )
        table.create_foreign_key(op.f("fk_policies_key_id_keys"), "keys", ["key_id"], ["id"])
        table.create_index(op.f("ix_policies_person_id"), ["person_id"])
        table.create_index(op.f("ix_policies_key_id"), ["key_id"])
    with op.batch_alter_table("comment_revisions") as table:
        table.add_column(
            sa.Column("honeypot", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    op.create_table(
        "arrivals",
        sa.Column("comment_id", ID, autoincrement=False, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["comments.id"], name=op.f("fk_arrivals_comment_id_comments")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_arrivals_site_id_sites")),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_arrivals")),
    )
    op.create_index(
        op.f("ix_arrivals_site_id_address_at"), "arrivals", ["site_id", "address", "at"]
    )
    op.create_index(op.f("ix_arrivals_at"), "arrivals", ["at"])
    # The longer index serves who asked the shorter one.
    op.create_index(op.f("ix_comments_author_id_posted_at"), "comments", ["author_id", "posted_at"])
    op.drop_index(op.f("ix_comments_author_id"), "comments")
    with op.batch_alter_table("sites") as table:
        table.add_column(sa.Column("sandbox_of", ID, nullable=True))
        table.create_foreign_key(op.f("fk_sites_sandbox_of_sites"), "sites", ["sandbox_of"], ["id"])
        table.create_unique_constraint(op.f("uq_sites_sandbox_of"), ["sandbox_of"])
    with op.batch_alter_table("keys") as table:
        table.add_column(sa.Column("test", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    # Test keys must not come to act on the sites themselves.
    op.execute("UPDATE keys SET revoked_at = CURRENT_TIMESTAMP WHERE test AND revoked_at IS NULL")
    with op.batch_alter_table("keys") as table:
        table.drop_column("test")
    with op.batch_alter_table("sites") as table:
        table.drop_constraint(op.f("uq_sites_sandbox_of"), type_="unique")
        table.drop_constraint(op.f("fk_sites_sandbox_of_sites"), type_="foreignkey")
        table.drop_column("sandbox_of")
    op.create_index(op.f("ix_comments_author_id"), "comments", ["author_id"])
    op.drop_index(op.f("ix_comments_author_id_posted_at"), "comments")
    op.drop_table("arrivals")
    with op.batch_alter_table("comment_revisions") as table:
        table.drop_column("honeypot")
    with op.batch_alter_table("policies") as table:
        table.drop_index(op.f("ix_policies_person_id"))
        table.drop_index(op.f("ix_policies_key_id"))
        table.drop_constraint(op.f("fk_policies_person_id_people"), type_="foreignkey")
        table.drop_constraint(op.f("fk_policies_key_id_keys"), type_="foreignkey")
        table.drop_column("restores")
        table.drop_column("key_id")
        table.drop_column("person_id")
