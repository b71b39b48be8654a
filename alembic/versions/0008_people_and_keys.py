"""sections, sessions that idle out, keys that are rotated, and people a provider vouches for"""

import secrets

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("memberships", sa.Column("sections", sa.JSON(), nullable=True))
    with op.batch_alter_table("people") as table:
        table.alter_column("password", existing_type=sa.String(length=200), nullable=True)
    _sign_ins()
    _keys()
    op.create_table(
        "identities",
        sa.Column("id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_identities_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
        sa.UniqueConstraint("person_id", "issuer", name=op.f("uq_identities_person_id_issuer")),
    )
    op.create_table(
        "invitations",
        sa.Column("person_id", Id, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_invitations_person_id_people")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_invitations")),
    )


def _sign_ins() -> None:
    op.add_column("sign_ins", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sign_ins", sa.Column("browser", sa.String(length=60), nullable=True))
    op.execute("UPDATE sign_ins SET seen_at = created_at, browser = ''")
    with op.batch_alter_table("sign_ins") as table:
        table.alter_column("seen_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        table.alter_column("browser", existing_type=sa.String(length=60), nullable=False)


def _keys() -> None:
    op.add_column("keys", sa.Column("public_id", sa.String(length=40), nullable=True))
    op.add_column("keys", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("keys", sa.Column("used_on", sa.Date(), nullable=True))
    op.add_column("keys", sa.Column("successor_id", Id, nullable=True))
    keys = sa.table("keys", sa.column("id", Id), sa.column("public_id", sa.String))
    connection = op.get_bind()
    for key_id in connection.scalars(sa.select(keys.c.id)).all():
        connection.execute(
            keys.update()
            .where(keys.c.id == key_id)
            .values(public_id="k_" + secrets.token_urlsafe(9))
        )
    with op.batch_alter_table("keys") as table:
        table.alter_column("public_id", existing_type=sa.String(length=40), nullable=False)
        table.create_unique_constraint(op.f("uq_keys_public_id"), ["public_id"])
        table.create_foreign_key(
            op.f("fk_keys_successor_id_keys"), "keys", ["successor_id"], ["id"]
        )
        table.create_index(op.f("ix_keys_successor_id"), ["successor_id"])


def downgrade() -> None:
    op.drop_table("invitations")
    op.drop_table("identities")
    with op.batch_alter_table("keys") as table:
        table.drop_index(op.f("ix_keys_successor_id"))
        table.drop_constraint(op.f("fk_keys_successor_id_keys"), type_="foreignkey")
        table.drop_constraint(op.f("uq_keys_public_id"), type_="unique")
        for column in ("successor_id", "used_on", "expires_at", "public_id"):
            table.drop_column(column)
    with op.batch_alter_table("sign_ins") as table:
        table.drop_column("browser")
        table.drop_column("seen_at")
    # Who has no password signed in through a provider alone: they need a new one.
    op.execute("UPDATE people SET password = '' WHERE password IS NULL")
    with op.batch_alter_table("people") as table:
        table.alter_column("password", existing_type=sa.String(length=200), nullable=False)
    with op.batch_alter_table("memberships") as table:
        table.drop_column("sections")
