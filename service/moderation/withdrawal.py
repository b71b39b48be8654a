"""Withdrawal: what leaves the page when a comment does."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.moderation import feed
from service.storage.tables import Article, EventKind, Pick, PickState


def withdraw_picks(session: Session, comment_id: int, *, because: str, now: datetime) -> int:
    """Take a comment's picks off draft and page, in the caller's transaction; returns how many there were."""
    picks = session.scalars(
        select(Pick).where(
            Pick.comment_id == comment_id,
            (Pick.state == PickState.CHOSEN) | Pick.published_position.is_not(None),
        )
    ).all()
    for pick in picks:
        was_public = pick.published_position is not None
        pick.state = PickState.WITHDRAWN
        pick.withdrawn_because = because
        pick.published_position = None
        feed.append(
            session,
            pick.site_id,
            EventKind.PICK,
            article_id=pick.article_id,
            comment_id=comment_id,
            pick_id=pick.id,
            body={"state": PickState.WITHDRAWN.value, "because": because},
            now=now,
        )
        move_versions(session, pick.site_id, pick.article_id, public=was_public, now=now)
    return len(picks)


def draw_again(session: Session, comment_id: int, *, now: datetime) -> None:
    """Something that the page shows beside a comment's words has changed: its block is another one."""
    standing = session.scalars(
        select(Pick).where(Pick.comment_id == comment_id, Pick.published_position.is_not(None))
    ).all()
    for pick in standing:
        move_versions(session, pick.site_id, pick.article_id, public=True, now=now)


def move_versions(
    session: Session, site_id: int, article_id: int, *, public: bool, now: datetime
) -> None:
    """Count the draft on; where the page changed too, count the block on and tell the feed."""
    values = {"draft_version": Article.draft_version + 1}
    if not public:
        session.execute(update(Article).where(Article.id == article_id).values(**values))
        return
    version = session.scalar(
        update(Article)
        .where(Article.id == article_id)
        .values(**values, block_version=Article.block_version + 1, block_changed_at=now)
        .returning(Article.block_version)
    )
    feed.append(
        session, site_id, EventKind.BLOCK, article_id=article_id, body={"version": version}, now=now
    )
