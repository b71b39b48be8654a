"""Messages: what a webhook is told of an event, ids and states only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.storage.tables import Article, Comment, Event, EventKind, Pick, PickState, Site, State
from service.storage.webhook_tables import Delivery, Webhook

TEST = "webhook.test"
# Every type there is, for those who write and document receivers.
TYPES = (
    *(f"comment.{state.value}" for state in State),
    "comment.flagged",
    *(f"pick.{state.value}" for state in PickState),
    "block.changed",
    TEST,
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One event as its receiver reads it."""

    type: str
    at: datetime
    site: str
    article_id: str | None = None
    comment_id: str | None = None
    pick_id: str | None = None
    revision: int | None = None
    state: str | None = None
    version: int | None = None
    cursor: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is sent: type, time, and thin data."""
        return {
            "type": self.type,
            "timestamp": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                "site": self.site,
                "article_id": self.article_id,
                "comment_id": self.comment_id,
                "pick_id": self.pick_id,
                "revision": self.revision,
                "state": self.state,
                "version": self.version,
                "cursor": self.cursor,
            },
        }


def list_of(session: Session, delivery_ids: Sequence[int]) -> dict[int, Message]:
    """The messages of these deliveries, by their row's id."""
    rows = session.execute(
        select(Delivery, Site.slug, Event, Article.public_id, Comment.public_id, Pick)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .join(Site, Site.id == Webhook.site_id)
        .outerjoin(Event, Event.id == Delivery.event_id)
        .outerjoin(Article, Article.id == Event.article_id)
        .outerjoin(Comment, Comment.id == Event.comment_id)
        .outerjoin(Pick, Pick.id == Event.pick_id)
        .where(Delivery.id.in_(delivery_ids))
    )
    return {
        delivery.id: Message(type=TEST, at=delivery.created_at, site=site)
        if delivery.event_id is None
        else _of_event(event, site=site, article_id=article, comment_id=comment, pick=pick)
        for delivery, site, event, article, comment, pick in rows
    }


def _of_event(
    event: Event, *, site: str, article_id: str | None, comment_id: str | None, pick: Pick | None
) -> Message:
    kind, body = event.kind, event.body
    # A later score that disagrees with a person leaves the comment's state alone.
    state = body.get("to" if kind is EventKind.COMMENT else "state")
    what = {EventKind.BLOCK: "changed", EventKind.FLAG: "flagged"}.get(kind, state)
    return Message(
        type=f"{EventKind.COMMENT.value if kind is EventKind.FLAG else kind.value}.{what}",
        at=event.at,
        site=site,
        article_id=article_id,
        comment_id=comment_id,
        pick_id=pick.public_id if pick else None,
        revision=pick.revision if pick else body.get("revision"),
        state=state,
        version=body.get("version"),
        cursor=str(event.id),
    )
