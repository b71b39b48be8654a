"""Keys: how a site's backend proves who it is; made, rotated with an overlap, and ended."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthorized
from service.moderation import sandbox
from service.storage.tables import Key, Scope, Site

PREFIX = "pb_"
LONGEST_NAME = 100
MOST_LISTED = 1000
# How long the old key goes on beside its successor, unless told otherwise, and at the most.
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A key at the door: which site it speaks for, a test key for its sandbox, what it may do, until when, last used when."""

    key_id: int
    site_id: int
    site: str
    scopes: frozenset[Scope]
    expires_at: datetime | None
    used_on: date | None
    test: bool = False

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A key just made, with its text, which is seen this once."""

    key: Key
    secret: str = field(repr=False)


def create(
    session: Session,
    site: Site,
    *,
    name: str,
    scopes: Collection[Scope],
    test: bool = False,
    now: datetime,
) -> str:
    """A new key that does not end by itself; the only time its text is seen."""
    issued = issue(session, site, name=name, scopes=scopes, expires_at=None, test=test, now=now)
    return issued.secret


def issue(
    session: Session,
    site: Site,
    *,
    name: str,
    scopes: Collection[Scope],
    expires_at: datetime | None,
    test: bool = False,
    now: datetime,
) -> Issued:
    """A new key that ends at a time, or never; a test key acts in the site's sandbox, whatever its scopes.

    Raises Invalid for a name or a time that cannot be.
    """
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a key's name has 1 to {LONGEST_NAME} characters")
    if expires_at is not None and expires_at <= now:
        wrong = FieldError(
            pointer="/expires_at", code="in_the_past", detail="A key ends in the future."
        )
        raise Invalid(errors=(wrong,))
    if test:
        sandbox.open_for(session, site, now=now)
    secret = PREFIX + secrets.token_urlsafe(32)
    key = Key(
        public_id="k_" + secrets.token_urlsafe(9),
        site_id=site.id,
        name=name,
        prefix=secret[:8],
        sha256=_hash(secret),
        scopes=sorted(scopes),
        test=test,
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
        used_on=None,
        successor_id=None,
    )
    session.add(key)
    session.flush()  # a successor's id is written beside the old key
    return Issued(key=key, secret=secret)


def authenticate(session: Session, secret: str, *, now: datetime) -> Caller:
    """Who holds this key; raises Unauthorized if nobody does."""
    row = session.execute(
        select(Key, Site.id, Site.slug)
        .join(
            Site,
            or_(
                and_(~Key.test, Site.id == Key.site_id),
                and_(Key.test, Site.sandbox_of == Key.site_id),
            ),
        )
        .where(Key.sha256 == _hash(secret), _is_alive(now))
    ).first()
    if row is None:
        raise Unauthorized("this key is unknown, revoked or at its end")
    key, site_id, slug = row
    return Caller(
        key_id=key.id,
        site_id=site_id,
        site=slug,
        scopes=frozenset(Scope(s) for s in key.scopes),
        test=key.test,
        expires_at=key.expires_at,
        used_on=key.used_on,
    )


def note_use(session: Session, key_id: int, *, on: date) -> None:
    """Remember the day of a key's last call."""
    session.execute(update(Key).where(Key.id == key_id).values(used_on=on))


def list_of(session: Session, site_id: int) -> list[Key]:
    """A site's keys, those that are over too, the oldest first."""
    return list(
        session.scalars(
            select(Key).where(Key.site_id == site_id).order_by(Key.id).limit(MOST_LISTED)
        )
    )


def get(session: Session, site_id: int, public_id: str) -> Key:
    """A key of the site, alive or not; raises NotFound."""
    found = session.scalar(
        select(Key).where(Key.site_id == site_id, Key.public_id == public_id).with_for_update()
    )
    if found is None:
        raise NotFound("there is no such key on this site")
    return found


def find_by_prefix(session: Session, site: Site, prefix: str, *, now: datetime) -> Key:
    """The one living key of the site that begins so; raises NotFound, or Conflict where several do."""
    found = session.scalars(
        select(Key).where(Key.site_id == site.id, Key.prefix == prefix[:8], _is_alive(now))
    ).all()
    if not found:
        raise NotFound(f"no key of {site.slug} begins with {prefix!r}")
    if len(found) > 1:
        raise Conflict(f"{len(found)} keys of {site.slug} begin with {prefix!r}")
    return found[0]


def rotate(session: Session, key: Key, *, overlap: timedelta, now: datetime) -> Issued:
    """A successor with the same name, scopes and end; the old key goes on for the overlap.

    Raises Conflict for a key that has a successor or is over.
    """
    if key.successor_id is not None:
        raise Conflict("this key has a successor already", code="already_rotated")
    if not is_alive(key, now=now):
        raise Conflict("this key is over", code="key_is_over")
    issued = issue(
        session,
        session.get_one(Site, key.site_id),
        name=key.name,
        scopes=[Scope(scope) for scope in key.scopes],
        expires_at=key.expires_at,
        test=key.test,
        now=now,
    )
    last = now + max(timedelta(0), min(overlap, LONGEST_OVERLAP))
    key.expires_at = min(last, key.expires_at or last)
    key.successor_id = issued.key.id
    return issued


def must_not_exceed(
    caller: Caller, *, scopes: Collection[Scope], expires_at: datetime | None
) -> None:
    """Raises Forbidden for a key that could do more than the caller, or longer."""
    if caller.test:
        raise Forbidden("a test key makes no keys", code="test_key")
    if not all(caller.may(scope) for scope in scopes):
        raise Forbidden("a key grants no scope that it lacks", code="exceeds_own")
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        raise Forbidden("a key makes none that outlives it", code="exceeds_own")


def end(session: Session, key: Key, *, now: datetime) -> None:
    """End a key at once; raises Conflict for the last one with `admin`: no call could make another.

    One that was rotated is on its way out, and does not count as another.
    """
    if Scope.ADMIN in key.scopes and not key.test and is_alive(key, now=now):
        others = session.scalars(
            select(Key).where(
                Key.site_id == key.site_id,
                Key.id != key.id,
                Key.successor_id.is_(None),
                ~Key.test,
                _is_alive(now),
            )
        )
        if not any(Scope.ADMIN in other.scopes for other in others):
            raise Conflict("this is the last key with the scope admin", code="last_admin_key")
    key.revoked_at = key.revoked_at or now


def revoke(session: Session, site: Site, prefix: str, *, now: datetime) -> int:
    """End every key of the site that begins with `prefix`; raises NotFound if there is none."""
    ended = session.scalars(
        update(Key)
        .where(Key.site_id == site.id, Key.prefix == prefix[:8], Key.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Key.id)
    ).all()
    if not ended:
        raise NotFound(f"no key of {site.slug} begins with {prefix!r}")
    return len(ended)


def is_any_alive(session: Session, *, now: datetime) -> bool:
    """Whether any site's backend has a key that opens something; a test key is none's."""
    return session.scalar(select(Key.id).where(~Key.test, _is_alive(now)).limit(1)) is not None


def is_alive(key: Key, *, now: datetime) -> bool:
    """Whether a key opens anything."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _is_alive(now: datetime) -> ColumnElement[bool]:
    return and_(Key.revoked_at.is_(None), or_(Key.expires_at.is_(None), Key.expires_at > now))


def _hash(secret: str) -> str:
    # Keys are 256 random bits: a fast hash is enough, and every request pays for it.
    return hashlib.sha256(secret.encode()).hexdigest()
