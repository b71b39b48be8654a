"""The application: routes, middleware and lifespan, put together in one place."""

import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics, watch, worker
from service.api import openapi
from service.api.problems import from_http, render_problem
from service.api.routes import ROUTES as API_ROUTES
from service.errors import ServiceError, TooLarge
from service.ids import ID
from service.moderation import judging
from service.process import Process, State
from service.scoring import BatchScorer
from service.settings import Settings
from service.storage.db import open_database
from service.storage.outages import find_outage
from service.web import docs
from service.web.problems import render_problem_page
from service.web.routes import ROUTES as WEB_ROUTES

log = structlog.get_logger()

LARGEST_REQUEST = 8 * 1024 * 1024
API = "/api/v1"
# What a proxy may call a request: nothing that a person would be named by.
REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
WORKER_STOPS_WITHIN_S = 10


def start_process(settings: Settings) -> Process:
    """Open the database and load the weights; the process starts also when they are missing."""
    scorer = BatchScorer(
        settings.weights, threads=settings.scoring_threads, queue=settings.scoring_queue
    )
    if scorer.trouble:
        log.error("scorer.unavailable", trouble=scorer.trouble)
    return Process(
        settings=settings,
        database=open_database(settings.database_url),
        scorer=scorer,
        owner=judging.new_owner(),
    )


def stop_process(process: Process) -> None:
    """Close what `start_process` opened."""
    process.scorer.close()
    process.database.dispose()


def create_app(process: Process) -> Starlette:
    """The whole service around a process that has been started; its owner stops it."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        # From here on a connection is open: a restore sees by it that the service runs.
        await process.in_thread(process.database.is_alive)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(process, stop), name="worker")
        if process.settings.worker_inside:
            thread.start()
        yield {"process": process}
        stop.set()
        await process.finish()
        if thread.is_alive():
            await process.in_thread(lambda: thread.join(WORKER_STOPS_WITHIN_S))

    described = openapi.document(API_ROUTES, prefix=API)
    routes = [
        Route("/livez", watch.livez),
        Route("/readyz", watch.readyz),
        Route("/metrics", watch.show_metrics),
        Mount(API, routes=[*API_ROUTES, openapi.route_to(described)]),
        docs.route_to(described),
        *WEB_ROUTES,
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(RequestLog, templates=dict(_templates(routes))),
            Middleware(DeclaredSize),
            Middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_REQUEST),
        ],
        exception_handlers={
            ServiceError: on_refusal,
            HTTPException: on_http_error,
            SQLAlchemyError: on_outage,
        },
        lifespan=lifespan,
    )


async def on_refusal(request: Request[Any], error: Exception) -> Response:
    """A ServiceError that left an endpoint: as JSON at the API's door, as a page elsewhere."""
    refusal = error if isinstance(error, ServiceError) else ServiceError()
    if request.url.path.startswith("/api/"):
        return render_problem(refusal, request)
    return render_problem_page(refusal, request)


async def on_outage(request: Request[Any], error: Exception) -> Response:
    """The database is away, locked, full or read-only: 503, and nothing of the request was stored."""
    outage = find_outage(error) if isinstance(error, SQLAlchemyError) else None
    if outage is None:
        raise error
    log.error("database.outage", code=outage.code, error=type(error).__name__)
    return await on_refusal(request, outage)


async def on_http_error(request: Request[Any], error: Exception) -> Response:
    """What Starlette refuses: no such path, no such method, too much."""
    refusal = from_http(error) if isinstance(error, HTTPException) else error
    if isinstance(refusal, ServiceError) and refusal.status == 405:
        # Starlette names the methods of the first route with this path, not of all.
        methods = _methods_at(request)
        refusal.headers |= {"Allow": ", ".join(sorted(methods))} if methods else {}
    return await on_refusal(request, refusal)


def _methods_at(request: Request[Any]) -> set[str]:
    """Every method that the path of a request has; none where only the document stands."""
    inside = request.scope.get("root_path", "").endswith(API)
    routes = API_ROUTES if inside else request.app.routes
    return {
        method
        for route in routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


async def on_crash(request: Request[Any], _error: Exception) -> Response:
    """A fault of ours; the log has the frames, the caller the request's id."""
    return await on_refusal(request, ServiceError("this is a fault of the service; it is logged"))


def _templates(routes: Sequence[BaseRoute], above: str = "") -> Iterator[tuple[int, str]]:
    """Each endpoint's identity, with the path of its route as it was written: what can be counted by."""
    for route in routes:
        if isinstance(route, Route):
            yield id(route.endpoint), above + route.path
        elif isinstance(route, Mount):
            yield id(route.app), above + route.path
            yield from _templates(route.routes, above + route.path)


class RequestLog:
    """One line and one count a request, and an id that the reply and every line share."""

    def __init__(self, app: ASGIApp, *, templates: Mapping[int, str]) -> None:
        self.app = app
        self.templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["request_id"] = _id_of(scope)
        started, status, answered = time.perf_counter(), 500, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                # Here, where the id is bound: the server's own line about it has none.
                log.exception("request.crashed")
                if answered:
                    raise
                await (await on_crash(Request(scope), error))(scope, receive, send_with_id)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, took_s: float) -> None:
        route = self.templates.get(id(scope.get("endpoint")), metrics.NO_ROUTE)
        method = scope["method"] if scope["method"] in metrics.METHODS else metrics.OTHER_METHOD
        metrics.requests.labels(method, route, str(status)).inc()
        metrics.request_seconds.labels(route).observe(took_s)
        # Of what a path holds, ids alone: anything else may be a token or a name.
        parameters = scope.get("path_params", {}).items()
        ids = {
            name: value
            for name, value in parameters
            if name.endswith("_id") and ID.fullmatch(value)
        }
        log.info(
            "request", method=method, route=route, status=status, ms=round(took_s * 1000, 1), **ids
        )


def _id_of(scope: Scope) -> str:
    """The id that a proxy gave the request, if it is a plain one; else one of our own."""
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class DeclaredSize:
    """Refuse a request that says it is too large; the limit inside counts those that do not say."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if not (declared.isdigit() and int(declared) > LARGEST_REQUEST):
            await self.app(scope, receive, send)
            return
        refusal = TooLarge(f"a request may have {LARGEST_REQUEST} bytes")
        response = await on_refusal(Request(scope), refusal)
        await response(scope, receive, send)
