"""The tables of a site's rules, and of what is kept to find comments that are alike."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class RuleBook(Table):
    """One version of a site's rules; versions are added, never changed."""

    __tablename__ = "rule_books"
    __table_args__ = (sa.UniqueConstraint("site_id", "version"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"))
    version: Mapped[int]
    body: Mapped[dict[str, Any]]
    # Of the body: a process keeps the rules ready to be applied under this name.
    sha256: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]


class Likeness(Table):
    """What is kept of a comment's present words to find those that are alike; goes with the words."""

    __tablename__ = "likenesses"
    __table_args__ = (
        sa.Index(None, "site_id", "cluster"),
        sa.Index(None, "fingerprint"),
    )

    comment_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("comments.id"), primary_key=True, autoincrement=False
    )
    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"))
    fingerprint: Mapped[int] = mapped_column(sa.BigInteger)
    # The row id of one comment of the cluster, a name and no reference; null for a comment like no other.
    cluster: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime]


class LikenessBand(Table):
    """A number that comments share when they are alike; kept for as long as a campaign may last."""

    __tablename__ = "likeness_bands"
    __table_args__ = (sa.Index(None, "comment_id"), sa.Index(None, "site_id", "at"))

    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"), primary_key=True)
    band: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    comment_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("comments.id"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
