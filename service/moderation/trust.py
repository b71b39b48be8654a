"""Trust: whether an author's record lets their comments through where only trusted authors may pass."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from service.storage.tables import Comment, Decision, State

REJECTION_COUNTS_FOR = timedelta(days=90)
Later = aliased(Decision)


def is_trusted(
    session: Session,
    comment: Comment,
    *,
    after: int,
    posted_before: datetime | None = None,
    now: datetime,
) -> bool:
    """Whether the author has `after` approved comments beside this one, and no rejection lately.

    With `posted_before` only comments that are older count: a flood earns no trust by itself.

    An author without id and address is nobody's acquaintance. A rejection that was undone or
    overruled on the same revision is none; an edit does not wash one off.
    """
    if comment.author_id is None:
        return False
    approved = select(func.count()).where(
        Comment.author_id == comment.author_id,
        Comment.state == State.APPROVED,
        Comment.id != comment.id,
    )
    if posted_before is not None:
        approved = approved.where(Comment.posted_at < posted_before)
    if (session.scalar(approved) or 0) < after:
        return False
    overruled = (
        select(Later.id)
        .where(
            Later.comment_id == Decision.comment_id,
            Later.revision == Decision.revision,
            Later.id > Decision.id,
            Later.now.in_([State.APPROVED, State.HELD]),
        )
        .exists()
    )
    rejected = (
        select(Decision.id)
        .join(Comment, Comment.id == Decision.comment_id)
        .where(
            Comment.author_id == comment.author_id,
            Decision.now == State.REJECTED,
            Decision.at > now - REJECTION_COUNTS_FOR,
            ~overruled,
        )
    )
    return session.scalar(rejected.limit(1)) is None
