"""The tables, and the words that may stand in their columns."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class State(StrEnum):
    """Where a comment stands."""

    RECEIVED = "received"
    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class Mode(StrEnum):
    """How an article takes comments."""

    NORMAL = "normal"
    TRUSTED_ONLY = "trusted_only"
    HOLD_ALL = "hold_all"
    CLOSED = "closed"


class Role(StrEnum):
    """What a person may do on a site."""

    MODERATOR = "moderator"
    EDITOR = "editor"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a key may do on its site."""

    INGEST = "ingest"
    MODERATE = "moderate"
    PUBLISH = "publish"
    ADMIN = "admin"


class PickState(StrEnum):
    """Whether a pick stands in its article's draft."""

    CHOSEN = "chosen"
    DROPPED = "dropped"
    WITHDRAWN = "withdrawn"


class EventKind(StrEnum):
    """What an event of the feed tells."""

    COMMENT = "comment"
    PICK = "pick"
    BLOCK = "block"
    FLAG = "flag"


class UtcDateTime(sa.TypeDecorator[datetime]):
    """Aware times in, aware times out; SQLite itself forgets the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone has no place in the database")
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=value.tzinfo or UTC)


class Table(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime(),
        dict[str, Any]: sa.JSON(),
        list[Any]: sa.JSON(),
        State: sa.Enum(
            State,
            native_enum=False,
            length=16,
            values_callable=lambda e: [m.value for m in e],
            name="state",
        ),
    }


# BIGINT everywhere but on SQLite, where only INTEGER is the row id.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _enum(words: type[StrEnum], name: str) -> sa.Enum:
    return sa.Enum(
        words,
        native_enum=False,
        length=16,
        values_callable=lambda e: [m.value for m in e],
        name=name,
    )


def _id() -> Mapped[int]:
    return mapped_column(Id, primary_key=True)


def _ref(target: str, *, null: bool = False, index: bool = True) -> Any:
    return mapped_column(Id, sa.ForeignKey(target), nullable=null, index=index)


class Site(Table):
    """A publication: nothing of one site is visible to another."""

    __tablename__ = "sites"

    id: Mapped[int] = _id()
    slug: Mapped[str] = mapped_column(sa.String(64), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]


class Policy(Table):
    """One version of a site's policy; versions are added, never changed."""

    __tablename__ = "policies"
    __table_args__ = (sa.UniqueConstraint("site_id", "version"),)

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    version: Mapped[int]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Key(Table):
    """A backend's credential; only its hash is kept."""

    __tablename__ = "keys"

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id")
    name: Mapped[str] = mapped_column(sa.String(100))
    prefix: Mapped[str] = mapped_column(sa.String(16))
    sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Person(Table):
    """Someone who signs in."""

    __tablename__ = "people"

    id: Mapped[int] = _id()
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    password: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class Membership(Table):
    """A person's role on a site."""

    __tablename__ = "memberships"
    __table_args__ = (sa.UniqueConstraint("person_id", "site_id", "role"),)

    id: Mapped[int] = _id()
    person_id: Mapped[int] = _ref("people.id", index=False)
    site_id: Mapped[int] = _ref("sites.id")
    role: Mapped[Role] = mapped_column(_enum(Role, "role"))


class SignIn(Table):
    """A browser session; the cookie holds the token, this row its hash."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = _id()
    person_id: Mapped[int] = _ref("people.id")
    sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SignInFailure(Table):
    """A refused sign-in, by hash of the address that was tried; old rows are swept."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (sa.Index(None, "subject", "at"),)

    id: Mapped[int] = _id()
    subject: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]


class Article(Table):
    """What readers comment on, as the site names it."""

    __tablename__ = "articles"
    __table_args__ = (sa.UniqueConstraint("site_id", "public_id"),)

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    public_id: Mapped[str] = mapped_column(sa.String(200))
    url: Mapped[str] = mapped_column(sa.String(2000))
    section: Mapped[str | None] = mapped_column(sa.String(200))
    tags: Mapped[list[Any]]
    bylines: Mapped[list[Any]]
    reach: Mapped[int | None]
    mode: Mapped[Mode] = mapped_column(_enum(Mode, "mode"))
    published_at: Mapped[datetime | None]
    revision: Mapped[int]
    # The block: the draft's version moves with every change to the picks, the public one with every change to the page.
    draft_version: Mapped[int]
    block_version: Mapped[int]
    block_changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ArticleRevision(Table):
    """An article's words at one time; passages are embedded once, by one model."""

    __tablename__ = "article_revisions"
    __table_args__ = (
        sa.UniqueConstraint("article_id", "number"),
        # The worker's list of articles whose passages are still to be embedded.
        sa.Index(
            None,
            "embed_after",
            sqlite_where=sa.text("embed_after IS NOT NULL"),
            postgresql_where=sa.text("embed_after IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _id()
    article_id: Mapped[int] = _ref("articles.id", index=False)
    number: Mapped[int]
    title: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[str] = mapped_column(sa.Text)
    # The words alone; equal to body where plain text was sent. Offsets of passages count its code points.
    text: Mapped[str] = mapped_column(sa.Text)
    language: Mapped[str | None] = mapped_column(sa.String(35))
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    passages: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    passages_model: Mapped[str | None] = mapped_column(sa.String(100))
    embed_after: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Author(Table):
    """Whoever wrote comments, known by the site's id or by a keyed hash of the e-mail; never by name."""

    __tablename__ = "authors"
    __table_args__ = (sa.UniqueConstraint("site_id", "subject"),)

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    # Either "id:" and the site's own id, or "email:" and the keyed hash.
    subject: Mapped[str] = mapped_column(sa.String(220))
    created_at: Mapped[datetime]


class Comment(Table):
    """A reader's comment: where it stands now, and what is still to be done with it."""

    __tablename__ = "comments"
    __table_args__ = (
        sa.UniqueConstraint("site_id", "public_id"),
        sa.Index("ix_comments_queue", "site_id", "state", "priority", "id"),
        sa.Index("ix_comments_article_state", "article_id", "state"),
        sa.Index(
            None,
            "score_after",
            sqlite_where=sa.text("score_after IS NOT NULL"),
            postgresql_where=sa.text("score_after IS NOT NULL"),
        ),
        sa.Index(
            None,
            "awaited_parent",
            sqlite_where=sa.text("awaited_parent IS NOT NULL"),
            postgresql_where=sa.text("awaited_parent IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    public_id: Mapped[str] = mapped_column(sa.String(200))
    article_id: Mapped[int] = _ref("articles.id", index=False)
    author_id: Mapped[int | None] = _ref("authors.id", null=True)
    parent_id: Mapped[int | None] = _ref("comments.id", null=True)
    # The site's id of a parent that has not arrived yet.
    awaited_parent: Mapped[str | None] = mapped_column(sa.String(200))
    state: Mapped[State]
    revision: Mapped[int]
    url: Mapped[str | None] = mapped_column(sa.String(2000))
    posted_at: Mapped[datetime]
    reactions: Mapped[int | None]
    created_at: Mapped[datetime]
    # Higher is shown first in the queue.
    priority: Mapped[float]
    # The comment row is the queue of the scorer: due at score_after, leased until lease_until.
    score_after: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(64))
    attempts: Mapped[int]
    # Scores and verdict of the present revision. No foreign keys: those rows point here through the
    # revision, and a circle of keys can be neither created nor emptied in one order on both databases.
    score_id: Mapped[int | None] = mapped_column(Id)
    verdict_id: Mapped[int | None] = mapped_column(Id)
    # The claim: who is looking at it, and until when.
    claim_person_id: Mapped[int | None] = _ref("people.id", null=True)
    claim_key_id: Mapped[int | None] = _ref("keys.id", null=True)
    claim_until: Mapped[datetime | None]

    article: Mapped[Article] = relationship(lazy="raise")


class CommentRevision(Table):
    """A comment's words, and the name over them, at one time."""

    __tablename__ = "comment_revisions"
    __table_args__ = (sa.UniqueConstraint("comment_id", "number"),)

    id: Mapped[int] = _id()
    comment_id: Mapped[int] = _ref("comments.id", index=False)
    number: Mapped[int]
    body: Mapped[str] = mapped_column(sa.Text)
    author_name: Mapped[str] = mapped_column(sa.String(200))
    author_url: Mapped[str | None] = mapped_column(sa.String(2000))
    # Of the address, which is kept as a keyed hash only, what stands behind the @.
    author_email_domain: Mapped[str | None] = mapped_column(sa.String(254))
    language: Mapped[str | None] = mapped_column(sa.String(35))
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]


class Score(Table):
    """What the models say of a revision."""

    __tablename__ = "scores"

    id: Mapped[int] = _id()
    comment_revision_id: Mapped[int] = _ref("comment_revisions.id")
    article_revision_id: Mapped[int] = _ref("article_revisions.id")
    model: Mapped[str] = mapped_column(sa.String(100))
    # The whole answer, as moderation/scores.py writes and reads it.
    answer: Mapped[dict[str, Any]]
    # The four that pages sort by.
    insight: Mapped[float | None]
    relevance: Mapped[float | None]
    echo: Mapped[float | None]
    created_at: Mapped[datetime]


class Verdict(Table):
    """What the policy makes of scores and facts; kept with every version that had a part in it."""

    __tablename__ = "verdicts"

    id: Mapped[int] = _id()
    comment_revision_id: Mapped[int] = _ref("comment_revisions.id")
    score_id: Mapped[int | None] = _ref("scores.id", null=True)
    policy_version: Mapped[int]
    model: Mapped[str | None] = mapped_column(sa.String(100))
    action: Mapped[str] = mapped_column(sa.String(16))
    reasons: Mapped[list[Any]]
    not_judged: Mapped[list[Any]]
    # The rules' version (0: the site had none) and which applied; null before there were rules.
    rules_version: Mapped[int | None]
    hits: Mapped[list[Any] | None]
    created_at: Mapped[datetime]


class Decision(Table):
    """The record: who moved which revision from where to where, and why. Rows are added, never changed."""

    __tablename__ = "decisions"
    __table_args__ = (sa.Index(None, "comment_id", "id"),)

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id")
    comment_id: Mapped[int] = _ref("comments.id", index=False)
    revision: Mapped[int]
    was: Mapped[State]
    now: Mapped[State]
    reason: Mapped[str | None] = mapped_column(sa.String(32))
    person_id: Mapped[int | None] = _ref("people.id", null=True)
    key_id: Mapped[int | None] = _ref("keys.id", null=True)
    verdict_id: Mapped[int | None] = _ref("verdicts.id", null=True)
    undoes_id: Mapped[int | None] = _ref("decisions.id", null=True)
    at: Mapped[datetime]


class Note(Table):
    """A moderator's words about a decision: apart from the record, because they can name a person."""

    __tablename__ = "notes"

    id: Mapped[int] = _id()
    decision_id: Mapped[int] = _ref("decisions.id")
    body: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime]


class Event(Table):
    """A line of the feed: ids and states, never text or names."""

    __tablename__ = "events"
    # A cursor is an id: none may come again after old events are pruned.
    __table_args__ = (sa.Index(None, "site_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    kind: Mapped[EventKind] = mapped_column(_enum(EventKind, "kind"))
    article_id: Mapped[int | None] = _ref("articles.id", null=True)
    comment_id: Mapped[int | None] = _ref("comments.id", null=True)
    pick_id: Mapped[int | None] = _ref("picks.id", null=True)
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Pick(Table):
    """A quote that an editor chose: words, offsets and revision of a comment."""

    __tablename__ = "picks"
    __table_args__ = (
        sa.Index(None, "article_id", "state"),
        sa.UniqueConstraint("site_id", "public_id"),
    )

    id: Mapped[int] = _id()
    site_id: Mapped[int] = _ref("sites.id", index=False)
    public_id: Mapped[str] = mapped_column(sa.String(40))
    article_id: Mapped[int] = _ref("articles.id", index=False)
    comment_id: Mapped[int] = _ref("comments.id")
    revision: Mapped[int]
    # [[start, end], …] in code points of the revision's body; the quote is those words.
    spans: Mapped[list[Any]]
    quote: Mapped[str] = mapped_column(sa.Text)
    author_name: Mapped[str] = mapped_column(sa.String(200))
    note: Mapped[str | None] = mapped_column(sa.Text)
    echo_acknowledged: Mapped[bool]
    state: Mapped[PickState] = mapped_column(_enum(PickState, "pick_state"))
    position: Mapped[int]
    # Where it stands on the public page; null when it does not.
    published_position: Mapped[int | None]
    withdrawn_because: Mapped[str | None] = mapped_column(sa.String(32))
    person_id: Mapped[int | None] = _ref("people.id", null=True)
    key_id: Mapped[int | None] = _ref("keys.id", null=True)
    created_at: Mapped[datetime]
