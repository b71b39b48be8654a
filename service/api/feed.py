"""The feed: every published change, oldest first, by cursor."""

from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import FeedQuery
from service.moderation import feed
from service.storage.tables import EventKind


class EventReply(BaseModel):
    """One change; ids and states only."""

    cursor: str
    kind: EventKind
    article_id: str | None
    comment_id: str | None
    pick_id: str | None
    body: dict[str, Any]
    at: AwareDatetime


class FeedReply(BaseModel):
    """Events behind a cursor; `next` is where to go on, also when nothing has happened."""

    items: list[EventReply]
    next: str | None


@answers({200: FeedReply}, refuses=(410,))
def next_page(session: Session, call: Call[Nothing, FeedQuery]) -> Reply:
    """The events behind `after`; nothing is ever stepped over."""
    lines = feed.next_page(session, call.site_id, after=call.query.after, limit=call.query.limit)
    items = [
        EventReply(
            cursor=line.cursor,
            kind=line.kind,
            article_id=line.article_id,
            comment_id=line.comment_id,
            pick_id=line.pick_id,
            body=line.body,
            at=line.at,
        )
        for line in lines
    ]
    return Reply(body=FeedReply(items=items, next=items[-1].cursor if items else call.query.after))
