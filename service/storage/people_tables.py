"""The tables of people who sign in through a provider: who they are there, and who may come."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class Identity(Table):
    """A person as an OpenID provider knows them: by issuer and subject, never by address."""

    __tablename__ = "identities"
    __table_args__ = (
        sa.UniqueConstraint("issuer", "subject"),
        sa.UniqueConstraint("person_id", "issuer"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("people.id"))
    issuer: Mapped[str] = mapped_column(sa.String(500))
    subject: Mapped[str] = mapped_column(sa.String(255))
    linked_at: Mapped[datetime]


class Invitation(Table):
    """A person whose address an admin trusts once: the first identity that has it becomes theirs."""

    __tablename__ = "invitations"

    person_id: Mapped[int] = mapped_column(
        Id, sa.ForeignKey("people.id"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
