"""The published block: for the page under the article, for everybody, as JSON and as HTML."""

import zlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from service.errors import NotFound
from service.ids import ID
from service.moderation import block
from service.moderation.block import Block
from service.process import State
from service.web.page import Endpoint, marked, templates

HEADING = "Perspectives & Insights"
# A new release may draw the same picks in another way.
RELEASE = version("postbag")
SHARED = {
    "Cache-Control": "public, max-age=30",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    # The document may be framed by the site; nothing in it may run or load but its own style.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'",
}


def _published(draw: Callable[[Block, Request[State]], Response]) -> Endpoint:
    """An endpoint that reads the block as it is now and lets caches ask whether it still is."""

    async def endpoint(request: Request[State]) -> Response:
        process = request.state["process"]
        site, article_id = request.path_params["site"], request.path_params["article_id"]
        # Looked at before the database is: text from a path may hold what it refuses.
        if not (ID.fullmatch(site) and ID.fullmatch(article_id)):
            raise NotFound("there is no such article")

        def heart() -> Response:
            found = process.database.read(lambda s: block.get_published(s, site, article_id))
            etag = _etag(found)
            if _is_known(request, etag):
                return Response(status_code=304, headers={**SHARED, "ETag": etag})
            response = draw(found, request)
            response.headers["ETag"] = etag
            return response

        return await process.in_thread(heart)

    return marked(endpoint, "public")


def _etag(found: Block) -> str:
    """Another one whenever the page is; an article that has moved does not count its block on."""
    moved = zlib.crc32(found.article_url.encode())
    return f'"{RELEASE}-{found.version}-{moved:08x}"'


def _as_json(found: Block, _request: Request[Any]) -> Response:
    body = {
        "article_id": found.article_id,
        "version": found.version,
        "changed_at": found.changed_at.isoformat() if found.changed_at else None,
        "heading": HEADING,
        "items": [
            {
                "id": quote.id,
                "author_name": quote.author_name,
                "quote": quote.quote,
                "comment_id": quote.comment_id,
                "comment_url": quote.comment_url,
            }
            for quote in found.quotes
        ],
    }
    return JSONResponse(body, headers=SHARED)


def _as_html(found: Block, request: Request[Any]) -> Response:
    """A small document; with `?part=section` the section alone, to be put into a page by its server."""
    if not found.quotes:
        return HTMLResponse("", headers=SHARED)
    alone = request.query_params.get("part") == "section"
    template = templates.get_template("block_section.html" if alone else "block.html")
    # Alone it stands under an article's own heading; as a document it has the first.
    html = template.render(block=found, heading=HEADING, level=2 if alone else 1)
    return HTMLResponse(html, headers=SHARED)


def _is_known(request: Request[Any], etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in {
        each.strip().removeprefix("W/") for each in known.split(",")
    }


as_json = _published(_as_json)
as_html = _published(_as_html)
