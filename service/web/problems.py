"""Problems: a refusal as a page."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.errors import ServiceError
from service.web import words
from service.web.page import render

# From this status on the fault is ours, and the log has more under the request's id.
BROKEN = 500


def render_problem_page(error: ServiceError, request: Request[Any]) -> Response:
    """What went wrong, and the way back to work."""
    title = words.PROBLEMS.get(error.status, error.title)
    # Where the framework refused, the detail is its own title.
    said = error.detail and error.detail != error.title
    content = {
        "title": title,
        "detail": words.sentence(error.detail) if said else "",
        "request_id": request.scope.get("request_id") if error.status >= BROKEN else None,
    }
    response = render("problem.html", content, status=error.status)
    response.headers.update(error.headers)
    return response
