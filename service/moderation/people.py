"""People: moderators, editors and admins, their passwords, and their roles on sites and sections."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import delete, func, literal, or_, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.moderation.actor import Actor
from service.storage.tables import Comment, Membership, Person, Role, SignIn, Site

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1000
LONGEST_ADDRESS, LONGEST_NAME = 254, 200
LONGEST_SECTION, MOST_SECTIONS = 200, 100
MOST_LISTED = 1000

hasher = PasswordHasher()
# Verified when the address is unknown, so that an answer takes as long as for a known one.
NOBODYS_PASSWORD = hasher.hash(secrets.token_hex(16))

# Each role that somebody has on a site, with the sections it is for; None is the whole site.
Roles = Mapping[Role, frozenset[str] | None]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person who is signed in, on one site, with the roles they have there."""

    person_id: int
    name: str
    site_id: int
    site: str
    site_name: str
    timezone: str
    roles: Roles
    # Every site they belong to: slug and name.
    sites: tuple[tuple[str, str], ...]
    sign_in_id: int
    seen_at: datetime

    def may(self, role: Role) -> bool:
        return role in self.roles or Role.ADMIN in self.roles

    def sections(self, role: Role) -> frozenset[str] | None:
        """The sections in which they act in this role; None is the whole site."""
        if Role.ADMIN in self.roles:
            return None
        return self.roles.get(role, frozenset())

    def actor(self, role: Role) -> Actor:
        return Actor(person_id=self.person_id, sections=self.sections(role))


@dataclass(frozen=True, kw_only=True)
class Colleague:
    """A person of a site, as its admin sees them."""

    person_id: int
    email: str
    name: str
    roles: Roles
    has_password: bool
    disabled: bool


def create(
    session: Session, email: str, *, name: str, password: str | None, now: datetime
) -> Person:
    """A new person; raises Conflict if the address is taken, Invalid if the password is short.

    Without a password they sign in through the provider alone.
    """
    if "@" not in email or len(email) > LONGEST_ADDRESS:
        raise Invalid(f"an e-mail address has an @ and at most {LONGEST_ADDRESS} characters")
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters")
    if find(session, email) is not None:
        raise Conflict("there is a person with this address already")
    person = Person(
        email=email.strip().lower(),
        name=name,
        password=None if password is None else _hashed(password),
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


def get_colleague(session: Session, site_id: int, person_id: int) -> Person:
    """A person who has a role on the site; raises NotFound."""
    here = select(Membership.id).where(
        Membership.person_id == person_id, Membership.site_id == site_id
    )
    person = session.scalar(select(Person).where(Person.id == person_id, here.exists()))
    if person is None:
        raise NotFound("there is no such person on this site")
    return person


def list_colleagues(session: Session, site_id: int) -> list[Colleague]:
    """Everybody who has a role on the site, by name."""
    rows = session.execute(
        select(Person, Membership.role, Membership.sections)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.site_id == site_id)
        .order_by(func.lower(Person.name), Person.id, Membership.role)
        .limit(MOST_LISTED)
    ).all()
    roles: dict[int, dict[Role, frozenset[str] | None]] = {}
    for person, role, sections in rows:
        roles.setdefault(person.id, {})[role] = _frozen(sections)
    return [
        Colleague(
            person_id=person.id,
            email=person.email,
            name=person.name,
            roles=roles[person.id],
            has_password=person.password is not None,
            disabled=person.disabled_at is not None,
        )
        for person in {person.id: person for person, _, _ in rows}.values()
    ]


def set_password(
    session: Session, person: Person, password: str, *, keep_sign_in: int | None = None
) -> None:
    """Change the password and end every sign-in, but for the one that is kept."""
    person.password = _hashed(password)
    session.execute(
        delete(SignIn).where(
            SignIn.person_id == person.id, SignIn.id.is_distinct_from(keep_sign_in)
        )
    )


def grant(
    session: Session,
    person: Person,
    site: Site,
    role: Role,
    *,
    sections: Collection[str] | None = None,
) -> None:
    """Give a role on a site, or on some sections of it; given again, the latest sections count.

    Raises Invalid for sections that cannot be any, and for an admin of sections: admins rule on a whole site.
    """
    limit = None if sections is None else _fit_sections(role, sections)
    known = session.scalar(
        select(Membership).where(
            Membership.person_id == person.id,
            Membership.site_id == site.id,
            Membership.role == role,
        )
    )
    if known is None:
        session.add(Membership(person_id=person.id, site_id=site.id, role=role, sections=limit))
    else:
        known.sections = limit
        _release_claims(session, person.id, site_id=site.id)


def revoke(session: Session, person: Person, site: Site, role: Role) -> None:
    """Take a role on a site away, and free what the person had claimed there; raises NotFound."""
    taken = session.scalar(
        delete(Membership)
        .where(
            Membership.person_id == person.id,
            Membership.site_id == site.id,
            Membership.role == role,
        )
        .returning(Membership.id)
    )
    if taken is None:
        raise NotFound(f"this person is no {role.value} of {site.slug}")
    _release_claims(session, person.id, site_id=site.id)


def deactivate(session: Session, person: Person, *, now: datetime) -> None:
    """Nobody gets in as this person from now on; what they had claimed goes to the others at once."""
    person.disabled_at = person.disabled_at or now
    session.execute(delete(SignIn).where(SignIn.person_id == person.id))
    _release_claims(session, person.id)


def activate(person: Person) -> None:
    """Let a deactivated person in again."""
    person.disabled_at = None


def must_rule_over(session: Session, admin: Member, person: Person) -> None:
    """Raises Forbidden unless this admin may deactivate the person: another one, of sites that are the admin's."""
    if person.id == admin.person_id:
        raise Forbidden("nobody deactivates themselves")
    own = select(Membership.site_id).where(
        Membership.person_id == admin.person_id, Membership.role == Role.ADMIN
    )
    elsewhere = select(Membership.id).where(
        Membership.person_id == person.id, Membership.site_id.not_in(own)
    )
    if session.scalar(elsewhere.limit(1)) is not None:
        raise Forbidden("this person also works on a site that is not yours")


def verify(session: Session, email: str, password: str) -> int | None:
    """The person whose address and password these are, or None; an unknown address takes as long.

    It only reads: a password takes its time, and no write transaction may be open meanwhile.
    """
    person = find(session, email)
    kept = person.password if person and person.disabled_at is None else None
    right = _matches(kept or NOBODYS_PASSWORD, password)
    return person.id if person and kept and right else None


def can_anybody_sign_in(session: Session, *, by_provider: bool) -> bool:
    """Whether somebody with a role gets in, with a password, or without one where there is a provider."""
    known = select(Membership.id).join(Person, Person.id == Membership.person_id)
    able = known.where(
        Person.disabled_at.is_(None), or_(literal(by_provider), Person.password.is_not(None))
    )
    return session.scalar(able.limit(1)) is not None


def hashed_email(email: str, *, secret: str) -> str:
    """An address as authors are known by it: keyed, so that nobody can try addresses against it."""
    return keyed_hash(email.strip().lower(), secret=secret)


def keyed_hash(text: str, *, secret: str) -> str:
    """What nobody can guess back without the installation's secret; hexadecimal."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Invalid(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
            code="unfit_password",
        )
    return hasher.hash(password)


def _matches(hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except VerifyMismatchError:
        return False


def _fit_sections(role: Role, sections: Collection[str]) -> list[str]:
    if role is Role.ADMIN:
        raise Invalid("an admin is one of the whole site")
    named = sorted({section.strip() for section in sections})
    if not 0 < len(named) <= MOST_SECTIONS or not all(0 < len(s) <= LONGEST_SECTION for s in named):
        raise Invalid(
            f"a role is for 1 to {MOST_SECTIONS} sections of at most {LONGEST_SECTION} characters"
        )
    return named


def _release_claims(session: Session, person_id: int, *, site_id: int | None = None) -> None:
    claimed = update(Comment).where(Comment.claim_person_id == person_id)
    if site_id is not None:
        claimed = claimed.where(Comment.site_id == site_id)
    session.execute(
        claimed.values(claim_person_id=None, claim_until=None).execution_options(
            synchronize_session=False
        )
    )


def _frozen(sections: Collection[str] | None) -> frozenset[str] | None:
    return None if sections is None else frozenset(sections)
