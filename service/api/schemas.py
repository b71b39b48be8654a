"""Schemas: what the API takes and gives, field by field."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from service.ids import ID, ID_ADVICE, ID_SCHEMA
from service.moderation import articles
from service.moderation.articles import LONGEST_ARTICLE, LONGEST_TITLE, NewArticle
from service.moderation.comments import LONGEST_COMMENT, LONGEST_NAME, NewAuthor, NewComment
from service.moderation.people import hashed_email
from service.moderation.policy import Action
from service.moderation.rates import hashed_address
from service.moderation.reading import View
from service.storage.tables import Mode, State


def _is_id(value: str) -> str:
    if not ID.fullmatch(value):
        raise PydanticCustomError("invalid_id", ID_ADVICE)
    return value


def has_words(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "Nothing but white space stands here.")
    return value


def _is_of_our_time(value: datetime) -> datetime:
    # At the ends of the calendar a time cannot be told in another zone.
    if not 1000 <= value.year <= 9000:
        raise PydanticCustomError("not_allowed", "A time of the years 1000 to 9000 is needed.")
    return value


# What a validator of ours asks for stands in the schema too, so that the document says it.
HAS_WORDS = Field(json_schema_extra={"pattern": r"\S"})
Id = Annotated[
    str, AfterValidator(_is_id), Field(json_schema_extra={"pattern": ID_SCHEMA["pattern"]})
]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_is_of_our_time),
    Field(json_schema_extra={"pattern": r"^[1-8][0-9]{3}-"}),
]
Name = Annotated[str, StringConstraints(max_length=200)]
Title = Annotated[
    str, StringConstraints(max_length=LONGEST_TITLE), AfterValidator(has_words), HAS_WORDS
]
AuthorName = Annotated[
    str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(has_words), HAS_WORDS
]
CommentText = Annotated[
    str, StringConstraints(max_length=LONGEST_COMMENT), AfterValidator(has_words), HAS_WORDS
]
WebUrl = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)]
Language = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35)
]


class Payload(BaseModel):
    """Unknown fields are refused: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class ArticleBody(Payload):
    """An article without its id."""

    url: WebUrl
    title: Title
    body: Annotated[str, Field(max_length=LONGEST_ARTICLE, description="plain text or HTML")]
    language: Language | None = None
    section: Name | None = None
    tags: Annotated[list[Name], Field(max_length=50)] = []
    bylines: Annotated[list[Name], Field(max_length=20)] = []
    reach: Annotated[int, Field(ge=0, le=10**9, description="readers a day")] | None = None
    published_at: Moment | None = None
    mode: Mode = Mode.NORMAL
    _text: str = PrivateAttr(default="")

    def model_post_init(self, context: Any, /) -> None:
        """Read the body's markup here, where no transaction is open yet."""
        self._text = articles.plain_text(self.body)

    def as_new(self, article_id: str) -> NewArticle:
        return NewArticle(
            id=article_id,
            url=self.url,
            title=self.title,
            body=self.body,
            text=self._text,
            language=self.language,
            section=self.section,
            tags=tuple(self.tags),
            bylines=tuple(self.bylines),
            reach=self.reach,
            published_at=self.published_at,
            mode=self.mode,
        )


class AuthorBody(Payload):
    """Who wrote a comment; the address is kept as a keyed hash, with what stands behind the @."""

    name: AuthorName
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    url: Annotated[str, Field(max_length=2000)] | None = None


class CommentEdit(Payload):
    """A comment without its id: what PUT takes."""

    article_id: Id
    article: ArticleBody | None = None
    parent_id: Id | None = None
    author: AuthorBody
    body: CommentText
    url: WebUrl | None = None
    posted_at: Moment | None = None
    reactions: Annotated[int, Field(ge=0, le=10**9)] | None = None
    ip: (
        Annotated[str, Field(max_length=45, description="kept for a day, as a keyed hash")] | None
    ) = None
    user_agent: (
        Annotated[str, Field(max_length=1000, description="accepted, not stored")] | None
    ) = None
    language: Language | None = None
    honeypot: (
        Annotated[
            str,
            Field(max_length=LONGEST_COMMENT, description="a field that people do not see"),
        ]
        | None
    ) = None

    def as_new(self, comment_id: str, *, secret: str) -> NewComment:
        email = self.author.email
        return NewComment(
            id=comment_id,
            article_id=self.article_id,
            article=self.article.as_new(self.article_id) if self.article else None,
            parent_id=self.parent_id,
            author=NewAuthor(
                name=self.author.name,
                id=self.author.id,
                email_hash=hashed_email(email, secret=secret) if email else None,
                email_domain=email.rpartition("@")[2].lower() if email else None,
                url=self.author.url,
            ),
            body=self.body,
            url=self.url,
            posted_at=self.posted_at,
            reactions=self.reactions,
            language=self.language,
            address=hashed_address(self.ip, secret=secret) if self.ip else None,
            honeypot=bool(self.honeypot and self.honeypot.strip()),
        )


class CommentBody(CommentEdit):
    """A comment as a site posts it."""

    id: Id


class ClaimBody(Payload):
    """How many comments to lease."""

    number: Annotated[int, Field(ge=1, le=100)] = 1


class SpanBody(Payload):
    """A stretch of the comment, in code points."""

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=1)]


class PickBody(Payload):
    """The words to pick: `quote` as they stand, or `spans`; neither means the whole comment."""

    comment_id: Id
    revision: Annotated[int, Field(ge=1)]
    quote: Annotated[str, Field(max_length=LONGEST_COMMENT)] | None = None
    spans: Annotated[list[SpanBody], Field(max_length=10)] = []
    note: Annotated[str, Field(max_length=2000)] | None = None
    acknowledge_echo: bool = False


class PlaceBody(Payload):
    """Where in the draft a pick goes, counted from 1."""

    position: Annotated[int, Field(ge=1, le=1000)]


class PublishBody(Payload):
    """The draft that was seen."""

    version: Annotated[int, Field(ge=0)]


class ScoredArticle(Payload):
    """As much of an article as there is; title and description alone will do."""

    title: Annotated[str, Field(max_length=LONGEST_TITLE)] = ""
    description: Annotated[str, Field(max_length=5000)] = ""
    text: Annotated[str, Field(max_length=LONGEST_COMMENT)] = ""


class ScoreBody(Payload):
    """A text to be scored, and what it is scored against."""

    text: CommentText
    article_id: Id | None = None
    article: ScoredArticle | None = None
    parent: Annotated[str, Field(max_length=LONGEST_COMMENT)] | None = None
    author_name: Name | None = None
    author_url: Annotated[str, Field(max_length=2000)] | None = None
    author_email_domain: Annotated[str, Field(max_length=254)] | None = None
    language: Language | None = None


class PageQuery(Payload):
    """A page of a list."""

    cursor: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class FeedQuery(Payload):
    """Where to go on reading the feed."""

    after: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class CandidatesQuery(Payload):
    """Whose candidates."""

    article_id: Id
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class WaitQuery(Payload):
    """How many seconds the caller waits for the verdict; 0 answers at once."""

    wait: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1.0


class SpanReply(BaseModel):
    """A stretch of text, in code points; `end` is exclusive."""

    start: int
    end: int


class PassageReply(SpanReply):
    """The words of the article that the comment answers or repeats."""

    text: str


class RepeatReply(BaseModel):
    """Words of the comment that stand in its article or parent too."""

    comment: SpanReply
    source: SpanReply
    origin: str


class VerdictReply(BaseModel):
    """What the policy made of scores and facts, and why."""

    action: Action
    model: str | None
    policy: int
    not_judged: list[str]
    reasons: list[dict[str, Any]]
    rules: int | None
    hits: list[dict[str, Any]]


class AuthorReply(BaseModel):
    """The name a comment appears under."""

    name: str
    url: str | None


class CommentReply(BaseModel):
    """A comment with all that is known of its present revision."""

    id: str
    article_id: str
    parent_id: str | None
    revision: int
    state: State
    author: AuthorReply
    body: str
    posted_at: AwareDatetime
    verdict: VerdictReply | None
    scores: dict[str, float] | None
    relevance_label: str | None
    language: str | None
    passage: PassageReply | None
    repeats: list[RepeatReply]
    quote: SpanReply | None
    flags: Annotated[int, Field(description="readers who reported it")]


class AcceptedReply(BaseModel):
    """Stored, to be judged: at least its id and state, and the whole comment where it could be read."""

    id: str
    state: State


class CommentPage(BaseModel):
    """A stretch of a list; `next` is the cursor of the following one."""

    items: list[CommentReply]
    next: str | None = None


def comment_reply(view: View) -> CommentReply:
    """A comment as the API shows it."""
    answer, verdict = view.answer, view.verdict
    passage = view.passage
    return CommentReply(
        id=view.id,
        article_id=view.article_id,
        parent_id=view.parent_id,
        revision=view.revision,
        state=view.state,
        author=AuthorReply(name=view.author_name, url=view.author_url),
        body=view.body,
        posted_at=view.posted_at,
        verdict=VerdictReply(
            action=Action(verdict.action),
            model=verdict.model,
            policy=verdict.policy_version,
            not_judged=verdict.not_judged,
            reasons=verdict.reasons,
            rules=verdict.rules_version,
            hits=verdict.hits or [],
        )
        if verdict
        else None,
        scores=rounded(answer.scores) if answer else None,
        relevance_label=answer.relevance_label if answer else None,
        language=answer.language if answer else None,
        passage=PassageReply(start=passage.start, end=passage.end, text=passage.text)
        if passage
        else None,
        repeats=[
            RepeatReply(
                comment=SpanReply(start=r.comment.start, end=r.comment.end),
                source=SpanReply(start=r.source.start, end=r.source.end),
                origin=r.origin,
            )
            for r in (answer.repeats if answer else ())
        ],
        quote=SpanReply(start=answer.quote.start, end=answer.quote.end)
        if answer and answer.quote
        else None,
        flags=view.flags,
    )


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Four digits: more would pretend to know more."""
    return {label: round(value, 4) for label, value in scores.items()}
