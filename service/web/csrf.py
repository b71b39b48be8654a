"""Cross-site requests: whether the browser says that a form was sent from a page of ours."""

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from service.errors import Forbidden


def must_be_ours(request: Request[Any], *, public_url: str) -> None:
    """Refuse a change that another site's page caused; raises Forbidden.

    Browsers send Sec-Fetch-Site to secure addresses and Origin with every form. A request with neither
    comes from no browser of this decade: scripts have the API and its keys.
    """
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from is not None:
        # "none": typed or bookmarked by the person themselves.
        ours = fetched_from in {"same-origin", "none"}
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        known = {urlsplit(public_url).netloc, request.headers.get("host", "")}
        ours = origin.scheme in {"http", "https"} and origin.netloc in known
    if not ours:
        raise Forbidden("this form was not sent from a page of Postbag", code="cross_site")
