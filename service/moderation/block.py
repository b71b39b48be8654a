"""The block: an article's picks as readers see them, published as a whole and always true."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import Conflict, NotFound
from service.moderation import articles, comments, picks, withdrawal
from service.moderation.actor import Actor
from service.moderation.scores import Span
from service.storage.tables import Article, Comment, Pick, PickState, Site, State


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A pick on the page: the name, and the words under it."""

    id: str
    author_name: str
    quote: str
    comment_id: str
    comment_url: str | None


@dataclass(frozen=True, kw_only=True)
class Block:
    """What stands under an article now."""

    article_id: str
    article_url: str
    version: int
    changed_at: datetime | None
    quotes: tuple[Quote, ...]


def get_published(session: Session, site_slug: str, article_id: str) -> Block:
    """The public block; an article without picks has an empty one. Raises NotFound for an unknown article."""
    article = session.scalar(
        select(Article)
        .join(Site, Site.id == Article.site_id)
        .where(Site.slug == site_slug, Site.sandbox_of.is_(None), Article.public_id == article_id)
    )
    if article is None:
        raise NotFound("there is no such article")
    return of_article(session, article)


def of_article(session: Session, article: Article) -> Block:
    """The public block of an article at hand."""
    rows = session.execute(
        select(Pick, Comment.public_id, Comment.url)
        .join(Comment, Comment.id == Pick.comment_id)
        .where(Pick.article_id == article.id, Pick.published_position.is_not(None))
        .order_by(Pick.published_position)
    )
    quotes = tuple(
        Quote(
            id=pick.public_id,
            author_name=pick.author_name,
            quote=pick.quote,
            comment_id=comment,
            comment_url=url,
        )
        for pick, comment, url in rows
    )
    return Block(
        article_id=article.public_id,
        article_url=article.url,
        version=article.block_version,
        changed_at=article.block_changed_at,
        quotes=quotes,
    )


def publish(
    session: Session, site_id: int, article_id: str, *, version: int, actor: Actor, now: datetime
) -> Article:
    """Put the draft on the page; raises Conflict when the draft is not the one that was seen."""
    # Held, so that no pick moves while the draft is checked and published.
    article = articles.get_locked(session, site_id, article_id, actor=actor)
    if article.draft_version != version:
        raise Conflict("the draft has changed since you saw it", code="stale")
    draft = picks.list_chosen(session, article)
    for pick in draft:
        _must_be_true(session, pick)
    for pick in _on_the_page(session, article):
        pick.published_position = None
    for position, pick in enumerate(draft, start=1):
        pick.published_position = position
    session.flush()  # the versions below are moved in SQL
    withdrawal.move_versions(session, site_id, article.id, public=True, now=now)
    session.refresh(article)
    return article


def withdraw(
    session: Session, site_id: int, article_id: str, *, actor: Actor, now: datetime
) -> Article:
    """Take the whole block down; the draft stays as it is."""
    article = articles.get_locked(session, site_id, article_id, actor=actor)
    standing = _on_the_page(session, article)
    for pick in standing:
        pick.published_position = None
    session.flush()  # the versions below are moved in SQL
    if standing:
        withdrawal.move_versions(session, site_id, article.id, public=True, now=now)
        session.refresh(article)
    return article


def _on_the_page(session: Session, article: Article) -> list[Pick]:
    return list(
        session.scalars(
            select(Pick).where(Pick.article_id == article.id, Pick.published_position.is_not(None))
        )
    )


def _must_be_true(session: Session, pick: Pick) -> None:
    """The last look before the page: the comment is approved, at this revision, and holds these words."""
    comment = session.get_one(
        Comment, pick.comment_id, with_for_update=True, populate_existing=True
    )
    words = comments.get_revision(session, comment, number=pick.revision)
    spans = [Span(start=start, end=end) for start, end in pick.spans]
    true = comment.state is State.APPROVED and comment.revision == pick.revision
    if (
        not true
        or picks.quoted(words.body, spans) != pick.quote
        or pick.state is not PickState.CHOSEN
    ):
        raise Conflict(
            "a pick is no longer what its author says; take it out first", code="pick_not_true"
        )
