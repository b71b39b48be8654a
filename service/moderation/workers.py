"""Workers: each says that it lives, so that it is known when none does."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.storage.worker_tables import WorkerBeat

BEATS_EVERY = timedelta(seconds=10)
# Whoever has not been seen for so long has died, and is forgotten after a day.
GONE_AFTER = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(days=1)


def beat(session: Session, owner: str, *, version: str, now: datetime) -> None:
    """Write down that a worker lives."""
    known = session.get(WorkerBeat, owner)
    if known is None:
        session.add(WorkerBeat(owner=owner, version=version, started_at=now, seen_at=now))
        session.execute(delete(WorkerBeat).where(WorkerBeat.seen_at < now - FORGOTTEN_AFTER))
    else:
        known.seen_at = now


def leave(session: Session, owner: str) -> None:
    """A worker ends, and is missed by nobody."""
    session.execute(delete(WorkerBeat).where(WorkerBeat.owner == owner))


def count_alive(session: Session, *, now: datetime) -> int:
    """How many workers were seen within the last minute."""
    alive = select(func.count()).where(WorkerBeat.seen_at >= now - GONE_AFTER)
    return session.scalar(alive) or 0


def last_seen(session: Session) -> datetime | None:
    """When any worker was last seen; None where none ever was, or each has left."""
    return session.scalar(select(func.max(WorkerBeat.seen_at)))
