"""Sign-in: an address, a password, a session; and the way to one's desk."""

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.errors import TooManyRequests
from service.moderation import people, sign_ins, throttle
from service.moderation.throttle import Attempt
from service.process import Process, State, utc_now
from service.storage.tables import Role
from service.web import browsers, words
from service.web.page import COOKIE, find_member, marked, read_form, render, set_cookie

BROWSER_COOKIE = "postbag_browser"
# A path of ours and nothing that a browser could take for another host.
NEXT = re.compile(r"/(?![/\\])[A-Za-z0-9._~:/-]*")


async def home(request: Request[State]) -> Response:
    """On to one's desk, or to the sign-in."""
    process = request.state["process"]
    member = await process.in_thread(lambda: find_member(process, request, site=None))
    if member is None:
        return RedirectResponse("/login", status_code=303)
    desk = "review" if member.may(Role.MODERATOR) else "picks"
    return RedirectResponse(f"/desk/{member.site}/{desk}", status_code=303)


async def login(request: Request[State]) -> Response:
    """The form."""
    return form_page(
        request.state["process"],
        going_to=next_path(request.query_params.get("next")),
    )


async def sign_in(request: Request[State]) -> Response:
    """Check the password and begin a session."""
    process = request.state["process"]
    form = await read_form(request, process)
    return await process.in_thread(lambda: _sign_in(process, request, form))


async def sign_out(request: Request[State]) -> Response:
    """End the session, here and in the database."""
    process = request.state["process"]
    await read_form(request, process)
    token = request.cookies.get(COOKIE, "")
    await process.in_thread(
        lambda: process.database.write(lambda session: sign_ins.end(session, token))
    )
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(COOKIE)
    return response


for endpoint in (home, login, sign_in, sign_out):
    marked(endpoint, "public")


def form_page(
    process: Process,
    *,
    going_to: str,
    email: str = "",
    said: str | None = None,
    wait: str | None = None,
    status: int = 200,
) -> Response:
    """The sign-in page, with a word about what went wrong and for how long to wait."""
    sentence = words.SAID.get(said, words.NOTHING_DONE) if said else None
    if wait:
        sentence = words.too_many(int(wait))
    content = {
        "next": going_to,
        "email": email,
        "provider": process.settings.oidc.name if process.settings.oidc else None,
        "said": sentence,
    }
    response = render("login.html", content, status=status)
    if wait:
        response.headers["Retry-After"] = wait
    return response


def check_password(
    process: Process, request: Request[Any], email: str, password: str
) -> tuple[int | None, Attempt]:
    """Whose password this is, if anybody's, with the attempt to be forgiven; raises TooManyRequests."""
    now = utc_now()
    tried = throttle.attempt(
        email,
        address=network_of(request),
        browser=request.cookies.get(BROWSER_COOKIE),
        secret=process.settings.secret,
        now=now,
    )
    process.database.write(lambda s: throttle.take(s, tried))
    return process.database.read(lambda s: people.verify(s, email, password)), tried


def let_in(
    process: Process,
    request: Request[Any],
    person_id: int,
    going_to: str,
    *,
    first: Callable[[Session], None] = lambda _: None,
) -> Response:
    """Begin a session under a new token, end the one that this browser had, and go on."""
    now = utc_now()
    browser = browsers.name(request.headers.get("user-agent", ""))

    def begin(session: Session) -> str:
        first(session)
        sign_ins.end(session, request.cookies.get(COOKIE, ""))
        return sign_ins.begin(session, person_id, browser=browser, now=now)

    response = RedirectResponse(going_to, status_code=303)
    set_cookie(process, response, COOKIE, process.database.write(begin), lasts=sign_ins.LASTS)
    return response


def _sign_in(process: Process, request: Request[Any], form: dict[str, str]) -> Response:
    email, going_to = form.get("email", ""), next_path(form.get("next"))
    try:
        person_id, tried = check_password(process, request, email, form.get("password", ""))
    except TooManyRequests as error:
        wait = error.headers["Retry-After"]
        return form_page(process, going_to=going_to, email=email, wait=wait, status=429)
    if person_id is None:
        return form_page(process, going_to=going_to, email=email, said="wrong_sign_in", status=401)
    response = let_in(
        process, request, person_id, going_to, first=lambda s: throttle.forgive(s, tried)
    )
    known = throttle.known_browser(email, secret=process.settings.secret, now=tried.at)
    set_cookie(process, response, BROWSER_COOKIE, known, lasts=throttle.BROWSER_KNOWN_FOR)
    return response


def next_path(path: str | None) -> str:
    """Where to go after signing in: a path of ours, or the desk."""
    return path if path and NEXT.fullmatch(path) else "/"


def network_of(request: Request[Any]) -> str:
    """Where a request comes from; of IPv6 the part that one customer is given whole."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address)
