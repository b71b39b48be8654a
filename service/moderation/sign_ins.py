"""Sign-ins: browser sessions, from the right password to the last page."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.moderation.people import Member
from service.storage.tables import Membership, Person, SignIn, Site

# A working day at the most, and no longer than a long lunch without a page.
LASTS = timedelta(hours=12)
IDLE_FOR = timedelta(hours=2)
# A page is noted as a sign of life this often at the most: pages should not write.
NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Open:
    """A session that lasts still; `here` is the one that asks."""

    id: int
    browser: str
    created_at: datetime
    seen_at: datetime
    here: bool


def begin(session: Session, person_id: int, *, browser: str, now: datetime) -> str:
    """Begin a session and return its token, which is kept only as a hash; always a new one."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(SignIn).where(_is_over(now)))
    session.execute(
        insert(SignIn).values(
            person_id=person_id,
            sha256=_hash(token),
            created_at=now,
            expires_at=now + LASTS,
            seen_at=now,
            browser=browser,
        )
    )
    return token


def find_member(session: Session, token: str, *, site: str | None, now: datetime) -> Member | None:
    """Who holds this token, on the site asked for or the first they belong to; None if nobody."""
    rows = session.execute(
        select(Person, Site, Membership, SignIn)
        .join(SignIn, SignIn.person_id == Person.id)
        .join(Membership, Membership.person_id == Person.id)
        .join(Site, Site.id == Membership.site_id)
        .where(SignIn.sha256 == _hash(token), ~_is_over(now), Person.disabled_at.is_(None))
        .order_by(Site.slug)
    ).all()
    here = [row for row in rows if row[1].slug == (site or rows[0][1].slug)]
    if not here:
        return None
    person, found, _, sign_in = here[0]
    return Member(
        person_id=person.id,
        name=person.name,
        site_id=found.id,
        site=found.slug,
        site_name=found.name,
        timezone=found.timezone,
        roles={
            membership.role: None if membership.sections is None else frozenset(membership.sections)
            for _, _, membership, _ in here
        },
        sites=tuple({each.slug: each.name for _, each, _, _ in rows}.items()),
        sign_in_id=sign_in.id,
        seen_at=sign_in.seen_at,
    )


def note_life(session: Session, sign_in_id: int, *, now: datetime) -> None:
    """A page was asked for: the session is not idle."""
    session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(seen_at=now))


def list_open(session: Session, member: Member, *, now: datetime) -> list[Open]:
    """A person's own sessions: this one, then the latest seen."""
    rows = session.scalars(
        select(SignIn)
        .where(SignIn.person_id == member.person_id, ~_is_over(now))
        .order_by(SignIn.id != member.sign_in_id, SignIn.seen_at.desc(), SignIn.id.desc())
        .limit(100)
    )
    return [
        Open(
            id=row.id,
            browser=row.browser,
            created_at=row.created_at,
            seen_at=row.seen_at,
            here=row.id == member.sign_in_id,
        )
        for row in rows
    ]


def end(session: Session, token: str) -> None:
    """Sign out; a token that nobody holds changes nothing."""
    session.execute(delete(SignIn).where(SignIn.sha256 == _hash(token)))


def end_one(session: Session, member: Member, sign_in_id: int) -> None:
    """End one of one's own sessions; raises NotFound for another's."""
    own = and_(SignIn.id == sign_in_id, SignIn.person_id == member.person_id)
    if session.scalar(delete(SignIn).where(own).returning(SignIn.id)) is None:
        raise NotFound("this session is over already")


def end_others(session: Session, member: Member) -> None:
    """End every session of one's own but this one."""
    others = and_(SignIn.person_id == member.person_id, SignIn.id != member.sign_in_id)
    session.execute(delete(SignIn).where(others))


def end_all(session: Session, person_id: int) -> None:
    """End every session of a person."""
    session.execute(delete(SignIn).where(SignIn.person_id == person_id))


def _is_over(now: datetime) -> ColumnElement[bool]:
    return or_(SignIn.expires_at <= now, SignIn.seen_at <= now - IDLE_FOR)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
