"""Flags: what readers report, beside the other tables."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class Flag(Table):
    """A reader's report of a comment; one reader reports it once."""

    __tablename__ = "flags"
    __table_args__ = (sa.UniqueConstraint("comment_id", "reporter"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    comment_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("comments.id"))
    # The revision that the reader saw last: the one in force when the report came.
    revision: Mapped[int]
    # A keyed hash of the site's id of the reader.
    reporter: Mapped[str] = mapped_column(sa.String(64))
    reason: Mapped[str | None] = mapped_column(sa.String(32))
    note: Mapped[str | None] = mapped_column(sa.Text)
    at: Mapped[datetime]
