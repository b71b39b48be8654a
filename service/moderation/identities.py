"""Identities: people whom an OpenID provider vouches for, and whom of them we let in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.errors import Forbidden
from service.moderation import people, sites
from service.storage.people_tables import Identity, Invitation
from service.storage.tables import Person, Role


@dataclass(frozen=True, kw_only=True)
class Vouched:
    """What a provider says of somebody, in a token that has been verified."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What strangers whom the provider knows become; without it, strangers stay outside."""

    site: str
    role: Role


def invite(session: Session, person: Person, *, now: datetime) -> None:
    """Let the first identity that has this person's verified address become theirs; once."""
    known = session.get(Invitation, person.id)
    if known is None:
        session.add(Invitation(person_id=person.id, at=now))
    else:
        known.at = now


def admit(session: Session, vouched: Vouched, *, welcome: Welcome | None, now: datetime) -> int:
    """The person this is; raises Forbidden for whoever is nobody here.

    Known by issuer and subject alone. An address counts once, when an invitation waits for it, and only
    when the provider has verified it: addresses change hands.
    """
    known = session.scalar(
        select(Person)
        .join(Identity, Identity.person_id == Person.id)
        .where(Identity.issuer == vouched.issuer, Identity.subject == vouched.subject)
    )
    person = known or _newcomer(session, vouched, welcome=welcome, now=now)
    if person.disabled_at is not None:
        raise Forbidden("this person is deactivated", code="not_admitted")
    return person.id


def _newcomer(
    session: Session, vouched: Vouched, *, welcome: Welcome | None, now: datetime
) -> Person:
    if not vouched.email or not vouched.email_verified:
        raise Forbidden("the provider has not verified this address", code="email_not_verified")
    person = people.find(session, vouched.email)
    if person is None and welcome is not None:
        name = (vouched.name or vouched.email.partition("@")[0])[: people.LONGEST_NAME]
        person = people.create(session, vouched.email, name=name, password=None, now=now)
        people.grant(session, person, sites.get(session, welcome.site), welcome.role)
    elif person is None or not _use_invitation(session, person):
        raise Forbidden("nobody has invited this address", code="not_admitted")
    # Invited once more: another identity takes the place of the one before.
    before = (Identity.person_id == person.id, Identity.issuer == vouched.issuer)
    session.execute(delete(Identity).where(*before))
    session.add(
        Identity(person_id=person.id, issuer=vouched.issuer, subject=vouched.subject, linked_at=now)
    )
    return person


def _use_invitation(session: Session, person: Person) -> bool:
    used = delete(Invitation).where(Invitation.person_id == person.id)
    return session.scalar(used.returning(Invitation.person_id)) is not None
