"""Pruning: what a site's retention says is over, found and erased in small batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ScalarSelect, Select, delete, func, select, update
from sqlalchemy.orm import Session

from service.moderation import erasures, retention
from service.moderation.actor import MACHINE
from service.moderation.retention import Keep
from service.storage.privacy_tables import Retention
from service.storage.tables import Comment, Decision, Event, State
from service.storage.webhook_tables import Delivery, Webhook

STATES = (State.HELD, State.APPROVED, State.REJECTED, State.WITHDRAWN)
EVENTS = "events"
# A batch holds up whoever else writes: a comment takes some milliseconds, a row of ids next to nothing.
COMMENTS_A_BATCH, ROWS_A_BATCH = 10, 500


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of a site whose time is over, under the name of the rule that says so."""

    site_id: int
    rule: str
    row_ids: tuple[int, ...]


def find(session: Session, *, now: datetime) -> Batch | None:
    """The next batch, of whichever site; None when everything is as the sites want it. It only reads."""
    for site_id, keep in retention.list_all(session):
        for rule, due in _due(site_id, keep, now=now).items():
            size = ROWS_A_BATCH if rule == EVENTS else COMMENTS_A_BATCH
            # Events are as old as they stand: where the first are young, the rest need no look.
            some = due.where(Event.id.in_(_first_events(site_id))) if rule == EVENTS else due
            row_ids = tuple(session.scalars(some.limit(size)))
            if row_ids:
                return Batch(site_id=site_id, rule=rule, row_ids=row_ids)
    return None


def apply(session: Session, batch: Batch, *, now: datetime) -> int:
    """Erase a batch, less what is no longer due; returns how many rows that were."""
    keep = retention.get(session, batch.site_id)
    due = _due(batch.site_id, keep, now=now).get(batch.rule)
    if due is None:
        return 0
    [column] = due.selected_columns
    row_ids = session.scalars(due.where(column.in_(batch.row_ids))).all()
    if batch.rule == EVENTS:
        _prune_events(session, batch.site_id, row_ids)
    else:
        erasures.erase(session, row_ids, actor=MACHINE, because=erasures.RETENTION, now=now)
    return len(row_ids)


def count_due(session: Session, site_id: int, keep: Keep, *, now: datetime) -> dict[str, int]:
    """How much would be erased at once if `keep` were in force, by its fields."""
    counted = {
        rule: session.scalar(select(func.count()).select_from(due.subquery())) or 0
        for rule, due in _due(site_id, keep, now=now).items()
    }
    return dict.fromkeys(Keep.model_fields, 0) | counted


def _due(site_id: int, keep: Keep, *, now: datetime) -> dict[str, Select[int]]:
    """What is over, by the rules that are set."""
    days = {rule: timedelta(days=n) for rule, n in keep.model_dump().items() if n is not None}
    due: dict[str, Select[int]] = {
        state.value: _stood_still(site_id, state, before=now - days[state.value])
        for state in STATES
        if state.value in days
    }
    if EVENTS in days:
        old = (Event.site_id == site_id, Event.at <= now - days[EVENTS])
        due[EVENTS] = select(Event.id).where(*old)
    return due


def _first_events(site_id: int) -> ScalarSelect[int]:
    first = select(Event.id).where(Event.site_id == site_id).order_by(Event.id)
    return first.limit(ROWS_A_BATCH).scalar_subquery()


def _stood_still(site_id: int, state: State, *, before: datetime) -> Select[int]:
    """Comments in a state that nothing was decided about since."""
    later = select(Decision.id).where(Decision.comment_id == Comment.id, Decision.at > before)
    return select(Comment.id).where(
        Comment.site_id == site_id,
        Comment.state == state,
        Comment.created_at <= before,
        ~later.exists(),
    )


def _prune_events(session: Session, site_id: int, event_ids: Sequence[int]) -> None:
    """Take events off the feed, with what was told of them; who reads from before them is told so."""
    if not event_ids:
        return
    last = max(event_ids)
    # First, and so held: nobody makes new deliveries of these events. A webhook that is so far behind
    # has stood still for longer than the site keeps events, and goes on where the feed begins now.
    passed_over = update(Webhook).where(Webhook.site_id == site_id, Webhook.cursor < last)
    remembered = update(Retention).where(Retention.site_id == site_id, Retention.pruned_to < last)
    for statement in (
        passed_over.values(cursor=last),
        remembered.values(pruned_to=last),
        delete(Delivery).where(Delivery.event_id.in_(event_ids)),
        delete(Event).where(Event.id.in_(event_ids)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
