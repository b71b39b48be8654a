"""Sign-in: an address, a password, a session; and the way to one's desk."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.errors import TooManyRequests
from service.moderation import people
from service.process import Process, State, utc_now
from service.storage.tables import Role
from service.web import words
from service.web.page import COOKIE, find_member, marked, read_form, render

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
    return _form(going_to=_next(request.query_params.get("next")))


async def sign_in(request: Request[State]) -> Response:
    """Check the password and begin a session."""
    process = request.state["process"]
    form = await read_form(request, process)
    return await process.in_thread(lambda: _sign_in(process, form))


async def sign_out(request: Request[State]) -> Response:
    """End the session, here and in the database."""
    process = request.state["process"]
    await read_form(request, process)
    token = request.cookies.get(COOKIE, "")
    await process.in_thread(
        lambda: process.database.write(lambda session: people.sign_out(session, token))
    )
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(COOKIE)
    return response


for endpoint in (home, login, sign_in, sign_out):
    marked(endpoint, "public")


def _sign_in(process: Process, form: dict[str, str]) -> Response:
    email, password, now = form.get("email", ""), form.get("password", ""), utc_now()
    going_to = _next(form.get("next"))
    try:
        person_id = process.database.read(lambda s: people.verify(s, email, password, now=now))
    except TooManyRequests as error:
        return _form(going_to=going_to, email=email, said=error.code, status=error.status)
    if person_id is None:
        process.database.write(lambda s: people.note_failure(s, email, now=now))
        return _form(going_to=going_to, email=email, said="wrong_sign_in", status=401)
    token = process.database.write(lambda s: people.sign_in(s, person_id, now=now))
    response = RedirectResponse(going_to, status_code=303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(people.SIGN_IN_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=process.settings.public_url.startswith("https://"),
    )
    return response


def _form(
    *, going_to: str, email: str = "", said: str | None = None, status: int = 200
) -> Response:
    content = {"next": going_to, "email": email, "said": words.SAID[said] if said else None}
    return render("login.html", content, status=status)


def _next(path: str | None) -> str:
    return path if path and NEXT.fullmatch(path) else "/"
