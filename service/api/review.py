"""Review: the queue, claims on it, and decisions, for sites with a desk of their own."""

from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import (
    ClaimBody,
    CommentPage,
    CommentReply,
    DecisionBody,
    PageQuery,
    comment_reply,
)
from service.moderation import reading, review
from service.storage.tables import State


class DecisionReply(BaseModel):
    """A line of the record."""

    revision: int
    was: State
    now: State
    reason: str | None
    by: str
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
        now=call.now,
    )
    view = reading.get(session, call.site_id, comment_id)
    record = [
        DecisionReply(
            revision=each.revision,
            was=each.was,
            now=each.now,
            reason=each.reason,
            by="person" if each.person_id else "key" if each.key_id else "machine",
            at=each.at,
        )
        for each in reading.list_decisions(session, view)
    ]
    return Reply(status=201, body=DecidedReply(comment=comment_reply(view), decisions=record))
