"""Batch: many comments in one call, each stored by itself, all scored together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from service.api import endpoint, ruling
from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.payload import parse_shape, parse_value
from service.api.problems import Problem, as_problem, render_problem
from service.api.schemas import AcceptedReply, CommentBody, CommentReply, Payload, comment_reply
from service.errors import ServiceError, Unavailable
from service.moderation import comments, reading
from service.moderation.comments import Receipt
from service.moderation.reading import View
from service.process import Process, State, utc_now
from service.storage.outages import find_outage
from service.storage.tables import Scope
from service.storage.tables import State as CommentState

log = structlog.get_logger()

LARGEST_BATCH = 1000
# As many as the scorer packs into one batch of its own; two on their way keep it busy.
CHUNK, ON_THEIR_WAY = 64, 2


class BatchBody(Payload):
    """Comments, each as `POST /api/v1/comments` takes it (CommentBody); a wrong one harms no other."""

    comments: Annotated[list[Any], Field(max_length=LARGEST_BATCH)]


class BatchQuery(Payload):
    """How many seconds the caller waits; comments that could not be taken by then are answered 503."""

    wait: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 30.0


class ItemReply(BaseModel):
    """What became of one comment: the status, and the comment or the problem, of a call of its own."""

    status: int
    comment: CommentReply | AcceptedReply | None = None
    problem: Problem | None = None


class BatchReply(BaseModel):
    """One item for each comment, in the order in which they were sent."""

    items: list[ItemReply]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A comment that was stored or known, or why it was refused."""

    id: str = ""
    receipt: Receipt | None = None
    refusal: ServiceError | None = None


@answers({200: BatchReply})
async def submit(request: Request[State]) -> Response:
    """Up to 1,000 comments: 200, with one status an item.

    Each is stored by itself, as if it had been posted alone, and all are scored together. One that
    could not be taken in time, or while too many comments wait, is answered 503: send it again.
    """
    process = request.state["process"]
    raw = await request.body()

    def first() -> tuple[Call[Nothing, BatchQuery], BatchBody]:
        call = endpoint.check(
            process, request, raw, permission=Scope.INGEST, body=Nothing, query=BatchQuery
        )
        sent = parse_shape(raw, BatchBody)
        # Each comment costs what a call of its own would; the call itself has paid for one.
        process.rates.take(call.caller.key_id, cost=len(sent.comments) - 1)
        return call, sent

    try:
        call, sent = await process.in_thread(first)
    except ServiceError as error:
        return render_problem(error, request)
    taken = await _take(process, call, sent.comments)
    items = await process.in_thread(lambda: _items(process, call, request, taken))
    return endpoint.render(Reply(body=BatchReply(items=items)))


endpoint.marked(submit, submit, permission=Scope.INGEST, body=BatchBody, query=BatchQuery)


async def _take(
    process: Process, call: Call[Nothing, BatchQuery], sent: Sequence[Any]
) -> list[Taken]:
    """Store chunk after chunk, no faster than they are judged; what is late is not taken."""
    until = time.monotonic() + call.query.wait
    taken: list[Taken] = []
    judged: list[asyncio.Task[None]] = []
    for start in range(0, len(sent), CHUNK):
        if len(judged) >= ON_THEIR_WAY:
            await _wait({judged[-ON_THEIR_WAY]}, until=until)
        store = _refuse if time.monotonic() >= until else partial(_store, process, call)
        stored = await process.in_thread(partial(store, sent[start : start + CHUNK]))
        taken += stored
        fresh = [one.receipt.comment_id for one in stored if one.receipt and one.receipt.fresh]
        if fresh:
            judged.append(process.go_on(ruling.judge(process, fresh)))
            process.shares.hold(call.caller.key_id, len(fresh), until=judged[-1])
    await _wait(set(judged), until=until)
    return taken


async def _wait(tasks: set[asyncio.Task[None]], *, until: float) -> None:
    """Until they are done or the caller's time is over; the work itself goes on."""
    if tasks:
        await asyncio.wait(tasks, timeout=max(0.0, until - time.monotonic()))


def _refuse(sent: Sequence[Any]) -> list[Taken]:
    late = Unavailable("there was no time for this comment; send it again", code="queue_full")
    return [Taken(refusal=late) for _ in sent]


def _store(process: Process, call: Call[Nothing, BatchQuery], sent: Sequence[Any]) -> list[Taken]:
    return [_store_one(process, call, value) for value in sent]


def _store_one(process: Process, call: Call[Nothing, BatchQuery], value: Any) -> Taken:
    """One comment in a transaction of its own: what happens to it happens to no other."""
    try:
        body = parse_value(value, CommentBody)
        process.make_room(call.caller.key_id)
        new = body.as_new(body.id, secret=call.settings.secret)
        receipt = process.database.write(
            lambda s: comments.submit(s, call.site_id, new, owner=process.owner, now=utc_now())
        )
    except ServiceError as error:
        return Taken(refusal=error)
    except SQLAlchemyError as error:
        log.error("batch.not_stored", error=type(error).__name__)
        return Taken(refusal=find_outage(error) or Unavailable())
    return Taken(id=new.id, receipt=receipt)


def _items(
    process: Process,
    call: Call[Nothing, BatchQuery],
    request: Request[State],
    taken: Sequence[Taken],
) -> list[ItemReply]:
    """What became of each; a comment that is stored is never answered with an error."""
    ids = [one.id for one in taken if one.receipt]
    try:
        views = process.database.read(lambda s: reading.list_by_ids(s, call.site_id, ids))
    except SQLAlchemyError as error:
        log.error("batch.stored_but_not_read", error=type(error).__name__)
        views = {}
    return [
        _stored(one.id, one.receipt, views.get(one.id))
        if one.receipt
        else _refused(one.refusal or Unavailable(), request)
        for one in taken
    ]


def _stored(comment_id: str, receipt: Receipt, view: View | None) -> ItemReply:
    if view is None:
        return ItemReply(
            status=202, comment=AcceptedReply(id=comment_id, state=CommentState.RECEIVED)
        )
    if receipt.fresh and view.state is CommentState.RECEIVED:
        return ItemReply(status=202, comment=comment_reply(view))
    return ItemReply(status=201 if receipt.created else 200, comment=comment_reply(view))


def _refused(error: ServiceError, request: Request[State]) -> ItemReply:
    return ItemReply(status=error.status, problem=as_problem(error, request))
