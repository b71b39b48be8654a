"""Pages: an async edge, and a sync heart with one transaction that ends in a page or in a redirect."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from service.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from service.ids import ID
from service.moderation import sign_ins
from service.moderation.actor import Actor
from service.moderation.people import Member
from service.process import Process, State, utc_now
from service.storage.tables import Role
from service.text import UNFIT
from service.web import words
from service.web.csrf import must_be_ours

log = structlog.get_logger()

COOKIE = "postbag_session"
MOST_FIELDS = 50
# Whoever is signed in, in whichever role.
STAFF: Literal["staff"] = "staff"
Permission = Role | Literal["staff"]
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# What a POST may end in without being a page of its own: back to where the form was.
ENDS_BACK = (Conflict, Invalid, NotFound)

templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.globals |= {"words": words, "Role": Role}
templates.filters |= {"percent": words.percent, "in_marks": words.in_marks}

Endpoint = Callable[[Request[State]], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request of someone who is signed in and may be here, in the role that the page is for."""

    member: Member
    permission: Permission
    path: dict[str, str]
    form: dict[str, str]
    said: str | None
    now: datetime

    @property
    def site_id(self) -> int:
        return self.member.site_id

    @property
    def actor(self) -> Actor:
        """Who acts, and how much of the site they see in this role."""
        if self.permission == STAFF:
            return Actor(person_id=self.member.person_id, sections=frozenset())
        return self.member.actor(self.permission)

    def number(self, name: str) -> int:
        """A whole number that the form carries; raises Invalid."""
        value = self.form.get(name, "")
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise Invalid(errors=(FieldError(pointer=f"/{name}", code="missing", detail=""),))
        return int(value)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A page: its template and what stands in it."""

    template: str
    status: int = 200
    content: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A way on after something was done, with a word about it."""

    to: str
    said: str | None = None


Act = Callable[[Session, Visit], Shown | Gone]


def page(act: Act, *, permission: Permission, writes: bool, back: str | None = None) -> Endpoint:
    """An endpoint around `act`: signed in, allowed, from a page of ours; then its transaction.

    `back` is where a form returns to when what it asked for is refused.
    """

    async def endpoint(request: Request[State]) -> Response:
        process = request.state["process"]
        form = await read_form(request, process)

        def heart() -> Response:
            visit = _visit(process, request, form, permission)
            if visit is None:
                return RedirectResponse(_sign_in_first(request), status_code=303)
            run = process.database.write if writes else process.database.read
            try:
                outcome = run(lambda session: act(session, visit))
            except ENDS_BACK as error:
                if back is None or request.method != "POST":
                    raise
                said = error.errors[0].code if error.errors else error.code
                outcome = Gone(to=back.format(**visit.path), said=said)
            return _answer(outcome, visit)

        return await process.in_thread(heart)

    return marked(endpoint, permission)


def marked(endpoint: Endpoint, permission: Role | str) -> Endpoint:
    """The endpoint, with its permission for all to see."""
    endpoint.permission = permission  # type: ignore[attr-defined] # a test walks the routes
    return endpoint


async def read_form(request: Request[State], process: Process) -> dict[str, str]:
    """The fields of a form that a page of ours sent; raises Forbidden for others, Invalid for unfit text."""
    if request.method != "POST":
        return {}
    must_be_ours(request, public_url=process.settings.public_url)
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as sent:
        form = {name: value for name, value in sent.items() if isinstance(value, str)}
    for name, value in form.items():
        if UNFIT.search(value):
            wrong = FieldError(pointer=f"/{name}", code="invalid_text", detail="")
            raise Invalid(code="invalid_text", errors=(wrong,))
    return form


def render(template: str, content: Mapping[str, Any], *, status: int = 200) -> Response:
    """A page of ours, with the headers that keep it to itself."""
    html = templates.get_template(template).render(**content)
    return HTMLResponse(html, status_code=status, headers=SECURITY)


def find_member(process: Process, request: Request[Any], *, site: str | None) -> Member | None:
    """Who is signed in here, if anybody."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    now = utc_now()
    member = process.database.read(lambda s: sign_ins.find_member(s, token, site=site, now=now))
    if member is not None and now - member.seen_at >= sign_ins.NOTED_EVERY:
        try:
            process.database.write(lambda s: sign_ins.note_life(s, member.sign_in_id, now=now))
        except SQLAlchemyError as error:  # a page that only shows does without
            log.warning("sign_ins.life_not_noted", error=type(error).__name__)
    return member


def set_cookie(
    process: Process,
    response: Response,
    name: str,
    value: str,
    *,
    lasts: timedelta,
    path: str = "/",
) -> None:
    """A cookie for this service alone, which no script reads and no other site's form sends."""
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        path=path,
        httponly=True,
        samesite="lax",
        secure=process.settings.public_url.startswith("https://"),
    )


def _visit(
    process: Process, request: Request[State], form: dict[str, str], permission: Permission
) -> Visit | None:
    path = {name: str(value) for name, value in request.path_params.items()}
    if not all(ID.fullmatch(value) for value in path.values()):
        raise NotFound("there is no such page")
    member = find_member(process, request, site=path.get("site"))
    if member is None:
        if find_member(process, request, site=None) is not None:
            raise NotFound("there is no such site, or it is not yours")
        return None
    if permission != STAFF and not member.may(permission):
        raise Forbidden(f"this page is for {permission.value}s of {member.site_name}")
    said = request.query_params.get("said")
    return Visit(
        member=member, permission=permission, path=path, form=form, said=said, now=utc_now()
    )


def _answer(outcome: Shown | Gone, visit: Visit) -> Response:
    if isinstance(outcome, Gone):
        query = f"?{urlencode({'said': outcome.said})}" if outcome.said else ""
        return RedirectResponse(outcome.to + query, status_code=303)
    said = words.SAID.get(visit.said, words.NOTHING_DONE) if visit.said else None
    everywhere = {
        "member": visit.member,
        "sections": sorted(visit.actor.sections or ()),
        "said": said,
        "good": visit.said in words.GOOD_NEWS,
    }
    return render(outcome.template, {**everywhere, **outcome.content}, status=outcome.status)


def _sign_in_first(request: Request[State]) -> str:
    if request.method != "GET":
        return "/login"
    return f"/login?next={quote(request.url.path)}"
