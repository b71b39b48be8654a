"""One's own account: where one is signed in, and the password."""

from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.errors import Invalid, TooManyRequests
from service.moderation import people, sign_ins, throttle
from service.moderation.people import Member
from service.process import Process, State
from service.storage.tables import Person
from service.web.login import check_password
from service.web.page import STAFF, Gone, Shown, Visit, find_member, marked, read_form

HERE = "/account"


def show(session: Session, visit: Visit) -> Shown:
    """The sessions that last still, and the form for a new password."""
    person = session.get_one(Person, visit.member.person_id)
    return Shown(
        template="account.html",
        content={
            "person": person,
            "sessions": sign_ins.list_open(session, visit.member, now=visit.now),
            "now": visit.now,
            "shortest": people.SHORTEST_PASSWORD,
        },
    )


def end_session(session: Session, visit: Visit) -> Gone:
    """Sign out another browser of one's own."""
    sign_ins.end_one(session, visit.member, visit.number("session"))
    return Gone(to=HERE, said="signed_out")


def end_others(session: Session, visit: Visit) -> Gone:
    """Sign out everywhere but here."""
    sign_ins.end_others(session, visit.member)
    return Gone(to=HERE, said="signed_out")


async def change_password(request: Request[State]) -> Response:
    """A new password for whoever knows the present one; every other session ends.

    Not one transaction, as other pages are: a password takes its time to check.
    """
    process = request.state["process"]
    form = await read_form(request, process)

    def heart() -> Response:
        member = find_member(process, request, site=None)
        if member is None:
            return RedirectResponse(f"/login?next={HERE}", status_code=303)
        said = _change(process, request, member, form)
        return RedirectResponse(f"{HERE}?said={said}", status_code=303)

    return await process.in_thread(heart)


marked(change_password, STAFF)


def _change(process: Process, request: Request[Any], member: Member, form: dict[str, str]) -> str:
    person = process.database.read(lambda s: s.get_one(Person, member.person_id))
    new = form.get("new", "")
    if new != form.get("again", ""):
        return "not_the_same"
    try:
        found, tried = check_password(process, request, person.email, form.get("present", ""))
    except TooManyRequests:
        return "wait_a_little"
    if found != member.person_id:
        return "wrong_password"

    def change(session: Session) -> None:
        throttle.forgive(session, tried)
        same = session.get_one(Person, member.person_id)
        people.set_password(session, same, new, keep_sign_in=member.sign_in_id)

    try:
        process.database.write(change)
    except Invalid as error:
        return error.code
    return "password_changed"
