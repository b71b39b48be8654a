"""who set a policy, and what it brought back"""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0005"

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


def downgrade() -> None:
    with op.batch_alter_table("policies") as table:
        table.drop_index(op.f("ix_policies_person_id"))
        table.drop_index(op.f("ix_policies_key_id"))
        table.drop_constraint(op.f("fk_policies_person_id_people"), type_="foreignkey")
        table.drop_constraint(op.f("fk_policies_key_id_keys"), type_="foreignkey")
        table.drop_column("restores")
        table.drop_column("key_id")
        table.drop_column("person_id")
