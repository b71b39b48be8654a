"""The backlog: what waits for the models, for people and for webhooks, and since when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from service.storage.tables import Comment, Site, State
from service.storage.webhook_tables import Delivery, DeliveryState, Webhook

# A lease that ended longer ago than this was left by a process that died, and nobody has taken it over.
STALE_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Comments in one state: how many, and when the oldest of them came."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Everything that waits in the database, of all sites together; what test keys did is nobody's work."""

    received: Waiting
    held: Waiting
    unscored: int
    stale_leases: int
    pending_deliveries: int
    oldest_delivery_at: datetime | None
    parked_deliveries: int
    parked_webhooks: int
    failing_webhooks: int


def count(session: Session, *, now: datetime) -> Backlog:
    """What waits now; reads indexes, not texts."""
    stale = Comment.lease_until < now - STALE_AFTER
    pending = select(func.count(), func.min(Delivery.created_at)).where(
        _of_webhooks(), Delivery.state == DeliveryState.PENDING
    )
    deliveries, oldest = session.execute(pending).one()
    return Backlog(
        received=_waiting(session, State.RECEIVED),
        held=_waiting(session, State.HELD),
        unscored=_count(session, _of_sites(), Comment.score_after.is_not(None)),
        stale_leases=_count(session, _of_sites(), Comment.score_after.is_not(None), stale),
        pending_deliveries=deliveries,
        oldest_delivery_at=oldest,
        parked_deliveries=_count(session, _of_webhooks(), Delivery.state == DeliveryState.PARKED),
        parked_webhooks=_count(session, Webhook.parked_at.is_not(None)),
        failing_webhooks=_count(
            session, Webhook.active.is_(True), Webhook.parked_at.is_(None), Webhook.failures > 0
        ),
    )


def is_live(session: Session, *, now: datetime) -> bool:
    """Whether some process is judging a comment that just came in."""
    judged = select(Comment.id).where(
        Comment.score_after.is_not(None),
        Comment.state == State.RECEIVED,
        Comment.lease_until > now,
    )
    return session.scalar(select(judged.exists())) or False


def _waiting(session: Session, state: State) -> Waiting:
    found = select(func.count(), func.min(Comment.created_at)).where(
        _of_sites(), Comment.state == state
    )
    number, oldest = session.execute(found).one()
    return Waiting(count=number, oldest_at=oldest)


def _of_sites() -> ColumnElement[bool]:
    # Site by site, as the index of the queue has them.
    return Comment.site_id.in_(select(Site.id).where(Site.sandbox_of.is_(None)))


def _of_webhooks() -> ColumnElement[bool]:
    return Delivery.webhook_id.in_(select(Webhook.id))


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(*where)) or 0
