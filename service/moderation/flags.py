"""Flags: readers' reports of comments, and when enough of them bring one back to the queue."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from service.errors import Conflict
from service.moderation import comments, decisions, feed, reading, sites
from service.moderation.actor import MACHINE, is_somebodys
from service.moderation.people import keyed_hash
from service.moderation.policy import Action, Policy, Reason, urgency
from service.storage.flags import Flag
from service.storage.tables import Comment, Decision, EventKind, State, Verdict

LONGEST_REPORTER = 200


@dataclass(frozen=True, kw_only=True)
class NewFlag:
    """A report as it is kept: the reader by a keyed hash."""

    reporter: str
    reason: Reason | None = None
    note: str | None = None


def hashed_reporter(reporter: str, *, site_id: int, secret: str) -> str:
    """A site's id of a reader as flags keep it: keyed, and another one on every site."""
    return keyed_hash(f"{site_id}:{reporter}", secret=secret)


def report(
    session: Session, site_id: int, public_id: str, new: NewFlag, *, now: datetime
) -> tuple[Comment, bool]:
    """Keep a reader's report, once; with the comment, and whether the report is new.

    Raises Conflict for a comment that is gone.
    """
    comment = comments.get_locked(session, site_id, public_id)
    mine = select(Flag.id).where(Flag.comment_id == comment.id, Flag.reporter == new.reporter)
    if session.scalar(mine) is not None:
        return comment, False
    if comment.state in {State.WITHDRAWN, State.ERASED}:
        raise Conflict(f"this comment is {comment.state}", code="wrong_state")
    session.execute(
        insert(Flag).values(
            comment_id=comment.id,
            revision=comment.revision,
            reporter=new.reporter,
            reason=new.reason.value if new.reason else None,
            note=new.note,
            at=now,
        )
    )
    count = reading.count_flags(session, [comment.id])[comment.id]
    comment.priority = round(comment.priority + urgency(count) - urgency(count - 1), 4)
    feed.append(
        session,
        site_id,
        EventKind.FLAG,
        article_id=comment.article_id,
        comment_id=comment.id,
        body={
            "flags": count,
            "reason": new.reason.value if new.reason else None,
            "state": comment.state.value,
            "revision": comment.revision,
        },
        now=now,
    )
    in_force = sites.get_policy(session, site_id)
    if _comes_back(session, comment, in_force):
        _hold(session, comment, in_force, now=now)
    return comment, True


def _comes_back(session: Session, comment: Comment, in_force: Policy) -> bool:
    """Whether enough readers reported an approved comment that nobody has looked at since they began."""
    if comment.state is not State.APPROVED or not in_force.flags_to_hold or in_force.observe:
        return False
    by_a_person = (
        Decision.comment_id == comment.id,
        is_somebodys(),
        Decision.now.in_(list(decisions.BECOMES.values())),
    )
    began = select(func.min(Flag.at)).where(Flag.comment_id == comment.id).scalar_subquery()
    looked = select(Decision.id).where(
        *by_a_person, Decision.revision == comment.revision, Decision.at >= began
    )
    if session.scalar(looked.limit(1)) is not None:
        return False
    last = session.scalar(select(func.max(Decision.at)).where(*by_a_person))
    since = select(func.count()).where(Flag.comment_id == comment.id)
    if last is not None:
        since = since.where(Flag.at >= last)
    return (session.scalar(since) or 0) >= in_force.flags_to_hold


def _hold(session: Session, comment: Comment, in_force: Policy, *, now: datetime) -> None:
    """Back to the queue, with a verdict that says why; the scores stay those it was judged by."""
    before = session.get(Verdict, comment.verdict_id) if comment.verdict_id else None
    verdict_id = session.scalar(
        insert(Verdict)
        .values(
            comment_revision_id=comments.get_revision(session, comment).id,
            score_id=comment.score_id,
            policy_version=in_force.version,
            model=before.model if before else None,
            action=Action.HOLD.value,
            reasons=[{"code": Reason.FLAGGED.value, "evidence": []}],
            not_judged=before.not_judged if before else [],
            created_at=now,
        )
        .returning(Verdict.id)
    )
    comment.verdict_id = verdict_id
    session.flush()  # the guarded move reads the row
    decisions.move(
        session,
        comment,
        revision=comment.revision,
        to=State.HELD,
        actor=MACHINE,
        reason=Reason.FLAGGED.value,
        verdict_id=verdict_id,
        now=now,
    )
