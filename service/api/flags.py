"""Flags: a reader's report of a comment, passed on by the site."""

from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import Payload
from service.moderation import flags, reading
from service.moderation.flags import LONGEST_REPORTER, NewFlag, hashed_reporter
from service.moderation.policy import Reason
from service.storage.tables import State


class FlagBody(Payload):
    """A report; `reporter` is the site's own id of the reader and is kept as a keyed hash."""

    reporter: Annotated[str, Field(min_length=1, max_length=LONGEST_REPORTER)]
    reason: Reason | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


class FlagReply(BaseModel):
    """The comment after a report: how many readers have reported it, and where it stands."""

    comment_id: str
    revision: int
    state: State
    flags: int


@answers({200: FlagReply, 201: FlagReply}, refuses=(404, 409))
def report(session: Session, call: Call[FlagBody, Nothing]) -> Reply:
    """A reader's report: 201, or 200 when this reader has reported the comment before."""
    asked, site_id = call.body, call.site_id
    new = NewFlag(
        reporter=hashed_reporter(asked.reporter, site_id=site_id, secret=call.settings.secret),
        reason=asked.reason,
        note=asked.note,
    )
    comment, fresh = flags.report(session, site_id, call.path["comment_id"], new, now=call.now)
    count = reading.count_flags(session, [comment.id])[comment.id]
    body = FlagReply(
        comment_id=comment.public_id,
        revision=comment.revision,
        state=comment.state,
        flags=count,
    )
    return Reply(status=201 if fresh else 200, body=body)
