"""The people's desk, for admins: who works on the site, in which roles, and who is kept out."""

from sqlalchemy.orm import Session

from service.errors import FieldError, Forbidden, Invalid
from service.moderation import articles, people, sign_ins, sites
from service.storage.tables import Person, Role
from service.web.page import Gone, Shown, Visit


def show(session: Session, visit: Visit) -> Shown:
    """Everybody with a role on the site."""
    return Shown(
        template="people.html",
        content={
            "colleagues": people.list_colleagues(session, visit.site_id),
            "known_sections": articles.list_sections(session, visit.site_id),
        },
    )


def grant(session: Session, visit: Visit) -> Gone:
    """Give a role, on the site or on the sections that were named; given again, these count."""
    person, role = _whom(session, visit), _role(visit)
    named = [line.strip() for line in visit.form.get("sections", "").splitlines() if line.strip()]
    if person.id == visit.member.person_id:
        raise Forbidden("nobody changes their own roles")
    site = sites.get(session, visit.member.site)
    people.grant(session, person, site, role, sections=named or None)
    return _back(visit, "role_given")


def revoke(session: Session, visit: Visit) -> Gone:
    """Take a role away, from somebody else."""
    person, role = _whom(session, visit), _role(visit)
    if person.id == visit.member.person_id:
        raise Forbidden("nobody changes their own roles")
    people.revoke(session, person, sites.get(session, visit.member.site), role)
    return _back(visit, "role_taken")


def sign_out(session: Session, visit: Visit) -> Gone:
    """End every session of somebody."""
    sign_ins.end_all(session, _whom(session, visit).id)
    return _back(visit, "signed_out")


def deactivate(session: Session, visit: Visit) -> Gone:
    """Keep somebody out from now on."""
    person = _whom(session, visit)
    people.must_rule_over(session, visit.member, person)
    people.deactivate(session, person, now=visit.now)
    return _back(visit, "deactivated")


def activate(session: Session, visit: Visit) -> Gone:
    """Let somebody in again."""
    person = _whom(session, visit)
    people.must_rule_over(session, visit.member, person)
    people.activate(person)
    return _back(visit, "activated")


def _whom(session: Session, visit: Visit) -> Person:
    named = visit.path["person_id"]
    number = int(named) if named.isascii() and named.isdigit() and len(named) <= 18 else 0
    return people.get_colleague(session, visit.site_id, number)


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.form.get("role", ""))
    except ValueError as error:
        wrong = FieldError(pointer="/role", code="missing", detail="")
        raise Invalid(errors=(wrong,)) from error


def _back(visit: Visit, said: str) -> Gone:
    return Gone(to=f"/desk/{visit.member.site}/people", said=said)
