"""The delivery log: what each webhook was told, and telling it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from service.errors import Conflict, NotFound
from service.moderation import cursors, deliveries, messages, webhooks
from service.moderation.messages import Message
from service.storage.webhook_tables import Delivery, DeliveryState

LONGEST_PAGE = 100
# What is settled stays in the log for so long.
KEPT = timedelta(days=30)
SWEPT_A_ROUND = 1000


@dataclass(frozen=True, kw_only=True)
class Line:
    """A delivery, and the message it carries."""

    delivery: Delivery
    message: Message


@dataclass(frozen=True, kw_only=True)
class Page:
    """A stretch of the log and where the next one begins."""

    items: list[Line]
    next_cursor: str | None


def next_page(
    session: Session, site_id: int, webhook_id: str, *, cursor: str | None, limit: int
) -> Page:
    """The log of a webhook, the newest first."""
    webhook = webhooks.get(session, site_id, webhook_id)
    limit = max(1, min(limit, LONGEST_PAGE))
    statement = select(Delivery).where(Delivery.webhook_id == webhook.id)
    if cursor:
        statement = statement.where(Delivery.id < cursors.parse(cursor, of="log"))
    rows = session.scalars(statement.order_by(Delivery.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    items = _lines(session, list(rows[:limit]))
    return Page(items=items, next_cursor=str(items[-1].delivery.id) if more else None)


def send_test(session: Session, site_id: int, webhook_id: str, *, now: datetime) -> Line:
    """A message that tells of no event; attempted once, also while the webhook is parked."""
    webhook = webhooks.get_locked(session, site_id, webhook_id)
    row = deliveries.new_row(webhook.id, None, "test", now=now)
    delivery_id = session.scalar(insert(Delivery).values(row).returning(Delivery.id))
    return _lines(session, [session.get_one(Delivery, delivery_id)])[0]


def replay(
    session: Session, site_id: int, webhook_id: str, message_id: str, *, now: datetime
) -> Line:
    """Send a message again, under its own id, from the first attempt on; raises NotFound, Conflict."""
    webhook = webhooks.get_locked(session, site_id, webhook_id)
    row = session.scalar(
        select(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.public_id == message_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("there is no such delivery in this webhook's log")
    if webhook.parked_at is not None:
        raise Conflict("this webhook is parked; resume it first", code="parked")
    row.state, row.attempts, row.next_at = DeliveryState.PENDING, 0, now
    row.lease_until = row.lease_owner = row.first_tried_at = row.delivered_at = None
    return _lines(session, [row])[0]


def sweep(session: Session, *, now: datetime) -> int:
    """Take off the log what was settled long ago; returns how many lines."""
    old = (
        select(Delivery.id)
        .where(Delivery.state.not_in(deliveries.OPEN), Delivery.tried_at < now - KEPT)
        .limit(SWEPT_A_ROUND)
    )
    swept = delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id)
    return len(session.scalars(swept.execution_options(synchronize_session=False)).all())


def _lines(session: Session, rows: list[Delivery]) -> list[Line]:
    found = messages.list_of(session, [row.id for row in rows])
    return [Line(delivery=row, message=found[row.id]) for row in rows]
