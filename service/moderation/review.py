"""Review: the queue of held comments, claims on them, decisions and their undoing."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from service.errors import Conflict, FieldError, Invalid
from service.moderation import comments, decisions, leases, legal, reading
from service.moderation.actor import Actor, sees_comment
from service.moderation.legal import Order
from service.moderation.policy import Action, Reason
from service.moderation.reading import View
from service.storage.db import not_locked
from service.storage.tables import Comment, Decision, State

CLAIM_LASTS = timedelta(minutes=10)
LONGEST_PAGE = 100
# A priority as `repr` writes it, and a row's id that every database can hold.
CURSOR = re.compile(r"(?P<priority>[0-9]{1,9}\.[0-9]{1,9}(e-[0-9]{1,2})?)_(?P<row_id>[0-9]{1,18})")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A stretch of the queue and where the next one begins."""

    items: list[View]
    next_cursor: str | None


def next_page(
    session: Session, site_id: int, *, actor: Actor, cursor: str | None, limit: int
) -> Page:
    """Held comments, the most pressing first."""
    limit = max(1, min(limit, LONGEST_PAGE))
    statement = reading.statement(site_id, actor=actor).where(Comment.state == State.HELD)
    if cursor:
        priority, row_id = _position(cursor)
        later = and_(Comment.priority == priority, Comment.id > row_id)
        statement = statement.where(or_(Comment.priority < priority, later))
    items = reading.views(session, _in_order(statement).limit(limit + 1))
    more = len(items) > limit
    items = items[:limit]
    return Page(
        items=items, next_cursor=f"{items[-1].priority!r}_{items[-1].row_id}" if more else None
    )


def count_held(session: Session, site_id: int, *, actor: Actor) -> int:
    held = select(func.count()).where(
        Comment.site_id == site_id, Comment.state == State.HELD, sees_comment(actor)
    )
    return session.scalar(held) or 0


def claim(
    session: Session, site_id: int, *, actor: Actor, number: int, now: datetime
) -> list[View]:
    """Lease the next `number` comments nobody else looks at, one's own first."""
    number = max(1, min(number, LONGEST_PAGE))
    over = leases.is_over(Comment.claim_until, now, lasts=CLAIM_LASTS)
    held_by_me = and_(_claimed_by(actor), ~over)
    free = or_(over, held_by_me)
    next_ones = (
        select(Comment.id)
        .where(Comment.site_id == site_id, Comment.state == State.HELD, free, sees_comment(actor))
        .order_by(case((held_by_me, 0), else_=1), Comment.priority.desc(), Comment.id)
        .limit(number)
    )
    taken = session.scalars(
        update(Comment)
        .where(Comment.id.in_(not_locked(next_ones)), Comment.state == State.HELD, free)
        .values(
            claim_person_id=actor.person_id,
            claim_key_id=actor.key_id,
            claim_until=now + CLAIM_LASTS,
        )
        .returning(Comment.id)
        .execution_options(synchronize_session=False)
    ).all()
    return reading.views(
        session, _in_order(reading.statement(site_id).where(Comment.id.in_(taken)))
    )


def decide(
    session: Session,
    site_id: int,
    public_id: str,
    *,
    action: Action,
    revision: int,
    actor: Actor,
    reason: Reason | None,
    note: str | None,
    seen: State | None = None,
    order: Order | None = None,
    now: datetime,
) -> int:
    """A ruling on the revision that was seen; raises Conflict if that is not what stands there.

    Who overrules a person says in `seen` that they know where the comment stands: of two people
    who decide at once, the second is told instead of winning.
    """
    if action is not Action.APPROVE and reason is None:
        wrong = FieldError(
            pointer="/reason", code="missing", detail=f"To {action} a comment, give a reason."
        )
        raise Invalid(errors=(wrong,))
    legal.must_fit(action, reason, order)
    comment = comments.get_locked(session, site_id, public_id, actor=actor)
    to = decisions.BECOMES[action]
    if comment.revision != revision:
        raise Conflict("this comment has changed since you opened it", code="stale")
    if seen is not None and seen is not comment.state:
        raise Conflict(f"this comment is {comment.state} by now", code="stale")
    decided = decisions.belongs_to_a_person(session, comment.id, revision=revision)
    unaware = seen is None and comment.state is not State.HELD
    # An order may come for what was rejected before, and another after it: the record has them all.
    again = comment.state is to and order is None
    if decided and (again or unaware):
        raise Conflict(
            f"this comment is {comment.state} already, by a person's decision",
            code="already_decided",
        )
    if comment.state is State.HELD and _is_claimed_by_another(comment, actor, now):
        raise Conflict("someone else is looking at this comment", code="claimed")
    decision_id = decisions.move(
        session,
        comment,
        revision=revision,
        to=to,
        actor=actor,
        reason=reason.value if reason else None,
        note=note,
        now=now,
    )
    if order is not None:
        legal.keep(session, decision_id, order)
    return decision_id


def undo(
    session: Session, site_id: int, public_id: str, *, decision_id: int, actor: Actor, now: datetime
) -> None:
    """Put a comment back where it stood before the actor's own latest decision, as a decision of its own.

    What the undone decision took off a page stays off: a pick is an editor's to make again.
    """
    comment = comments.get_locked(session, site_id, public_id, actor=actor)
    last = decisions.latest(session, comment.id)
    undoable = (
        last is not None
        and last.id == decision_id
        and last.person_id is not None
        and last.person_id == actor.person_id
        and last.undoes_id is None
    )
    if (
        not undoable
        or last is None
        or last.revision != comment.revision
        or last.was not in decisions.BECOMES.values()
    ):
        raise Conflict("this is not your decision, or not the comment's latest", code="stale")
    decisions.move(
        session,
        comment,
        revision=comment.revision,
        to=last.was,
        actor=actor,
        reason="undone",
        undoes_id=last.id,
        now=now,
    )


def list_undoable(
    session: Session, site_id: int, *, actor: Actor, limit: int
) -> list[tuple[Decision, View]]:
    """An actor's newest decisions that can still be undone."""
    later = aliased(Decision)
    overtaken = select(later.id).where(
        later.comment_id == Decision.comment_id, later.id > Decision.id
    )
    rows = session.scalars(
        select(Decision)
        .join(Comment, Comment.id == Decision.comment_id)
        .where(
            Decision.site_id == site_id,
            ~overtaken.exists(),
            Decision.person_id == actor.person_id,
            Decision.undoes_id.is_(None),
            Decision.was.in_(list(decisions.BECOMES.values())),
            Decision.revision == Comment.revision,
            sees_comment(actor),
        )
        .order_by(Decision.id.desc())
        .limit(limit)
    ).all()
    shown = {
        view.row_id: view
        for view in reading.views(
            session,
            reading.statement(site_id).where(Comment.id.in_([row.comment_id for row in rows])),
        )
    }
    return [(row, shown[row.comment_id]) for row in rows]


def _in_order(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(Comment.priority.desc(), Comment.id)


def _claimed_by(actor: Actor) -> ColumnElement[bool]:
    return (
        Comment.claim_person_id == actor.person_id
        if actor.person_id
        else Comment.claim_key_id == actor.key_id
    )


def _is_claimed_by_another(comment: Comment, actor: Actor, now: datetime) -> bool:
    latest = now + CLAIM_LASTS + leases.CLOCKS_DIFFER
    if comment.claim_until is None or not now < comment.claim_until <= latest:
        return False
    return (comment.claim_person_id, comment.claim_key_id) != (actor.person_id, actor.key_id)


def _position(cursor: str) -> tuple[float, int]:
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise Invalid("this cursor did not come from this queue", code="invalid_cursor")
    return float(found["priority"]), int(found["row_id"])
