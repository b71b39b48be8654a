"""Asking: calls that wait for the models and store nothing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.api import endpoint
from service.api.endpoint import Reply
from service.api.problems import render_problem
from service.errors import ServiceError
from service.moderation.scores import ScorerUnavailable
from service.process import State

LONGEST_WAIT_S = 30.0
A = TypeVar("A")
T = TypeVar("T")


async def answer(
    request: Request[State],
    ask: Callable[[], tuple[A, Future[T]]],
    reply: Callable[[A, T], BaseModel],
) -> Response:
    """`ask` in a thread, wait for the models without one, and render what `reply` makes of both."""
    try:
        asked, answering = await request.state["process"].in_thread(ask)
        found = await asyncio.wait_for(asyncio.wrap_future(answering), LONGEST_WAIT_S)
    except ServiceError as error:
        return render_problem(error, request)
    except TimeoutError:
        return render_problem(ScorerUnavailable("the models took too long"), request)
    return endpoint.render(Reply(body=reply(asked, found)))
