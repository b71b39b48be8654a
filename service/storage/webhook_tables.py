"""The tables of webhooks: where a site wants to be told, with which secrets, and what was told."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Id, Table


class DeliveryState(StrEnum):
    """How far a delivery has come; a parked one waits until its webhook is resumed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    PARKED = "parked"


# What holds back the next delivery of the same subject, and what is to be sent.
_OPEN = sa.text("state IN ('pending', 'parked')")
_PENDING = sa.text("state = 'pending'")


class Webhook(Table):
    """An address that follows its site's feed, by a cursor of its own."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    site_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("sites.id"), index=True)
    public_id: Mapped[str] = mapped_column(sa.String(40), unique=True)
    url: Mapped[str] = mapped_column(sa.String(2000))
    description: Mapped[str] = mapped_column(sa.String(200))
    # Kinds of events, as in the feed.
    kinds: Mapped[list[Any]]
    active: Mapped[bool]
    # The last event that became a delivery, or was none of these kinds; 0 before the first.
    cursor: Mapped[int] = mapped_column(Id)
    created_at: Mapped[datetime]
    parked_at: Mapped[datetime | None]
    parked_because: Mapped[str | None] = mapped_column(sa.String(32))
    # Attempts in a row that failed, whatever they carried; nothing is sent before wait_until.
    failures: Mapped[int]
    wait_until: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class WebhookSecret(Table):
    """A secret that signs; it is made of the salt and the installation's own secret, and stored nowhere."""

    __tablename__ = "webhook_secrets"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("webhooks.id"), index=True)
    salt: Mapped[str] = mapped_column(sa.String(64))
    # The first letters, to know it by.
    hint: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]


class Delivery(Table):
    """One event on its way to one webhook: ids and states, never a text, nor what was answered."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.UniqueConstraint("webhook_id", "event_id"),
        sa.Index("ix_webhook_deliveries_log", "webhook_id", "id"),
        sa.Index(
            "ix_webhook_deliveries_open",
            "webhook_id",
            "subject",
            "event_id",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        sa.Index(
            "ix_webhook_deliveries_due",
            "webhook_id",
            "next_at",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(Id, sa.ForeignKey("webhooks.id"))
    # Null for a test, which no event caused.
    event_id: Mapped[int | None] = mapped_column(Id, sa.ForeignKey("events.id"), index=True)
    # The id of the message: the same in every attempt.
    public_id: Mapped[str] = mapped_column(sa.String(40), unique=True)
    # What is told in order: a comment, or an article's block.
    subject: Mapped[str] = mapped_column(sa.String(40))
    state: Mapped[DeliveryState] = mapped_column(
        sa.Enum(
            DeliveryState,
            native_enum=False,
            length=16,
            values_callable=lambda e: [m.value for m in e],
            name="delivery_state",
        )
    )
    attempts: Mapped[int]
    next_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(64))
    first_tried_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(sa.String(32))
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
