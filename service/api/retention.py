"""Retention: for how many days a site keeps what; read, tried out and set."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.moderation import pruning, retention
from service.moderation.retention import Keep


class DueReply(BaseModel):
    """How much would be erased at once, by rule."""

    held: int
    approved: int
    rejected: int
    withdrawn: int
    events: int


@answers({200: Keep})
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The days in force; null keeps things for good."""
    return Reply(body=retention.get(session, call.site_id))


@answers({200: Keep})
def put(session: Session, call: Call[Keep, Nothing]) -> Reply:
    """These days instead of those in force, as a whole; applied within the hour, in small batches."""
    retention.put(session, call.site_id, call.body, now=call.now)
    return Reply(body=call.body)


@answers({200: DueReply})
def preview(session: Session, call: Call[Keep, Nothing]) -> Reply:
    """How much these days would erase at once; nothing is erased, nothing kept."""
    counts = pruning.count_due(session, call.site_id, call.body, now=call.now)
    return Reply(body=DueReply.model_validate(counts))
