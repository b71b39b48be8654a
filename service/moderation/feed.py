"""The feed: every published change, in the order of its commits, ids and states only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.errors import Gone
from service.moderation import cursors, retention
from service.storage.db import serialize_feed
from service.storage.tables import Article, Comment, Event, EventKind, Pick

LONGEST_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Line:
    """An event as readers of the feed see it."""

    cursor: str
    kind: EventKind
    article_id: str | None
    comment_id: str | None
    pick_id: str | None
    body: dict[str, Any]
    at: datetime


def append(
    session: Session,
    site_id: int,
    kind: EventKind,
    *,
    body: dict[str, Any],
    article_id: int | None = None,
    comment_id: int | None = None,
    pick_id: int | None = None,
    now: datetime,
) -> None:
    """Write an event; from here to the commit no other transaction writes one for this site."""
    serialize_feed(session, site_id)
    session.execute(
        insert(Event).values(
            site_id=site_id,
            kind=kind,
            article_id=article_id,
            comment_id=comment_id,
            pick_id=pick_id,
            body=body,
            at=now,
        )
    )


def next_page(session: Session, site_id: int, *, after: str | None, limit: int) -> list[Line]:
    """The events behind a cursor, oldest first; a cursor is never stepped over.

    Raises Gone where events behind it are no longer kept; without a cursor it begins with the oldest kept.
    """
    behind = cursors.parse(after, of="feed") if after else None
    if behind is not None and behind < retention.pruned_to(session, site_id):
        raise Gone(
            "events behind this cursor are no longer kept: begin without one, and read anew what you keep",
            code="cursor_pruned",
        )
    rows = session.execute(
        select(Event, Article.public_id, Comment.public_id, Pick.public_id)
        .outerjoin(Article, Article.id == Event.article_id)
        .outerjoin(Comment, Comment.id == Event.comment_id)
        .outerjoin(Pick, Pick.id == Event.pick_id)
        .where(Event.site_id == site_id, Event.id > (behind or 0))
        .order_by(Event.id)
        .limit(min(limit, LONGEST_PAGE))
    )
    return [
        Line(
            cursor=str(event.id),
            kind=event.kind,
            article_id=article,
            comment_id=comment,
            pick_id=pick,
            body=event.body,
            at=event.at,
        )
        for event, article, comment, pick in rows
    ]
