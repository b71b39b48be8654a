"""Authors: what is kept of one, handed out or erased when they ask for it."""

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import Id, Payload
from service.moderation import authors
from service.moderation.authors import Kept, Known
from service.moderation.people import hashed_email
from service.storage.flags import Flag
from service.storage.privacy_tables import LegalOrder
from service.storage.tables import Decision, Pick, PickState, Score, State, Verdict
from service.text import UNFIT


def _fits(value: str) -> str:
    if UNFIT.search(value):
        raise PydanticCustomError("invalid_text", "A NUL or half of a surrogate pair stands here.")
    return value


Text = Annotated[str, AfterValidator(_fits)]


class AuthorQuery(Payload):
    """Who is meant: exactly one of the three."""

    id: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    email: Annotated[Text, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    comment_id: Id | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "AuthorQuery":
        if sum(each is not None for each in (self.id, self.email, self.comment_id)) != 1:
            detail = "Name the author by one of `id`, `email` and `comment_id`."
            raise PydanticCustomError("exactly_one", detail)
        return self


class ExportQuery(AuthorQuery):
    """Whose data, and from which comment on."""

    cursor: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class RevisionReply(BaseModel):
    """A comment's words, and the name over them, at one time; whether a field that people do not see was filled in."""

    revision: int
    body: str
    author_name: str
    author_url: str | None
    author_email_domain: str | None
    language: str | None
    honeypot: bool
    at: AwareDatetime


class ScoreReply(BaseModel):
    """What the models said of a revision."""

    revision: int
    model: str
    answer: dict[str, Any]
    at: AwareDatetime


class JudgedReply(BaseModel):
    """What the policy made of that."""

    revision: int
    action: str
    model: str | None
    policy: int
    reasons: list[dict[str, Any]]
    not_judged: list[str]
    rules: int | None
    hits: list[dict[str, Any]]
    at: AwareDatetime


class RecordReply(BaseModel):
    """A decision about the comment, with what was noted of it."""

    revision: int
    was: State
    now: State
    reason: str | None
    by: str
    note: str | None
    reference: str | None
    deadline: AwareDatetime | None
    at: AwareDatetime


class ReportReply(BaseModel):
    """A reader's report; who reported an author's comment is not theirs to know."""

    comment_id: str
    revision: int
    reason: str | None
    note: str | None
    at: AwareDatetime


class QuoteReply(BaseModel):
    """Words of the comment that an editor chose."""

    id: str
    state: PickState
    is_published: bool
    revision: int
    quote: str
    author_name: str
    note: str | None
    at: AwareDatetime


class KeptReply(BaseModel):
    """A comment with everything that is kept for it."""

    id: str
    article_id: str
    parent_id: str | None
    state: State
    url: str | None
    posted_at: AwareDatetime
    received_at: AwareDatetime
    reactions: int | None
    ip_hash: str | None
    revisions: list[RevisionReply]
    scores: list[ScoreReply]
    verdicts: list[JudgedReply]
    decisions: list[RecordReply]
    flags: list[ReportReply]
    picks: list[QuoteReply]
    deliveries: list[str]


class ExportReply(BaseModel):
    """What is kept of an author; `known_by` are the site's ids of them and keyed hashes of addresses.

    `flags` are the author's own reports of others' comments, all on the first page.
    """

    known_by: list[str]
    comments: list[KeptReply]
    flags: list[ReportReply]
    next: str | None


class ErasedReply(BaseModel):
    """What was erased now: comments, and reports that are nobody's any more; `remaining` comments are still there."""

    comments: int
    flags: int
    remaining: int


@answers({200: ExportReply}, refuses=(404,))
def export(session: Session, call: Call[Nothing, ExportQuery]) -> Reply:
    """Everything that is kept of an author: words, scores, decisions, reports, quotes, deliveries."""
    known = _find(session, call)
    found = authors.export(
        session, call.site_id, known, cursor=call.query.cursor, limit=call.query.limit
    )
    body = ExportReply(
        known_by=list(found.subjects),
        comments=[_kept_reply(kept) for kept in found.comments],
        flags=[_report_reply(flag, comment_id) for flag, comment_id in found.reports],
        next=found.next_cursor,
    )
    return Reply(body=body)


@answers({200: ErasedReply, 202: ErasedReply}, refuses=(404,))
def erase(session: Session, call: Call[Nothing, AuthorQuery]) -> Reply:
    """Erase an author for good: 200, or 202 while comments remain, which the same call again erases.

    What others wrote in reply stays. Of each comment a tombstone stays: its id, and no words and no person.
    """
    known = _find(session, call)
    done = authors.erase(session, call.site_id, known, actor=call.actor, now=call.now)
    body = ErasedReply(comments=done.comments, flags=done.reports, remaining=done.remaining)
    return Reply(status=202 if done.remaining else 200, body=body)


def _find(session: Session, call: Call[Nothing, Any]) -> Known:
    asked, site_id, secret = call.query, call.site_id, call.settings.secret
    if asked.id is not None:
        return authors.find_by_id(session, site_id, asked.id, secret=secret)
    if asked.email is not None:
        hashed = hashed_email(asked.email, secret=secret)
        return authors.find_by_email(session, site_id, hashed, secret=secret)
    return authors.find_by_comment(session, site_id, asked.comment_id, secret=secret)


def _kept_reply(kept: Kept) -> KeptReply:
    comment = kept.comment
    numbers = {revision.id: revision.number for revision in kept.revisions}
    return KeptReply(
        id=comment.public_id,
        article_id=kept.article_id,
        parent_id=kept.parent_id,
        state=comment.state,
        url=comment.url,
        posted_at=comment.posted_at,
        received_at=comment.created_at,
        reactions=comment.reactions,
        ip_hash=kept.address,
        revisions=[
            RevisionReply(
                revision=each.number,
                body=each.body,
                author_name=each.author_name,
                author_url=each.author_url,
                author_email_domain=each.author_email_domain,
                language=each.language,
                honeypot=each.honeypot,
                at=each.created_at,
            )
            for each in kept.revisions
        ],
        scores=[_score_reply(each, numbers[each.comment_revision_id]) for each in kept.scores],
        verdicts=[_judged_reply(each, numbers[each.comment_revision_id]) for each in kept.verdicts],
        decisions=[_record_reply(*each) for each in kept.decisions],
        flags=[_report_reply(each, comment.public_id) for each in kept.flags],
        picks=[_quote_reply(each) for each in kept.picks],
        deliveries=list(kept.deliveries),
    )


def _score_reply(score: Score, revision: int) -> ScoreReply:
    return ScoreReply(
        revision=revision, model=score.model, answer=score.answer, at=score.created_at
    )


def _judged_reply(verdict: Verdict, revision: int) -> JudgedReply:
    return JudgedReply(
        revision=revision,
        action=verdict.action,
        model=verdict.model,
        policy=verdict.policy_version,
        reasons=verdict.reasons,
        not_judged=verdict.not_judged,
        rules=verdict.rules_version,
        hits=verdict.hits or [],
        at=verdict.created_at,
    )


def _record_reply(decision: Decision, note: str | None, order: LegalOrder | None) -> RecordReply:
    return RecordReply(
        revision=decision.revision,
        was=decision.was,
        now=decision.now,
        reason=decision.reason,
        by="person" if decision.person_id else "key" if decision.key_id else "machine",
        note=note,
        reference=order.reference if order else None,
        deadline=order.deadline if order else None,
        at=decision.at,
    )


def _report_reply(flag: Flag, comment_id: str) -> ReportReply:
    return ReportReply(
        comment_id=comment_id,
        revision=flag.revision,
        reason=flag.reason,
        note=flag.note,
        at=flag.at,
    )


def _quote_reply(pick: Pick) -> QuoteReply:
    return QuoteReply(
        id=pick.public_id,
        state=pick.state,
        is_published=pick.published_position is not None,
        revision=pick.revision,
        quote=pick.quote,
        author_name=pick.author_name,
        note=pick.note,
        at=pick.created_at,
    )
