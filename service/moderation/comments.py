"""Comments: received, edited, withdrawn, read."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict, FieldError, Gone, Invalid, NotFound
from service.moderation import articles, decisions, erasures, legal, rates, withdrawal
from service.moderation.actor import MACHINE, Actor, sees_comment
from service.moderation.articles import NewArticle
from service.storage.privacy_tables import AuthorEmail
from service.storage.tables import Article, Author, Comment, CommentRevision, Mode, State

LONGEST_COMMENT = 50_000
LONGEST_NAME = 200
# The process that received a comment has this long to judge it before another may take it.
LEASE = timedelta(seconds=30)
# A site's clock may be wrong, and its time zone; not by more than that.
CLOCKS_AHEAD = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class NewAuthor:
    """Who wrote it. Known by `id`, else by the keyed hash of the address, else not at all."""

    name: str
    id: str | None = None
    email_hash: str | None = None
    email_domain: str | None = None
    url: str | None = None

    @property
    def subject(self) -> str | None:
        if self.id:
            return f"id:{self.id}"
        return f"email:{self.email_hash}" if self.email_hash else None


@dataclass(frozen=True, kw_only=True)
class NewComment:
    """A comment as a site sends it."""

    id: str
    article_id: str
    author: NewAuthor
    body: str
    parent_id: str | None = None
    url: str | None = None
    posted_at: datetime | None = None
    reactions: int | None = None
    language: str | None = None
    # The keyed hash of the address it came from.
    address: str | None = None
    honeypot: bool = False
    article: NewArticle | None = None

    @property
    def fingerprint(self) -> str:
        """Equal exactly for comments that are the same to a reader: article, parent, author, words."""
        parts = [
            self.article_id,
            self.parent_id,
            self.author.subject,
            self.author.name,
            self.author.url,
            self.body,
        ]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of a submission; `fresh` says that there is something new to judge."""

    comment_id: int
    revision: int
    created: bool
    fresh: bool


def submit(
    session: Session, site_id: int, new: NewComment, *, owner: str, now: datetime
) -> Receipt:
    """Receive a comment: from this transaction's commit on it cannot be lost.

    The same again changes nothing, be it as it was before an edit; the same id with another content raises
    Conflict, one that was erased Gone.
    """
    known = find(session, site_id, new.id)
    _must_not_be_erased(session, site_id, new.id)
    if known is not None:
        if not _was_sent(session, known, new):
            raise Conflict("this id belongs to another comment; PUT edits it", code="id_taken")
        return Receipt(comment_id=known.id, revision=known.revision, created=False, fresh=False)
    _must_have_been_posted(new, now)
    article = _article_of(session, site_id, new, now=now)
    comment = Comment(
        site_id=site_id,
        public_id=new.id,
        article_id=article.id,
        author_id=_author_id(session, site_id, new.author, now=now),
        state=State.RECEIVED,
        revision=1,
        url=new.url,
        posted_at=new.posted_at or now,
        reactions=new.reactions,
        created_at=now,
        priority=0.0,
        attempts=0,
        **_to_be_judged(owner, now),
    )
    _hang(session, comment, article, new.parent_id)
    session.add(comment)
    session.flush()  # the revision needs the comment's id
    _add_revision(session, comment, new, now=now)
    if new.address:
        rates.note(session, comment, address=new.address, now=now)
    _link_orphans(session, comment)
    return Receipt(comment_id=comment.id, revision=1, created=True, fresh=True)


def put(
    session: Session, site_id: int, new: NewComment, *, actor: Actor, owner: str, now: datetime
) -> Receipt:
    """Submit, or edit what is there: other words are a new revision, judged from the start."""
    if find(session, site_id, new.id) is None:
        return submit(session, site_id, new, owner=owner, now=now)
    article = articles.find_locked(session, site_id, new.article_id)
    comment = get_locked(session, site_id, new.id)
    _must_not_be_erased(session, site_id, new.id)
    if comment.state is State.WITHDRAWN:
        raise Conflict(f"this comment is {comment.state}", code="wrong_state")
    if article is None or article.id != comment.article_id:
        raise Invalid(
            errors=(
                FieldError(
                    pointer="/article_id",
                    code="not_its_article",
                    detail="A comment stays with its article.",
                ),
            )
        )
    if legal.is_removed(session, comment.id):
        raise Conflict("a comment that the law had removed takes no edits", code="legally_removed")
    _must_have_been_posted(new, now)
    _keep_facts(session, comment, new, now=now)
    if get_revision(session, comment).fingerprint == new.fingerprint:
        return Receipt(comment_id=comment.id, revision=comment.revision, created=False, fresh=False)
    seen = comment.revision
    decisions.move(
        session, comment, revision=seen, to=State.RECEIVED, actor=actor, reason="edited", now=now
    )
    comment.revision = seen + 1
    comment.score_id = comment.verdict_id = None
    comment.author_id = _author_id(session, site_id, new.author, now=now)
    comment.attempts = 0
    for column, value in _to_be_judged(owner, now).items():
        setattr(comment, column, value)
    _hang(session, comment, article, new.parent_id)
    _add_revision(session, comment, new, now=now)
    return Receipt(comment_id=comment.id, revision=comment.revision, created=False, fresh=True)


def withdraw(
    session: Session, site_id: int, public_id: str, *, actor: Actor, now: datetime
) -> Comment:
    """The author or the site takes a comment back; doing it twice changes nothing."""
    comment = get_locked(session, site_id, public_id)
    if comment.state in {State.WITHDRAWN, State.ERASED}:
        return comment
    decisions.move(
        session,
        comment,
        revision=comment.revision,
        to=State.WITHDRAWN,
        actor=actor,
        reason="withdrawn",
        now=now,
    )
    comment.score_after = comment.lease_until = comment.lease_owner = None
    return comment


def find(session: Session, site_id: int, public_id: str) -> Comment | None:
    return session.scalar(
        select(Comment).where(Comment.site_id == site_id, Comment.public_id == public_id)
    )


def get(session: Session, site_id: int, public_id: str) -> Comment:
    comment = find(session, site_id, public_id)
    if comment is None:
        raise NotFound("there is no such comment on this site")
    return comment


def get_locked(
    session: Session, site_id: int, public_id: str, *, actor: Actor = MACHINE
) -> Comment:
    """A comment that the actor sees, held until the end of the transaction: what is read of it stays true."""
    comment = session.scalar(
        select(Comment)
        .where(Comment.site_id == site_id, Comment.public_id == public_id, sees_comment(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if comment is None:
        raise NotFound("there is no such comment on this site")
    return comment


def get_revision(
    session: Session, comment: Comment, *, number: int | None = None
) -> CommentRevision:
    """The comment's words as they are now, or as they were at a revision."""
    return session.scalars(
        select(CommentRevision).where(
            CommentRevision.comment_id == comment.id,
            CommentRevision.number == (comment.revision if number is None else number),
        )
    ).one()


def public_ids(session: Session, row_ids: Sequence[int]) -> dict[int, str]:
    """The sites' own ids of comments at hand."""
    rows = session.execute(select(Comment.id, Comment.public_id).where(Comment.id.in_(row_ids)))
    return {row_id: public_id for row_id, public_id in rows}


def _must_not_be_erased(session: Session, site_id: int, public_id: str) -> None:
    """Nothing brings back what was erased, not even the site that sends it again."""
    if erasures.is_recorded(session, site_id, public_id):
        raise Gone("this comment was erased; its id takes nothing any more", code="erased")


def _was_sent(session: Session, comment: Comment, new: NewComment) -> bool:
    """Whether any of the comment's revisions is this one: a backend that repeats itself may be late."""
    same = select(CommentRevision.id).where(
        CommentRevision.comment_id == comment.id, CommentRevision.fingerprint == new.fingerprint
    )
    return session.scalar(same.limit(1)) is not None


def _must_have_been_posted(new: NewComment, now: datetime) -> None:
    if new.posted_at is not None and new.posted_at > now + CLOCKS_AHEAD:
        wrong = FieldError(
            pointer="/posted_at",
            code="in_the_future",
            detail="No comment was posted later than tomorrow; leave it out where you do not know.",
        )
        raise Invalid(errors=(wrong,))


def _to_be_judged(owner: str, now: datetime) -> dict[str, object]:
    return {
        "score_after": now,
        "lease_owner": owner,
        "lease_until": now + LEASE,
    }


def _keep_facts(session: Session, comment: Comment, new: NewComment, *, now: datetime) -> None:
    """What a site may change beside the words, without a new revision."""
    comment.reactions = new.reactions
    comment.posted_at = new.posted_at or comment.posted_at
    if comment.url != new.url:
        comment.url = new.url
        withdrawal.draw_again(session, comment.id, now=now)


def _article_of(session: Session, site_id: int, new: NewComment, *, now: datetime) -> Article:
    if new.article is not None:
        article, _ = articles.put(session, site_id, new.article, now=now)
    else:
        found = articles.find_locked(session, site_id, new.article_id)
        if found is None:
            wrong = FieldError(
                pointer="/article_id",
                code="unknown_article",
                detail="No such article is registered: PUT it, or send it inline as `article`.",
            )
            raise Invalid(errors=(wrong,))
        article = found
    if article.mode is Mode.CLOSED:
        raise Conflict("this article takes no comments", code="article_closed")
    return article


def _author_id(session: Session, site_id: int, author: NewAuthor, *, now: datetime) -> int | None:
    if author.subject is None:
        return None
    known = session.scalar(
        select(Author.id).where(Author.site_id == site_id, Author.subject == author.subject)
    )
    if known is None:
        known = session.execute(
            insert(Author)
            .values(site_id=site_id, subject=author.subject, created_at=now)
            .returning(Author.id)
        ).scalar_one()
    if author.id and author.email_hash:
        # Whoever asks for their data by address is to be found, too.
        session.merge(AuthorEmail(author_id=known, email_hash=author.email_hash))
    return known


def _add_revision(session: Session, comment: Comment, new: NewComment, *, now: datetime) -> None:
    session.execute(
        insert(CommentRevision).values(
            comment_id=comment.id,
            number=comment.revision,
            body=new.body,
            author_name=new.author.name,
            author_url=new.author.url,
            author_email_domain=new.author.email_domain,
            language=new.language,
            honeypot=new.honeypot,
            fingerprint=new.fingerprint,
            created_at=now,
        )
    )


def _hang(session: Session, comment: Comment, article: Article, parent_id: str | None) -> None:
    """Set the parent: linked if it is here, awaited if it is not."""
    comment.parent_id = comment.awaited_parent = None
    if parent_id is None:
        return
    parent = find(session, comment.site_id, parent_id)
    if parent is None and parent_id != comment.public_id:
        comment.awaited_parent = parent_id
        return
    if parent is None or _leads_to(session, parent, comment):
        raise Invalid(
            errors=(
                FieldError(
                    pointer="/parent_id",
                    code="parent_cycle",
                    detail="A comment cannot answer itself.",
                ),
            )
        )
    if parent.article_id != article.id:
        raise Invalid(
            errors=(
                FieldError(
                    pointer="/parent_id",
                    code="other_article",
                    detail="The parent stands under another article.",
                ),
            )
        )
    comment.parent_id = parent.id


def _leads_to(session: Session, parent: Comment, comment: Comment) -> bool:
    """Whether the thread above `parent` comes to `comment`, be it linked or awaited."""
    columns = (Comment.id, Comment.parent_id, Comment.public_id, Comment.awaited_parent)
    above = select(*columns).where(Comment.id == parent.id).cte("above", recursive=True)
    # UNION, not UNION ALL: it ends even where threads have become a circle.
    above = above.union(select(*columns).join(above, Comment.id == above.c.parent_id))
    name = comment.public_id
    found = select(above.c.id).where(or_(above.c.public_id == name, above.c.awaited_parent == name))
    return session.scalar(found.limit(1)) is not None


def _link_orphans(session: Session, parent: Comment) -> None:
    """Replies that came before their parent are hung under it; how they were judged stays."""
    session.execute(
        update(Comment)
        .where(
            Comment.site_id == parent.site_id,
            Comment.awaited_parent == parent.public_id,
            Comment.article_id == parent.article_id,
        )
        .values(parent_id=parent.id, awaited_parent=None)
        .execution_options(synchronize_session=False)
    )
