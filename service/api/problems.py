"""Problems: every error of the API in one shape (RFC 9457)."""

import json
from typing import Any

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ServiceError

MEDIA_TYPE = "application/problem+json"
CODES = {404: "no_such_call", 405: "method_not_allowed", 413: "too_large"}


class WrongField(BaseModel):
    """One wrong field: a JSON pointer to it, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457); `code` is stable, `errors` names every wrong field."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None
    errors: list[WrongField] = []


def as_problem(error: ServiceError, request: Request[Any]) -> Problem:
    """The refusal as its fields."""
    problem = Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail or error.title,
        request_id=request.scope.get("request_id"),
    )
    if error.errors:
        problem.errors = [
            WrongField(pointer=wrong.pointer, code=wrong.code, detail=wrong.detail)
            for wrong in error.errors
        ]
    return problem


def render_problem(error: ServiceError, request: Request[Any]) -> Response:
    """The refusal a caller can act on."""
    problem = as_problem(error, request)
    return Response(
        json.dumps(problem.model_dump(exclude_unset=True), ensure_ascii=True),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers=error.headers,
    )


def from_http(error: HTTPException) -> ServiceError:
    """What Starlette itself refuses, as ours."""
    refusal = ServiceError(
        error.detail,
        code=CODES.get(error.status_code, "http_error"),
        headers=dict(error.headers or {}),
    )
    refusal.status, refusal.title = error.status_code, error.detail
    return refusal
