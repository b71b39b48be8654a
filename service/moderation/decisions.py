"""Decisions: the one way a comment changes its state, and the record of it."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict
from service.moderation import feed, withdrawal
from service.moderation.actor import Actor
from service.moderation.policy import Action
from service.storage.tables import Comment, Decision, EventKind, Note, State

# What a ruling, a person's or the machine's, makes of a comment.
BECOMES = {Action.APPROVE: State.APPROVED, Action.HOLD: State.HELD, Action.REJECT: State.REJECTED}
# Where a comment may go from where it stands; the only such table.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset(
        {State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.ERASED}
    ),
    State.HELD: frozenset(
        {State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.ERASED}
    ),
    State.APPROVED: frozenset(
        {State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.ERASED}
    ),
    State.REJECTED: frozenset(
        {State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED, State.WITHDRAWN, State.ERASED}
    ),
    State.WITHDRAWN: frozenset({State.ERASED}),
    State.ERASED: frozenset(),
}


def move(
    session: Session,
    comment: Comment,
    *,
    revision: int,
    to: State,
    actor: Actor,
    reason: str | None,
    now: datetime,
    verdict_id: int | None = None,
    undoes_id: int | None = None,
    note: str | None = None,
) -> int:
    """Move a comment and write the decision and the event, all or nothing; returns the decision's id.

    Raises Conflict when the comment is no longer where `comment` says it is, or at another revision.
    """
    was = comment.state
    if to not in TRANSITIONS[was]:
        raise Conflict(f"a comment that is {was} cannot become {to}", code="wrong_state")
    guard = update(Comment).where(
        Comment.id == comment.id, Comment.state == was, Comment.revision == revision
    )
    moved = session.scalar(
        guard.values(state=to, claim_person_id=None, claim_key_id=None, claim_until=None)
        .returning(Comment.id)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        raise Conflict("this comment has changed since you opened it", code="stale")
    entry = insert(Decision).values(
        site_id=comment.site_id,
        comment_id=comment.id,
        revision=revision,
        was=was,
        now=to,
        reason=reason,
        person_id=actor.person_id,
        key_id=actor.key_id,
        verdict_id=verdict_id,
        undoes_id=undoes_id,
        at=now,
    )
    decision_id: int = session.execute(entry.returning(Decision.id)).scalar_one()
    if note:
        session.execute(insert(Note).values(decision_id=decision_id, body=note, at=now))
    if was is State.APPROVED and to is not State.APPROVED:
        withdrawal.withdraw_picks(session, comment.id, because=reason or to.value, now=now)
    feed.append(
        session,
        comment.site_id,
        EventKind.COMMENT,
        article_id=comment.article_id,
        comment_id=comment.id,
        body={"from": was.value, "to": to.value, "revision": revision, "reason": reason},
        now=now,
    )
    session.refresh(comment)
    return decision_id


def latest(session: Session, comment_id: int, *, revision: int | None = None) -> Decision | None:
    """The last entry of a comment's record, of one revision if asked."""
    statement = (
        select(Decision)
        .where(Decision.comment_id == comment_id)
        .order_by(Decision.id.desc())
        .limit(1)
    )
    if revision is not None:
        statement = statement.where(Decision.revision == revision)
    return session.scalar(statement)


def belongs_to_a_person(session: Session, comment_id: int, *, revision: int) -> bool:
    """Whether someone, not the machine, ruled last on this revision; an edit is no ruling."""
    decision = latest(session, comment_id, revision=revision)
    if decision is None or decision.now is State.RECEIVED:
        return False
    return decision.person_id is not None or decision.key_id is not None
