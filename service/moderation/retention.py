"""Retention: for how many days a site keeps what; off until it says so."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from service.storage.privacy_tables import Retention
from service.storage.tables import State

Days = Annotated[int, Field(ge=1, le=36_500)]
# A webhook is tried for five days, and its log shows thirty: what is pruned was told by then.
EventDays = Annotated[int, Field(ge=30, le=36_500)]


class Keep(BaseModel):
    """Days from the last decision about a comment until it is erased, by its state; null keeps it.

    `events` are lines of the feed, with their deliveries.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    held: Days | None = None
    approved: Days | None = None
    rejected: Days | None = None
    withdrawn: Days | None = None
    events: EventDays | None = None

    def of_state(self, state: State) -> timedelta | None:
        """How long comments of a state are kept; None for good."""
        days: int | None = getattr(self, state.value, None)
        return None if days is None else timedelta(days=days)


def get(session: Session, site_id: int) -> Keep:
    """What is in force."""
    row = session.get(Retention, site_id)
    return Keep() if row is None else Keep.model_validate(row.body)


def put(session: Session, site_id: int, keep: Keep, *, now: datetime) -> None:
    """Put this in force, as a whole; the worker applies it within the hour."""
    body = keep.model_dump()
    known = (
        update(Retention)
        .where(Retention.site_id == site_id)
        .values(body=body, changed_at=now)
        .returning(Retention.site_id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(known) is None:
        session.execute(
            insert(Retention).values(site_id=site_id, body=body, pruned_to=0, changed_at=now)
        )


def list_all(session: Session) -> list[tuple[int, Keep]]:
    """The sites that say for how long they keep things."""
    rows = session.execute(select(Retention.site_id, Retention.body).order_by(Retention.site_id))
    return [(site_id, Keep.model_validate(body)) for site_id, body in rows]


def pruned_to(session: Session, site_id: int) -> int:
    """The id of the last event of a site's feed that is no longer kept; 0 if all are."""
    found = select(Retention.pruned_to).where(Retention.site_id == site_id)
    return session.scalar(found) or 0
