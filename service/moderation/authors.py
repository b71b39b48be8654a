"""Authors: everything that is kept of one, to be handed out or erased."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from service.moderation import comments, cursors, erasures
from service.moderation.actor import Actor
from service.moderation.flags import hashed_reporter
from service.storage.flags import Flag
from service.storage.limit_tables import Arrival
from service.storage.privacy_tables import AuthorEmail, LegalOrder
from service.storage.tables import (
    Article,
    Author,
    Comment,
    CommentRevision,
    Decision,
    Event,
    Note,
    Pick,
    Score,
    State,
    Verdict,
)
from service.storage.webhook_tables import Delivery

LONGEST_PAGE = 100
# In one transaction, which everybody else who writes waits for.
MOST_ERASED = 100
BY_ID, BY_EMAIL = "id:", "email:"

Parent = aliased(Comment)


@dataclass(frozen=True, kw_only=True)
class Known:
    """An author as a request names one: rows, the keyed hashes under which they reported, a comment asked for."""

    author_ids: tuple[int, ...]
    reporters: tuple[str, ...]
    comment_id: int | None = None

    @property
    def has_written(self) -> ColumnElement[bool]:
        """Of a comment's row: they wrote it. Of an author nobody knows, only the comment asked for is known."""
        return or_(Comment.author_id.in_(self.author_ids), Comment.id == self.comment_id)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A comment with every row that is kept for it, oldest first."""

    comment: Comment
    article_id: str
    parent_id: str | None
    revisions: Sequence[CommentRevision]
    scores: Sequence[Score]
    verdicts: Sequence[Verdict]
    decisions: Sequence[tuple[Decision, str | None, LegalOrder | None]]
    flags: Sequence[Flag]
    picks: Sequence[Pick]
    deliveries: Sequence[str]
    address: str | None


@dataclass(frozen=True, kw_only=True)
class Export:
    """A stretch of what is kept of an author; what they reported is on the first."""

    subjects: Sequence[str]
    comments: Sequence[Kept]
    reports: Sequence[tuple[Flag, str]]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What an erasure did: comments, reports that are nobody's now, and comments that remain to be erased."""

    comments: int
    reports: int
    remaining: int


def find_by_id(session: Session, site_id: int, author_id: str, *, secret: str) -> Known:
    """Whoever the site calls so, as an author, as a reader who reports, or as both."""
    return _known(session, site_id, [BY_ID + author_id], secret=secret)


def find_by_email(session: Session, site_id: int, email_hash: str, *, secret: str) -> Known:
    """Whoever wrote under this address, be they known by it or by an id."""
    with_it = (
        select(Author.subject)
        .join(AuthorEmail, AuthorEmail.author_id == Author.id)
        .where(Author.site_id == site_id, AuthorEmail.email_hash == email_hash)
    )
    subjects = [BY_EMAIL + email_hash, *session.scalars(with_it)]
    return _known(session, site_id, subjects, secret=secret)


def find_by_comment(session: Session, site_id: int, public_id: str, *, secret: str) -> Known:
    """Whoever wrote a comment, and the comment where that is nobody known; raises NotFound."""
    comment = comments.get(session, site_id, public_id)
    subject = session.scalar(select(Author.subject).where(Author.id == comment.author_id))
    known = _known(session, site_id, [subject] if subject else [], secret=secret)
    return Known(author_ids=known.author_ids, reporters=known.reporters, comment_id=comment.id)


def export(
    session: Session, site_id: int, known: Known, *, cursor: str | None, limit: int
) -> Export:
    """Everything that is kept of an author, `limit` comments at a time."""
    limit = max(1, min(limit, LONGEST_PAGE))
    after = cursors.parse(cursor, of="export") if cursor else 0
    statement = (
        select(Comment, Article.public_id, Parent.public_id)
        .join(Article, Article.id == Comment.article_id)
        .outerjoin(Parent, Parent.id == Comment.parent_id)
        .where(Comment.site_id == site_id, known.has_written, Comment.id > after)
        .order_by(Comment.id)
        .limit(limit + 1)
    )
    rows = [(c, article, parent) for c, article, parent in session.execute(statement)]
    shown = rows[:limit]
    subjects = select(Author.subject).where(Author.id.in_(known.author_ids)).order_by(Author.id)
    emails = select(AuthorEmail.email_hash).where(AuthorEmail.author_id.in_(known.author_ids))
    reports = (
        select(Flag, Comment.public_id)
        .join(Comment, Comment.id == Flag.comment_id)
        .where(Comment.site_id == site_id, Flag.reporter.in_(known.reporters))
        .order_by(Flag.id)
    )
    return Export(
        subjects=[
            *session.scalars(subjects),
            *(BY_EMAIL + each for each in session.scalars(emails.order_by(AuthorEmail.email_hash))),
        ],
        comments=_kept(session, shown),
        reports=[] if cursor else [(flag, of) for flag, of in session.execute(reports)],
        next_cursor=str(shown[-1][0].id) if len(rows) > limit else None,
    )


def erase(session: Session, site_id: int, known: Known, *, actor: Actor, now: datetime) -> Erased:
    """Erase an author: of many comments so many at a time, the one that was asked for last.

    Doing it again erases the rest, and then changes nothing.
    """
    left = (
        Comment.site_id == site_id,
        known.has_written,
        Comment.state != State.ERASED,
    )
    asked_for_last = (Comment.id == known.comment_id, Comment.id)
    ids = select(Comment.id).where(*left).order_by(*asked_for_last).limit(MOST_ERASED)
    erased = erasures.erase(
        session, session.scalars(ids).all(), actor=actor, because=erasures.ON_REQUEST, now=now
    )
    reports = sum(
        erasures.forget_reporter(session, site_id, each, now=now) for each in known.reporters
    )
    erasures.forget_authors(session, known.author_ids)
    remaining = session.scalar(select(func.count()).select_from(Comment).where(*left)) or 0
    return Erased(comments=erased, reports=reports, remaining=remaining)


def _known(session: Session, site_id: int, subjects: Sequence[str], *, secret: str) -> Known:
    found = select(Author.id).where(Author.site_id == site_id, Author.subject.in_(subjects))
    ids = [each.removeprefix(BY_ID) for each in subjects if each.startswith(BY_ID)]
    return Known(
        author_ids=tuple(session.scalars(found.order_by(Author.id))),
        reporters=tuple(hashed_reporter(each, site_id=site_id, secret=secret) for each in ids),
    )


def _kept(session: Session, rows: Sequence[tuple[Comment, str, str | None]]) -> list[Kept]:
    ids = [comment.id for comment, _, _ in rows]
    revision = CommentRevision.comment_id

    def beside(statement: Any, comment_id: Any, order: Any) -> dict[int, list[Any]]:
        found = session.execute(
            statement.add_columns(comment_id).where(comment_id.in_(ids)).order_by(order)
        )
        grouped: dict[int, list[Any]] = {row_id: [] for row_id in ids}
        for *columns, row_id in found:
            grouped[row_id].append(columns[0] if len(columns) == 1 else tuple(columns))
        return grouped

    revisions = beside(select(CommentRevision), revision, CommentRevision.id)
    of_score = CommentRevision.id == Score.comment_revision_id
    scores = beside(select(Score).join(CommentRevision, of_score), revision, Score.id)
    of_verdict = CommentRevision.id == Verdict.comment_revision_id
    verdicts = beside(select(Verdict).join(CommentRevision, of_verdict), revision, Verdict.id)
    record = (
        select(Decision, Note.body, LegalOrder)
        .outerjoin(Note, Note.decision_id == Decision.id)
        .outerjoin(LegalOrder, LegalOrder.decision_id == Decision.id)
    )
    decisions = beside(record, Decision.comment_id, Decision.id)
    flags = beside(select(Flag), Flag.comment_id, Flag.id)
    picks = beside(select(Pick), Pick.comment_id, Pick.id)
    told = select(Delivery.public_id).join(Event, Event.id == Delivery.event_id)
    deliveries = beside(told, Event.comment_id, Delivery.id)
    addresses = beside(select(Arrival.address), Arrival.comment_id, Arrival.comment_id)
    return [
        Kept(
            comment=comment,
            article_id=article_id,
            parent_id=parent_id or comment.awaited_parent,
            revisions=revisions[comment.id],
            scores=scores[comment.id],
            verdicts=verdicts[comment.id],
            decisions=decisions[comment.id],
            flags=flags[comment.id],
            picks=picks[comment.id],
            deliveries=deliveries[comment.id],
            address=next(iter(addresses[comment.id]), None),
        )
        for comment, article_id, parent_id in rows
    ]
