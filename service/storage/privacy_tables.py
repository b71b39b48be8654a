"""The tables of what is kept of persons, for how long, and of what was erased."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class AuthorEmail(Table):
    """An e-mail address of an author who is known by an id, as a keyed hash: whoever asks by address finds them."""

    __tablename__ = "author_emails"
    __table_args__ = (sa.Index(None, "email_hash"),)

    author_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("authors.id"), primary_key=True, autoincrement=False
    )
    email_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)


class Address(Table):
    """The network address that a comment came from, as a keyed hash; only where the site says for how long."""

    __tablename__ = "addresses"
    __table_args__ = (sa.Index(None, "at"),)

    comment_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("comments.id"), primary_key=True, autoincrement=False
    )
    ip_hash: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]


class Erasure(Table):
    """What was erased, told without the person: a comment by the site's id of it, or a reader by the keyed hash."""

    __tablename__ = "erasures"
    __table_args__ = (
        sa.UniqueConstraint("site_id", "public_id"),
        sa.UniqueConstraint("site_id", "reporter"),
        sa.Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"))
    public_id: Mapped[str | None] = mapped_column(sa.String(200))
    # Equal to that of the reader's flags, which it leads to in a backup that still has them.
    reporter: Mapped[str | None] = mapped_column(sa.String(64))
    at: Mapped[datetime]


class Retention(Table):
    """For how long a site keeps what; a site without a row keeps everything but network addresses."""

    __tablename__ = "retentions"

    site_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("sites.id"), primary_key=True, autoincrement=False
    )
    body: Mapped[dict[str, Any]]
    # The last event that was pruned: whoever reads the feed from before it has missed something.
    pruned_to: Mapped[int] = mapped_column(Id)
    changed_at: Mapped[datetime]


class LegalOrder(Table):
    """Why the law had a comment held or removed: beside the decision that did it."""

    __tablename__ = "legal_orders"

    decision_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("decisions.id"), primary_key=True, autoincrement=False
    )
    # Of the order or the notice, as a court or an authority numbers it; never a person's name.
    reference: Mapped[str] = mapped_column(sa.String(200))
    deadline: Mapped[datetime | None]
