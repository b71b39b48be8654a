"""Deliveries: what a webhook is to be told, in order for each comment, and tried for days."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from service.moderation import leases, messages
from service.storage.db import not_locked
from service.storage.tables import Event
from service.storage.webhook_tables import Delivery, DeliveryState, Webhook

# How long to wait after the first failed attempt, the second, …: five days in all, then it has failed.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24, 24, 24)),
)
# Up to so much of a wait is added to it, so that what failed together does not come back together.
JITTER = 0.1
# Well above what an attempt may take: whoever is longer silent has died, and another process goes on.
LEASE = timedelta(seconds=60)
# After so many failures in a row the receiver is taken to be down: one knock a minute, until it answers.
DOWN_AFTER = 3
KNOCK_EVERY = timedelta(minutes=1)
LONGEST_RETRY_AFTER = timedelta(hours=24)
GONE = 410
# Of the feed, so much at a time; of one receiver, so much at once.
EVENTS_A_ROUND = 500
AT_ONCE = 4
# No list of webhooks is longer.
MOST = 1000

OPEN = (DeliveryState.PENDING, DeliveryState.PARKED)
Earlier = aliased(Delivery)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A delivery that this process alone may attempt now."""

    delivery_id: int
    webhook_id: int
    webhook: str
    message_id: str
    url: str
    owner: str
    attempts: int
    message: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended: a status, or the kind of trouble; never what was answered."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def list_behind(session: Session) -> list[int]:
    """Webhooks that have not followed their feed to its end."""
    further = select(Event.id).where(Event.site_id == Webhook.site_id, Event.id > Webhook.cursor)
    behind = select(Webhook.id).where(_is_running(), further.exists())
    return list(session.scalars(behind.order_by(Webhook.id).limit(MOST)))


def follow(session: Session, webhook_id: int, *, now: datetime) -> int:
    """Make deliveries of the events behind a webhook's cursor; returns how many events there were.

    The feed is gapless: what stands behind the cursor was committed before it.
    """
    webhook = session.get(Webhook, webhook_id, populate_existing=True, with_for_update=True)
    if webhook is None or not webhook.active or webhook.parked_at is not None:
        return 0
    events = session.execute(
        select(Event.id, Event.kind, Event.comment_id, Event.article_id)
        .where(Event.site_id == webhook.site_id, Event.id > webhook.cursor)
        .order_by(Event.id)
        .limit(EVENTS_A_ROUND)
    ).all()
    if not events:
        return 0
    rows = [
        new_row(webhook_id, event_id, f"c{comment}" if comment else f"a{article}", now=now)
        for event_id, kind, comment, article in events
        if kind in webhook.kinds
    ]
    if rows:
        session.execute(insert(Delivery), rows)
    webhook.cursor = events[-1].id
    return len(events)


def list_due(session: Session, *, now: datetime) -> list[int]:
    """Webhooks for which something can be attempted now."""
    due = select(Delivery.id).where(Delivery.webhook_id == Webhook.id, _is_due(now))
    test = due.where(Delivery.event_id.is_(None))
    ready = or_(and_(_is_running(), _may_knock(now), due.exists()), test.exists())
    return list(session.scalars(select(Webhook.id).where(ready).order_by(Webhook.id).limit(MOST)))


def take(
    session: Session, webhook_id: int, *, owner: str, limit: int, now: datetime
) -> list[Parcel]:
    """Lease what is due for a webhook: of each comment the oldest, and nothing that anybody else attempts."""
    may = _is_due(now) & (Delivery.webhook_id == webhook_id)
    allowed = _allowance(session, webhook_id, now=now)
    if not allowed:
        may &= Delivery.event_id.is_(None)
    next_ones = (
        select(Delivery.id)
        .where(may)
        .order_by(Delivery.next_at, Delivery.id)
        .limit(min(limit, allowed or limit))
    )
    taken = session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(not_locked(next_ones)), _is_free(now))
        .values({Delivery.lease_owner: owner, Delivery.lease_until: now + LEASE})
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).all()
    return _parcels(session, sorted(taken))


def settle(
    session: Session, parcel: Parcel, outcome: Outcome, *, now: datetime, chance: float
) -> bool:
    """Write down how an attempt ended; True if that parked the webhook. `chance` (0 to 1) spreads the waits.

    What was taken over by another process meanwhile, or replayed, is theirs to settle.
    """
    # The webhook's row first, here and everywhere: two who settle for it wait for one another.
    webhook = session.get(Webhook, parcel.webhook_id, populate_existing=True, with_for_update=True)
    delivery = session.get(
        Delivery, parcel.delivery_id, populate_existing=True, with_for_update=True
    )
    if webhook is None or delivery is None:
        return False
    if (delivery.lease_owner, delivery.attempts) != (parcel.owner, parcel.attempts):
        return False
    was_parked = webhook.parked_at is not None
    delivery.attempts += 1
    delivery.lease_owner = delivery.lease_until = None
    delivery.tried_at = now
    delivery.first_tried_at = delivery.first_tried_at or now
    delivery.last_status, delivery.last_error = outcome.status, outcome.error
    if outcome.is_delivered:
        delivery.state, delivery.delivered_at = DeliveryState.DELIVERED, now
        if delivery.event_id is not None:
            _note_success(session, webhook, now=now)
    elif delivery.event_id is None:
        delivery.state = DeliveryState.FAILED
    else:
        _note_failure(session, webhook, delivery, outcome, now=now, chance=chance)
    return webhook.parked_at is not None and not was_parked


def new_row(
    webhook_id: int, event_id: int | None, subject: str, *, now: datetime
) -> dict[str, Any]:
    """A delivery that is due at once, under a message's id of its own."""
    return {
        "webhook_id": webhook_id,
        "event_id": event_id,
        "public_id": "msg_" + secrets.token_urlsafe(18),
        "subject": subject,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }


def wait_after(attempts: int, *, chance: float) -> timedelta | None:
    """How long to wait after so many failed attempts; None when that was the last."""
    if attempts > len(WAITS):
        return None
    return WAITS[attempts - 1] * (1 + JITTER * chance)


def _parcels(session: Session, delivery_ids: list[int]) -> list[Parcel]:
    found = messages.list_of(session, delivery_ids)
    rows = session.execute(
        select(Delivery, Webhook.public_id, Webhook.url)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.id.in_(delivery_ids))
        .order_by(Delivery.id)
        .execution_options(populate_existing=True)
    )
    return [
        Parcel(
            delivery_id=row.id,
            webhook_id=row.webhook_id,
            webhook=webhook,
            message_id=row.public_id,
            url=url,
            owner=row.lease_owner or "",
            attempts=row.attempts,
            message=found[row.id].to_json(),
        )
        for row, webhook, url in rows
    ]


def _is_running() -> ColumnElement[bool]:
    return Webhook.active.is_(True) & Webhook.parked_at.is_(None)


def _may_knock(now: datetime) -> ColumnElement[bool]:
    return or_(Webhook.wait_until.is_(None), Webhook.wait_until <= now)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return leases.is_over(Delivery.lease_until, now, lasts=LEASE)


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Pending, at its time, attempted by nobody, and nothing of the same subject is open before it."""
    before = select(Earlier.id).where(
        Earlier.webhook_id == Delivery.webhook_id,
        Earlier.subject == Delivery.subject,
        Earlier.event_id < Delivery.event_id,
        Earlier.state.in_(OPEN),
    )
    return and_(
        Delivery.state == DeliveryState.PENDING,
        Delivery.next_at <= now,
        _is_free(now),
        ~before.exists(),
    )


def _allowance(session: Session, webhook_id: int, *, now: datetime) -> int:
    """How many deliveries may be taken at once; one, and one process, while the receiver is down."""
    row = session.execute(
        select(Webhook.failures).where(Webhook.id == webhook_id, _is_running(), _may_knock(now))
    ).first()
    if row is None:
        return 0
    if row.failures < DOWN_AFTER:
        return AT_ONCE
    knocking = session.scalar(
        update(Webhook)
        .where(Webhook.id == webhook_id, _is_running(), _may_knock(now))
        .values(wait_until=now + KNOCK_EVERY)
        .returning(Webhook.id)
        .execution_options(synchronize_session=False)
    )
    return 0 if knocking is None else 1


def _note_success(session: Session, webhook: Webhook, *, now: datetime) -> None:
    """The receiver answers; what waited because it was down goes on at once."""
    was_down = webhook.failures >= DOWN_AFTER
    webhook.failures, webhook.wait_until, webhook.delivered_at = 0, None, now
    if was_down:
        session.execute(
            update(Delivery)
            .where(
                Delivery.webhook_id == webhook.id,
                Delivery.state == DeliveryState.PENDING,
                Delivery.next_at > now,
            )
            .values(next_at=now)
            .execution_options(synchronize_session=False)
        )


def _note_failure(
    session: Session,
    webhook: Webhook,
    delivery: Delivery,
    outcome: Outcome,
    *,
    now: datetime,
    chance: float,
) -> None:
    webhook.failures += 1
    wait = wait_after(delivery.attempts, chance=chance)
    if outcome.status == GONE:
        _park(session, webhook, because="gone", now=now)
    elif wait is None:
        _give_up(session, webhook, delivery, now=now)
    else:
        asked = min(outcome.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
        delivery.next_at = now + max(wait, asked)
        pause = max(asked, KNOCK_EVERY) if webhook.failures >= DOWN_AFTER else asked
        webhook.wait_until = max(webhook.wait_until or now, now + pause)


def _give_up(session: Session, webhook: Webhook, delivery: Delivery, *, now: datetime) -> None:
    """After days: if others arrived meanwhile, the fault is this message's; else it is the receiver's."""
    first = delivery.first_tried_at or now
    if webhook.delivered_at is not None and webhook.delivered_at >= first:
        delivery.state = DeliveryState.FAILED
    else:
        _park(session, webhook, because="failing", now=now)


def _park(session: Session, webhook: Webhook, *, because: str, now: datetime) -> None:
    """Stop until somebody resumes it; everything open waits for that."""
    webhook.parked_at, webhook.parked_because = now, because
    session.flush()  # the statement below must see what has been written of the delivery
    session.execute(
        update(Delivery)
        .where(
            Delivery.webhook_id == webhook.id,
            Delivery.state == DeliveryState.PENDING,
            Delivery.event_id.is_not(None),
        )
        .values({Delivery.state: DeliveryState.PARKED})
        .execution_options(synchronize_session=False)
    )
