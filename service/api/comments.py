"""Comments: posted, edited, read, withdrawn. Receiving is two transactions with the scorer between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api import endpoint, ruling
from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.problems import render_problem
from service.api.schemas import (
    AcceptedReply,
    CommentBody,
    CommentEdit,
    CommentReply,
    WaitQuery,
    comment_reply,
)
from service.errors import ServiceError
from service.moderation import comments, reading
from service.moderation.comments import NewComment, Receipt
from service.process import Process, State
from service.storage.tables import Scope
from service.storage.tables import State as CommentState

log = structlog.get_logger()

Receive = Callable[[Session, Call[Any, WaitQuery], str], Receipt]


@answers({200: CommentReply, 201: CommentReply, 202: AcceptedReply}, refuses=(409, 410, 503))
def submit(session: Session, call: Call[CommentBody, WaitQuery], owner: str) -> Receipt:
    """A new comment: 201 with its verdict, 202 while it is still to come, 200 for the same again."""
    new = call.body.as_new(call.body.id, secret=call.settings.secret)
    return comments.submit(session, call.site_id, new, owner=owner, now=call.now)


@answers({200: CommentReply, 201: CommentReply, 202: AcceptedReply}, refuses=(409, 410, 503))
def put(session: Session, call: Call[CommentEdit, WaitQuery], owner: str) -> Receipt:
    """A comment as it should be: a new one is received, other words are a new revision."""
    new: NewComment = call.body.as_new(call.path["comment_id"], secret=call.settings.secret)
    return comments.put(session, call.site_id, new, actor=call.actor, owner=owner, now=call.now)


@answers({200: CommentReply}, refuses=(404,))
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """A comment with its latest scores and verdict."""
    return Reply(body=comment_reply(reading.get(session, call.site_id, call.path["comment_id"])))


@answers({200: CommentReply}, refuses=(404,))
def withdraw(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The author or the site takes the comment back."""
    comment_id = call.path["comment_id"]
    comments.withdraw(session, call.site_id, comment_id, actor=call.actor, now=call.now)
    return Reply(body=comment_reply(reading.get(session, call.site_id, comment_id)))


def receiving_endpoint(
    receive: Receive, *, permission: Scope, body: type[CommentEdit]
) -> Callable[[Request[State]], Awaitable[Response]]:
    """An endpoint that stores first, then asks the models; from the first commit on it never fails."""

    async def answer(request: Request[State]) -> Response:
        process = request.state["process"]
        raw = await request.body()

        def first() -> tuple[Call[Any, WaitQuery], Receipt]:
            call = endpoint.check(
                process, request, raw, permission=permission, body=body, query=WaitQuery
            )
            # Comments that are stored and not yet asked about will be: they count as waiting.
            process.scorer.make_room(promised=len(process.background))
            receipt = process.database.write(lambda session: receive(session, call, process.owner))
            return call, receipt

        try:
            call, receipt = await process.in_thread(first)
        except ServiceError as error:
            return render_problem(error, request)
        if receipt.fresh:
            judged = process.go_on(ruling.judge(process, [receipt.comment_id]))
            if call.query.wait:
                # Shielded by being waited for, not awaited: the caller's time ends, the work goes on.
                await asyncio.wait({judged}, timeout=call.query.wait)
        try:
            return await process.in_thread(lambda: _reply(process, call, receipt))
        except SQLAlchemyError as error:
            log.error("comments.stored_but_not_read", error=type(error).__name__)
            return JSONResponse(
                {"id": _comment_id(call), "state": CommentState.RECEIVED.value}, status_code=202
            )

    return endpoint.marked(answer, receive, permission=permission, body=body, query=WaitQuery)


def _reply(process: Process, call: Call[Any, WaitQuery], receipt: Receipt) -> Response:
    comment_id = _comment_id(call)
    view = process.database.read(lambda s: reading.get(s, call.site_id, comment_id))
    created = {True: 201, False: 200}[receipt.created]
    status = 202 if receipt.fresh and view.state is CommentState.RECEIVED else created
    headers = {"Location": f"/api/v1/comments/{comment_id}"} if receipt.created else {}
    return endpoint.render(Reply(status=status, body=comment_reply(view), headers=headers))


def _comment_id(call: Call[Any, WaitQuery]) -> str:
    return str(call.path.get("comment_id") or call.body.id)
