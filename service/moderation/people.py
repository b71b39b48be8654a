"""People: moderators, editors and admins, their passwords and sign-ins."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from service.errors import Conflict, Invalid, NotFound, TooManyRequests
from service.storage.tables import Membership, Person, Role, SignIn, SignInFailure, Site

SIGN_IN_LASTS = timedelta(hours=12)
# Ten wrong passwords for one address in a quarter of an hour, and it rests for the remainder.
FAILURES_ALLOWED = 10
FAILURES_COUNT_FOR = timedelta(minutes=15)
SHORTEST_PASSWORD = 10
LONGEST_ADDRESS, LONGEST_NAME = 254, 200

hasher = PasswordHasher()
# Verified when the address is unknown, so that an answer takes as long as for a known one.
NOBODYS_PASSWORD = hasher.hash(secrets.token_hex(16))


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person who is signed in, on one site, with the roles they have there."""

    person_id: int
    name: str
    site_id: int
    site: str
    site_name: str
    timezone: str
    roles: frozenset[Role]
    # Every site they belong to: slug and name.
    sites: tuple[tuple[str, str], ...]

    def may(self, role: Role) -> bool:
        return role in self.roles or Role.ADMIN in self.roles


def create(session: Session, email: str, *, name: str, password: str, now: datetime) -> Person:
    """A new person; raises Conflict if the address is taken, Invalid if the password is short."""
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(f"a password has at least {SHORTEST_PASSWORD} characters")
    if "@" not in email or len(email) > LONGEST_ADDRESS:
        raise Invalid(f"an e-mail address has an @ and at most {LONGEST_ADDRESS} characters")
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters")
    if find(session, email) is not None:
        raise Conflict("there is a person with this address already")
    person = Person(
        email=email.strip().lower(),
        name=name,
        password=hasher.hash(password),
        created_at=now,
        disabled_at=None,
    )
    session.add(person)
    session.flush()  # the caller needs the person's id
    return person


def find(session: Session, email: str) -> Person | None:
    return session.scalar(select(Person).where(Person.email == email.strip().lower()))


def get(session: Session, email: str) -> Person:
    person = find(session, email)
    if person is None:
        raise NotFound("there is no person with this address")
    return person


def set_password(session: Session, person: Person, password: str) -> None:
    """Change the password and end every sign-in."""
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(f"a password has at least {SHORTEST_PASSWORD} characters")
    person.password = hasher.hash(password)
    session.execute(delete(SignIn).where(SignIn.person_id == person.id))


def grant(session: Session, person: Person, site: Site, role: Role) -> None:
    """Give a role on a site; giving it twice changes nothing."""
    known = select(Membership.id).where(
        Membership.person_id == person.id, Membership.site_id == site.id, Membership.role == role
    )
    if session.scalar(known) is None:
        session.execute(insert(Membership).values(person_id=person.id, site_id=site.id, role=role))


def verify(session: Session, email: str, password: str, *, now: datetime) -> int | None:
    """The person whose address and password these are, or None; raises TooManyRequests while the address rests.

    It only reads: a password takes its time, and no write transaction may be open meanwhile.
    """
    failures = select(func.count()).where(
        SignInFailure.subject == _subject(email), SignInFailure.at > now - FAILURES_COUNT_FOR
    )
    if (session.scalar(failures) or 0) >= FAILURES_ALLOWED:
        raise TooManyRequests("too many wrong passwords; try again in a quarter of an hour")
    person = find(session, email)
    right = _matches(person.password if person else NOBODYS_PASSWORD, password)
    return person.id if person and right and person.disabled_at is None else None


def note_failure(session: Session, email: str, *, now: datetime) -> None:
    """Remember a refused sign-in; what is too old to count is swept."""
    session.execute(delete(SignInFailure).where(SignInFailure.at <= now - FAILURES_COUNT_FOR))
    session.execute(insert(SignInFailure).values(subject=_subject(email), at=now))


def sign_in(session: Session, person_id: int, *, now: datetime) -> str:
    """Begin a browser session and return its token, which is kept only as a hash."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    session.execute(
        insert(SignIn).values(
            person_id=person_id, sha256=_hash(token), created_at=now, expires_at=now + SIGN_IN_LASTS
        )
    )
    return token


def sign_out(session: Session, token: str) -> None:
    session.execute(delete(SignIn).where(SignIn.sha256 == _hash(token)))


def find_member(session: Session, token: str, *, site: str | None, now: datetime) -> Member | None:
    """Who holds this token, on the site asked for or the first they belong to; None if nobody."""
    rows = session.execute(
        select(
            Person.id, Person.name, Site.id, Site.slug, Site.name, Site.timezone, Membership.role
        )
        .join(SignIn, SignIn.person_id == Person.id)
        .join(Membership, Membership.person_id == Person.id)
        .join(Site, Site.id == Membership.site_id)
        .where(SignIn.sha256 == _hash(token), SignIn.expires_at > now, Person.disabled_at.is_(None))
        .order_by(Site.slug)
    ).all()
    here = [row for row in rows if row[3] == (site or rows[0][3])]
    if not here:
        return None
    person_id, name, site_id, slug, site_name, timezone, _ = here[0]
    return Member(
        person_id=person_id,
        name=name,
        site_id=site_id,
        site=slug,
        site_name=site_name,
        timezone=timezone,
        roles=frozenset(row[6] for row in here),
        sites=tuple({row[3]: row[4] for row in rows}.items()),
    )


def hashed_email(email: str, *, secret: str) -> str:
    """An address as authors are known by it: keyed, so that nobody can try addresses against it."""
    return keyed_hash(email.strip().lower(), secret=secret)


def keyed_hash(text: str, *, secret: str) -> str:
    """What nobody can guess back without the installation's secret; hexadecimal."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _matches(hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except VerifyMismatchError:
        return False


def _subject(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
