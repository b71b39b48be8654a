"""the domain of an author's address"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("comment_revisions") as table:
        table.add_column(sa.Column("author_email_domain", sa.String(length=254), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("comment_revisions") as table:
        table.drop_column("author_email_domain")
