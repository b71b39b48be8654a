"""The block: draft and published, put on the page and taken down."""

from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.picks import PicksReply, draft_reply
from service.api.schemas import PublishBody
from service.moderation import articles, block


class QuoteReply(BaseModel):
    """A pick on the page."""

    id: str
    author_name: str
    quote: str
    comment_id: str
    comment_url: str | None


class PublishedReply(BaseModel):
    """What readers see."""

    version: int
    changed_at: AwareDatetime | None
    items: list[QuoteReply]


class BlockReply(BaseModel):
    """Both sides of the block."""

    article_id: str
    draft: PicksReply
    published: PublishedReply


@answers({200: BlockReply}, refuses=(404,))
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The draft, and what is on the page."""
    return Reply(body=_reply(session, call.site_id, call.path["article_id"]))


@answers({200: BlockReply}, refuses=(404, 409))
def publish(session: Session, call: Call[PublishBody, Nothing]) -> Reply:
    """Put the draft on the page; a stale version is refused."""
    article_id = call.path["article_id"]
    block.publish(
        session,
        call.site_id,
        article_id,
        version=call.body.version,
        actor=call.actor,
        now=call.now,
    )
    return Reply(body=_reply(session, call.site_id, article_id))


@answers({200: BlockReply}, refuses=(404,))
def withdraw(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Take the whole block down; the draft stays."""
    article_id = call.path["article_id"]
    block.withdraw(session, call.site_id, article_id, actor=call.actor, now=call.now)
    return Reply(body=_reply(session, call.site_id, article_id))


def _reply(session: Session, site_id: int, article_id: str) -> BlockReply:
    published = block.of_article(session, articles.get(session, site_id, article_id))
    return BlockReply(
        article_id=article_id,
        draft=draft_reply(session, site_id, article_id),
        published=PublishedReply(
            version=published.version,
            changed_at=published.changed_at,
            items=[
                QuoteReply(
                    id=each.id,
                    author_name=each.author_name,
                    quote=each.quote,
                    comment_id=each.comment_id,
                    comment_url=each.comment_url,
                )
                for each in published.quotes
            ],
        ),
    )
