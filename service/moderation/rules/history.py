"""History: rules applied to a comment with what its author did before and what says the same; read-only."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.moderation.policy import Hit
from service.moderation.rules.book import Need
from service.moderation.rules.matching import Alike, History, Matcher, Subject
from service.storage.rule_tables import Likeness
from service.storage.tables import Comment, CommentRevision, State

# As far back as a rule may look, in comments.
LONGEST_HISTORY = 100
MOST_REPEATS = 1000
# Beyond, a campaign is a campaign: the newest are counted.
MOST_ALIKE = 5000


def apply(
    session: Session, matcher: Matcher, comment: Comment, revision: CommentRevision
) -> tuple[Hit, ...]:
    """The rules that apply to a revision, with what was there when it was written."""
    if not matcher.rules:
        return ()
    subject = Subject(
        text=revision.body,
        author_name=revision.author_name,
        author_url=revision.author_url,
        history=find(session, comment, at=revision.created_at, needs=matcher.needs),
    )
    return matcher.apply(subject)


def find(session: Session, comment: Comment, *, at: datetime, needs: Collection[Need]) -> History:
    """What there was beside a comment when its present words were written, so far as rules ask for it."""
    known = comment.author_id is not None
    cluster = session.get(Likeness, comment.id) if Need.LIKENESS in needs else None
    return History(
        at=at,
        approved=_approved(session, comment, at) if known and Need.AUTHOR in needs else None,
        rejections=_rejections(session, comment, at) if known and Need.AUTHOR in needs else (),
        repeats=_repeats(session, comment, at) if known and Need.REPEATS in needs else (),
        cluster=cluster.cluster if cluster else None,
        alike=_alike(session, comment, cluster.cluster, at) if cluster and cluster.cluster else (),
    )


def _approved(session: Session, comment: Comment, at: datetime) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                Comment.author_id == comment.author_id,
                Comment.id != comment.id,
                Comment.created_at <= at,
                Comment.state == State.APPROVED,
            )
        )
        or 0
    )


def _rejections(session: Session, comment: Comment, at: datetime) -> tuple[bool, ...]:
    states = session.scalars(
        select(Comment.state)
        .where(
            Comment.author_id == comment.author_id,
            Comment.id != comment.id,
            Comment.created_at <= at,
            Comment.state.in_((State.APPROVED, State.REJECTED)),
        )
        .order_by(Comment.id.desc())
        .limit(LONGEST_HISTORY)
    )
    return tuple(state is State.REJECTED for state in states)


def _repeats(session: Session, comment: Comment, at: datetime) -> tuple[datetime, ...]:
    own = select(Likeness.fingerprint).where(Likeness.comment_id == comment.id).scalar_subquery()
    times = session.scalars(
        select(Likeness.at)
        .join(Comment, Comment.id == Likeness.comment_id)
        .where(
            Likeness.fingerprint == own,
            Comment.author_id == comment.author_id,
            Likeness.comment_id != comment.id,
            Likeness.at <= at,
        )
        .order_by(Likeness.at.desc())
        .limit(MOST_REPEATS)
    )
    return tuple(times)


def _alike(session: Session, comment: Comment, cluster: int, at: datetime) -> tuple[Alike, ...]:
    rows = session.execute(
        select(Likeness.at, Comment.author_id, Comment.id)
        .join(Comment, Comment.id == Likeness.comment_id)
        .where(Likeness.site_id == comment.site_id, Likeness.cluster == cluster, Likeness.at <= at)
        .order_by(Likeness.at.desc())
        .limit(MOST_ALIKE)
    )
    # Authors have positive ids; whoever is unknown is somebody of their own, told by the comment's.
    return tuple(Alike(at=when, author=author or -row_id) for when, author, row_id in rows)
