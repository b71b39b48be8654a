"""Rescoring: comments that another version of the models judged, to be judged again by this one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from service.moderation import leases
from service.moderation.comments import LEASE
from service.storage.db import not_locked
from service.storage.tables import Comment, Score, State

# A comment that was just received is judged anyway, and one that is gone has nothing to read.
STATES = (State.HELD, State.APPROVED, State.REJECTED)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which comments: of a site, of an article (its row's id), received from a moment on."""

    site_id: int | None = None
    article_id: int | None = None
    since: datetime | None = None


def count(session: Session, wanted: Wanted, *, model: str) -> int:
    """How many comments this version has not judged."""
    return session.scalar(select(func.count()).select_from(_left(wanted, model).subquery())) or 0


def take(
    session: Session,
    wanted: Wanted,
    *,
    model: str,
    after: int,
    owner: str,
    now: datetime,
    limit: int,
) -> list[int]:
    """Lease the next of them behind the row `after`; those that anybody else judges are left to them.

    What `judging.judge` writes takes a comment off the list, so that stopping in between loses nothing.
    """
    free = leases.is_over(Comment.lease_until, now, lasts=LEASE)
    next_ones = _left(wanted, model).where(Comment.id > after, free).order_by(Comment.id)
    taken = session.scalars(
        update(Comment)
        .where(Comment.id.in_(not_locked(next_ones.limit(limit))), free)
        .values(lease_owner=owner, lease_until=now + LEASE)
        .returning(Comment.id)
        .execution_options(synchronize_session=False)
    ).all()
    return sorted(taken)


def _left(wanted: Wanted, model: str) -> "Select[int]":
    scored = select(Score.id).where(Score.id == Comment.score_id, Score.model == model)
    found = select(Comment.id).where(
        Comment.state.in_(STATES), Comment.score_after.is_(None), ~scored.exists()
    )
    if wanted.site_id is not None:
        found = found.where(Comment.site_id == wanted.site_id)
    if wanted.article_id is not None:
        found = found.where(Comment.article_id == wanted.article_id)
    if wanted.since is not None:
        found = found.where(Comment.created_at >= wanted.since)
    return found
