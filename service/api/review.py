"""Review: the queue, claims on it, and decisions, for sites with a desk of their own."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import (
    HAS_WORDS,
    ClaimBody,
    CommentPage,
    CommentReply,
    Moment,
    PageQuery,
    Payload,
    comment_reply,
    has_words,
)
from service.errors import FieldError, Invalid
from service.moderation import legal, reading, review
from service.moderation.legal import LONGEST_REFERENCE, Order
from service.moderation.policy import Action, Reason
from service.storage.tables import State

Reference = Annotated[
    str, StringConstraints(max_length=LONGEST_REFERENCE), AfterValidator(has_words), HAS_WORDS
]


class DecisionBody(Payload):
    """A ruling on the revision that was seen."""

    action: Action
    revision: Annotated[int, Field(ge=1)]
    reason: Reason | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None
    seen: Annotated[
        State | None, Field(description="the state that was seen; needed to overrule a person")
    ] = None
    reference: Annotated[
        Reference | None, Field(description="of the order or notice; with the reason `legal`")
    ] = None
    deadline: Annotated[Moment | None, Field(description="by when it was to be done")] = None


class DecisionReply(BaseModel):
    """A line of the record."""

    revision: int
    was: State
    now: State
    reason: str | None
    by: str
    reference: str | None
    deadline: AwareDatetime | None
    at: AwareDatetime


class DecidedReply(BaseModel):
    """The comment as it stands after a decision, and its record."""

    comment: CommentReply
    decisions: list[DecisionReply]


@answers({200: CommentPage})
def next_page(session: Session, call: Call[Nothing, PageQuery]) -> Reply:
    """Held comments, the most pressing first."""
    page = review.next_page(
        session,
        call.site_id,
        actor=call.actor,
        cursor=call.query.cursor,
        limit=call.query.limit,
    )
    items = [comment_reply(view) for view in page.items]
    return Reply(body=CommentPage(items=items, next=page.next_cursor))


@answers({200: CommentPage})
def claim(session: Session, call: Call[ClaimBody, Nothing]) -> Reply:
    """Lease the next comments: nobody else gets them for ten minutes."""
    taken = review.claim(
        session, call.site_id, actor=call.actor, number=call.body.number, now=call.now
    )
    return Reply(body=CommentPage(items=[comment_reply(view) for view in taken]))


@answers({201: DecidedReply}, refuses=(404, 409))
def decide(session: Session, call: Call[DecisionBody, Nothing]) -> Reply:
    """Approve, hold or reject the revision that was seen."""
    comment_id, asked = call.path["comment_id"], call.body
    review.decide(
        session,
        call.site_id,
        comment_id,
        action=asked.action,
        revision=asked.revision,
        actor=call.actor,
        reason=asked.reason,
        note=asked.note,
        seen=asked.seen,
        order=_order(asked),
        now=call.now,
    )
    view = reading.get(session, call.site_id, comment_id)
    decided = reading.list_decisions(session, view)
    orders = legal.list_of(session, [each.id for each in decided])
    record = [
        DecisionReply(
            revision=each.revision,
            was=each.was,
            now=each.now,
            reason=each.reason,
            by="person" if each.person_id else "key" if each.key_id else "machine",
            reference=orders[each.id].reference if each.id in orders else None,
            deadline=orders[each.id].deadline if each.id in orders else None,
            at=each.at,
        )
        for each in decided
    ]
    return Reply(status=201, body=DecidedReply(comment=comment_reply(view), decisions=record))


def _order(asked: DecisionBody) -> Order | None:
    if asked.reference is None and asked.deadline is not None:
        wrong = FieldError(
            pointer="/reference", code="missing", detail="A deadline is that of an order or notice."
        )
        raise Invalid(errors=(wrong,))
    if asked.reference is None:
        return None
    return Order(reference=asked.reference, deadline=asked.deadline)
