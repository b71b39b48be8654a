"""Problems: a refusal as a page."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.errors import ServiceError
from service.web.page import render


def render_problem_page(error: ServiceError, request: Request[Any]) -> Response:
    """What went wrong, and the way back to work."""
    content = {
        "title": error.title,
        "detail": error.detail,
        "request_id": request.scope.get("request_id"),
    }
    response = render("problem.html", content, status=error.status)
    response.headers.update(error.headers)
    return response
