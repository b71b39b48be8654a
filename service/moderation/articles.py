"""Articles: what the site registered, revision by revision, and their counts."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import trafilatura
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.moderation.actor import MACHINE, Actor, sees_article
from service.moderation.scores import ArticleText
from service.storage.tables import Article, ArticleRevision, Comment, Mode, Pick, State

LONGEST_ARTICLE = 2_000_000
LONGEST_TITLE = 1000
MOST_SECTIONS = 100
MARKUP = re.compile(
    r"<(?:p|div|br|h[1-6]|article|section|html|body|ul|ol|blockquote)\b[^>]*>", re.IGNORECASE
)
DOCUMENT = re.compile(r"<(?:html|body)\b", re.IGNORECASE)
EMBED_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class NewArticle:
    """An article as a site sends it: `body` is plain text or HTML, `text` the words of it.

    The words are given because a long page takes seconds to read: no transaction may be open meanwhile.
    """

    id: str
    url: str
    title: str
    body: str
    text: str
    language: str | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    bylines: tuple[str, ...] = ()
    reach: int | None = None
    published_at: datetime | None = None
    mode: Mode = Mode.NORMAL


def put(session: Session, site_id: int, new: NewArticle, *, now: datetime) -> tuple[Article, bool]:
    """Register or update an article; words that changed become a new revision. True if it is new."""
    article = find(session, site_id, new.id)
    created = article is None
    if article is None:
        article = Article(
            site_id=site_id,
            public_id=new.id,
            revision=0,
            draft_version=0,
            block_version=0,
            block_changed_at=None,
            created_at=now,
        )
        session.add(article)
    article.url, article.section, article.reach = new.url, new.section, new.reach
    article.tags, article.bylines = list(new.tags), list(new.bylines)
    article.mode, article.published_at, article.updated_at = new.mode, new.published_at, now
    session.flush()  # the revision needs the article's id
    fingerprint = _fingerprint(new)
    latest = None if created else get_revision(session, article)
    if latest is None or latest.fingerprint != fingerprint:
        article.revision += 1
        session.add(
            ArticleRevision(
                article_id=article.id,
                number=article.revision,
                title=new.title,
                body=new.body,
                text=new.text,
                language=new.language,
                fingerprint=fingerprint,
                embed_after=now,
                created_at=now,
            )
        )
        if not created:
            _score_again(session, article, now=now)
    session.flush()  # the caller reads it back
    return article, created


def find(session: Session, site_id: int, public_id: str) -> Article | None:
    return session.scalar(
        select(Article).where(Article.site_id == site_id, Article.public_id == public_id)
    )


def get(session: Session, site_id: int, public_id: str, *, actor: Actor = MACHINE) -> Article:
    """An article that the actor sees; raises NotFound."""
    article = session.scalar(_sought(site_id, public_id, actor))
    if article is None:
        raise NotFound("there is no such article on this site")
    return article


def find_locked(
    session: Session, site_id: int, public_id: str, *, actor: Actor = MACHINE
) -> Article | None:
    """The article, held until the end of the transaction: its comments and picks change one at a time.

    Locks are taken in this order: article, comment, feed.
    """
    return session.scalar(
        _sought(site_id, public_id, actor)
        # Not more than it needs: whoever only refers to the article goes on.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def get_locked(
    session: Session, site_id: int, public_id: str, *, actor: Actor = MACHINE
) -> Article:
    """As `find_locked`; raises NotFound."""
    article = find_locked(session, site_id, public_id, actor=actor)
    if article is None:
        raise NotFound("there is no such article on this site")
    return article


def get_revision(session: Session, article: Article) -> ArticleRevision:
    """The article's words as they are now."""
    return session.scalars(
        select(ArticleRevision).where(
            ArticleRevision.article_id == article.id, ArticleRevision.number == article.revision
        )
    ).one()


def count_by_state(session: Session, article: Article) -> dict[str, int]:
    """How many comments stand where; states without any are there with 0."""
    rows = session.execute(
        select(Comment.state, func.count())
        .where(Comment.article_id == article.id)
        .group_by(Comment.state)
    )
    counted = {state: number for state, number in rows}
    return {state.value: counted.get(state, 0) for state in State}


@dataclass(frozen=True, kw_only=True)
class Row:
    """An article in a list: what is waiting, what could be picked, what is on the page."""

    public_id: str
    title: str
    section: str | None
    url: str
    published_at: datetime | None
    held: int
    approved: int
    on_page: int


def list_recent(session: Session, site_id: int, *, actor: Actor, limit: int) -> list[Row]:
    """The newest articles that the actor sees, with the counts that desks need."""
    held = func.count(Comment.id).filter(Comment.state == State.HELD)
    approved = func.count(Comment.id).filter(Comment.state == State.APPROVED)
    on_page = (
        select(func.count(Pick.id))
        .where(Pick.article_id == Article.id, Pick.published_position.is_not(None))
        .scalar_subquery()
    )
    rows = session.execute(
        select(Article, ArticleRevision.title, held, approved, on_page)
        .join(
            ArticleRevision,
            (ArticleRevision.article_id == Article.id)
            & (ArticleRevision.number == Article.revision),
        )
        .outerjoin(Comment, Comment.article_id == Article.id)
        .where(Article.site_id == site_id, sees_article(actor))
        .group_by(Article.id, ArticleRevision.id)
        .order_by(func.coalesce(Article.published_at, Article.created_at).desc(), Article.id.desc())
        .limit(limit)
    )
    return [
        Row(
            public_id=article.public_id,
            title=title,
            section=article.section,
            url=article.url,
            published_at=article.published_at,
            held=waiting,
            approved=fine,
            on_page=shown,
        )
        for article, title, waiting, fine, shown in rows
    ]


def list_sections(session: Session, site_id: int) -> list[str]:
    """The sections that a site's articles stand in, by name."""
    rows = session.scalars(
        select(Article.section)
        .where(Article.site_id == site_id, Article.section.is_not(None))
        .distinct()
        .order_by(Article.section)
        .limit(MOST_SECTIONS)
    )
    return [section for section in rows if section]


def as_models_read(revision: ArticleRevision) -> ArticleText:
    """The revision as the scorer is asked about it."""
    return ArticleText(
        revision_id=revision.id,
        title=revision.title,
        text=revision.text,
        passages=revision.passages,
        passages_model=revision.passages_model,
    )


def take_unembedded(session: Session, *, now: datetime, limit: int) -> list[ArticleText]:
    """Articles whose passages are to be embedded; taken for a minute, so that two workers share the work."""
    due = (
        select(ArticleRevision.id)
        .where(ArticleRevision.embed_after <= now)
        .order_by(ArticleRevision.embed_after)
        .limit(limit)
    )
    taken = session.scalars(
        update(ArticleRevision)
        .where(ArticleRevision.id.in_(due), ArticleRevision.embed_after <= now)
        .values(embed_after=now + EMBED_AGAIN_AFTER)
        .returning(ArticleRevision)
    ).all()
    return [as_models_read(revision) for revision in taken]


def keep_passages(
    session: Session, *, revision_id: int | None, model: str, passages: bytes
) -> None:
    """Store what the scorer made of an article."""
    session.execute(
        update(ArticleRevision)
        .where(ArticleRevision.id == revision_id)
        .values(passages=passages, passages_model=model, embed_after=None)
    )


def plain_text(body: str) -> str:
    """The words of an article, without its markup; plain text comes back as it is."""
    if not MARKUP.search(body):
        return body.replace("\r\n", "\n")
    # The extractor takes documents: a bare fragment it may refuse, or leave its headings out.
    page = body if DOCUMENT.search(body) else f"<html><body>{body}</body></html>"
    extracted = trafilatura.extract(
        page, include_comments=False, include_tables=True, favor_recall=True
    )
    return extracted or trafilatura.html2txt(page)


def _sought(site_id: int, public_id: str, actor: Actor) -> Select[Article]:
    named = (Article.site_id == site_id, Article.public_id == public_id)
    return select(Article).where(*named, sees_article(actor))


def _fingerprint(new: NewArticle) -> str:
    parts = json.dumps([new.title, new.body, new.language], ensure_ascii=False)
    return hashlib.sha256(parts.encode()).hexdigest()


def _score_again(session: Session, article: Article, *, now: datetime) -> None:
    """New words of the article: its comments are judged again, by and by."""
    session.execute(
        update(Comment)
        .where(
            Comment.article_id == article.id,
            Comment.state.in_([State.HELD, State.APPROVED, State.REJECTED]),
        )
        .values(score_after=func.coalesce(Comment.score_after, now))
        .execution_options(synchronize_session=False)
    )
