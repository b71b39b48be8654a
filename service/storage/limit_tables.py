"""The table by which comments from one address are counted."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class Arrival(Table):
    """From which address a comment came, by its keyed hash; rows are swept after a day."""

    __tablename__ = "arrivals"
    __table_args__ = (sa.Index(None, "site_id", "address", "at"), sa.Index(None, "at"))

    comment_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("comments.id"), primary_key=True, autoincrement=False
    )
    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"))
    address: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]
