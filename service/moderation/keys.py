"""Keys: how a site's backend proves who it is."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from service.errors import Invalid, NotFound, Unauthorized
from service.moderation import sandbox
from service.storage.tables import Key, Scope, Site

PREFIX = "pb_"
LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A key at the door: which site it speaks for, a test key for its sandbox, and what it may do."""

    key_id: int
    site_id: int
    site: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


def create(
    session: Session,
    site: Site,
    *,
    name: str,
    scopes: frozenset[Scope],
    test: bool = False,
    now: datetime,
) -> str:
    """A new key; the only time its text is seen. A test key acts in the site's sandbox, whatever its scopes."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a key's name has 1 to {LONGEST_NAME} characters")
    if test:
        sandbox.open_for(session, site, now=now)
    secret = PREFIX + secrets.token_urlsafe(32)
    session.add(
        Key(
            site_id=site.id,
            name=name,
            prefix=secret[:8],
            sha256=_hash(secret),
            scopes=sorted(scopes),
            test=test,
            created_at=now,
            revoked_at=None,
        )
    )
    return secret


def authenticate(session: Session, secret: str) -> Caller:
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
        .where(Key.sha256 == _hash(secret), Key.revoked_at.is_(None))
    ).first()
    if row is None:
        raise Unauthorized("this key is unknown or revoked")
    key, site_id, slug = row
    return Caller(
        key_id=key.id,
        site_id=site_id,
        site=slug,
        scopes=frozenset(Scope(s) for s in key.scopes),
    )


def list_of(session: Session, site: Site) -> list[Key]:
    return list(
        session.scalars(select(Key).where(Key.site_id == site.id).order_by(Key.id).limit(1000))
    )


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


def _hash(secret: str) -> str:
    # Keys are 256 random bits: a fast hash is enough, and every request pays for it.
    return hashlib.sha256(secret.encode()).hexdigest()
