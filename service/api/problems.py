"""Problems: every error of the API in one shape (RFC 9457)."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.errors import ServiceError

MEDIA_TYPE = "application/problem+json"
CODES = {404: "no_such_call", 405: "method_not_allowed", 413: "too_large"}


def render_problem(error: ServiceError, request: Request[Any]) -> Response:
    """The refusal a caller can act on."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail or error.title,
        "request_id": request.scope.get("request_id"),
    }
    if error.errors:
        problem["errors"] = [
            {"pointer": wrong.pointer, "code": wrong.code, "detail": wrong.detail}
            for wrong in error.errors
        ]
    return Response(
        json.dumps(problem, ensure_ascii=True),
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
