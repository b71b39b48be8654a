"""Endpoints: an async edge, and a sync heart with one transaction."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from service.api.payload import parse_body, parse_query
from service.api.problems import render_problem
from service.errors import FieldError, Forbidden, Invalid, ServiceError, Unauthorized
from service.ids import ID, ID_ADVICE
from service.moderation import keys
from service.moderation.actor import Actor
from service.moderation.keys import Caller
from service.process import Process, State, utc_now
from service.settings import Settings
from service.storage.tables import Scope

log = structlog.get_logger()


class Nothing(BaseModel):
    """A call without body or query."""

    model_config = ConfigDict(extra="forbid")


B = TypeVar("B", bound=BaseModel)
Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[B, Q]):
    """A request whose key, path, query and body have been checked."""

    caller: Caller
    path: dict[str, str]
    body: B
    query: Q
    now: datetime
    settings: Settings

    @property
    def site_id(self) -> int:
        return self.caller.site_id

    @property
    def actor(self) -> Actor:
        return Actor(key_id=self.caller.key_id)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an endpoint answers."""

    body: BaseModel | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Act = Callable[[Session, Call[B, Q]], Reply]


class Endpoint(Protocol):
    """An async function that knows who may call it, what it takes and what it gives."""

    permission: Scope
    contract: "Contract"

    def __call__(self, request: Request[State]) -> Awaitable[Response]: ...


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A call as the OpenAPI document tells it: `name` is room and function, `replies` go by status."""

    name: str
    about: str
    permission: Scope
    body: type[BaseModel]
    query: type[BaseModel]
    replies: Mapping[int, type[BaseModel]]
    refusals: tuple[int, ...]


F = TypeVar("F", bound=Callable[..., Any])


def answers(
    replies: Mapping[int, type[BaseModel]], *, refuses: tuple[int, ...] = ()
) -> Callable[[F], F]:
    """What the function below answers with, and the statuses of refusals that are its own.

    Every call of the API needs it: without it there is no document, and the start says so.
    """

    def note(act: F) -> F:
        act.replies, act.refusals = replies, refuses  # type: ignore[attr-defined] # read by `marked`
        return act

    return note


def json_endpoint(
    act: Act[B, Q], *, permission: Scope, body: type[B], query: type[Q], writes: bool
) -> Callable[[Request[State]], Awaitable[Response]]:
    """An endpoint around `act`: key, scope, path, query and body are checked before its transaction."""

    async def endpoint(request: Request[State]) -> Response:
        process = request.state["process"]
        raw = await request.body()

        def heart() -> Reply:
            call = check(process, request, raw, permission=permission, body=body, query=query)
            run = process.database.write if writes else process.database.read
            return run(lambda session: act(session, call))

        try:
            return render(await process.in_thread(heart))
        except ServiceError as error:
            return render_problem(error, request)

    return marked(endpoint, act, permission=permission, body=body, query=query)


def marked(
    endpoint: Callable[[Request[State]], Awaitable[Response]],
    act: Callable[..., Any],
    *,
    permission: Scope,
    body: type[BaseModel],
    query: type[BaseModel],
) -> Callable[[Request[State]], Awaitable[Response]]:
    """The endpoint, with its permission and its contract for all to see; `act` says what it answers."""
    replies = getattr(act, "replies", None)
    if replies is None:
        raise TypeError(f"{act.__module__}.{act.__name__} needs @answers")
    endpoint.permission = permission  # type: ignore[attr-defined] # a test walks the routes
    endpoint.contract = Contract(  # type: ignore[attr-defined] # the document reads it
        name=f"{act.__module__.rpartition('.')[2]}.{act.__name__}",
        about=inspect.getdoc(act) or "",
        permission=permission,
        body=body,
        query=query,
        replies=replies,
        refusals=getattr(act, "refusals", ()),
    )
    return endpoint


def check(
    process: Process,
    request: Request[State],
    raw: bytes,
    *,
    permission: Scope,
    body: type[B],
    query: type[Q],
) -> Call[B, Q]:
    """A request made into a call, in this order: who, may they, so often, what; raises the ServiceError that applies."""
    caller = _caller(process, request)
    if not caller.may(permission):
        raise Forbidden(f"this key lacks the scope {permission.value!r}", code="missing_scope")
    process.rates.take(caller.key_id)
    path = {name: str(value) for name, value in request.path_params.items()}
    wrong = tuple(
        FieldError(pointer=f"/path/{name}", code="invalid_id", detail=ID_ADVICE)
        for name, value in path.items()
        if not ID.fullmatch(value)
    )
    if wrong:
        raise Invalid(ID_ADVICE, code="invalid_id", errors=wrong)
    return Call(
        caller=caller,
        path=path,
        query=parse_query(dict(request.query_params), query),
        body=body() if body is Nothing else parse_body(raw, body),
        now=utc_now(),
        settings=process.settings,
    )


def render(reply: Reply) -> Response:
    """JSON, or nothing at all."""
    if reply.body is None:
        return Response(status_code=reply.status, headers=reply.headers)
    return Response(
        reply.body.model_dump_json(),
        status_code=reply.status,
        media_type="application/json",
        headers=reply.headers,
    )


def _caller(process: Process, request: Request[Any]) -> Caller:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized(
            "send `Authorization: Bearer` with a key", headers={"WWW-Authenticate": "Bearer"}
        )
    now = utc_now()
    caller = process.database.read(lambda s: keys.authenticate(s, secret.strip(), now=now))
    if caller.used_on != now.date():
        _note_use(process, caller, on=now.date())
    return caller


def _note_use(process: Process, caller: Caller, *, on: date) -> None:
    """Once a day: it says which keys nobody uses any more. A call that only reads does without."""
    try:
        process.database.write(lambda s: keys.note_use(s, caller.key_id, on=on))
    except SQLAlchemyError as error:
        log.warning("keys.use_not_noted", error=type(error).__name__)
