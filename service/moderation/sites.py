"""Sites, and the policy each of them lives by."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from service.errors import Conflict, Invalid, NotFound
from service.moderation import policy as policies
from service.moderation.actor import MACHINE, Actor
from service.storage.tables import Policy, Site

LONGEST_NAME = 200
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where things live: addresses that are shown to people begin here."""

    public_url: str


def create(session: Session, slug: str, *, name: str, timezone: str = "UTC", now: datetime) -> Site:
    """A new site with its first policy; raises Conflict if the slug is taken."""
    if not SLUG.fullmatch(slug):
        raise Invalid("a site's slug is made of a-z, 0-9 and hyphens, 63 at most")
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a site's name has 1 to {LONGEST_NAME} characters")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"{timezone!r} is not a time zone of the IANA database") from error
    if find(session, slug) is not None:
        raise Conflict(f"there is a site {slug!r} already")
    site = Site(slug=slug, name=name, timezone=timezone, sandbox_of=None, created_at=now)
    session.add(site)
    session.flush()  # the policy's row needs the site's id
    set_policy(session, site.id, {}, now=now)
    return site


def find(session: Session, slug: str) -> Site | None:
    return session.scalar(select(Site).where(Site.slug == slug, Site.sandbox_of.is_(None)))


def get(session: Session, slug: str) -> Site:
    site = find(session, slug)
    if site is None:
        raise NotFound(f"there is no site {slug!r}")
    return site


def list_all(session: Session) -> list[Site]:
    """Every publication; the sandboxes of test keys are none."""
    found = select(Site).where(Site.sandbox_of.is_(None)).order_by(Site.slug).limit(1000)
    return list(session.scalars(found))


def set_policy(
    session: Session,
    site_id: int,
    body: dict[str, Any],
    *,
    actor: Actor = MACHINE,
    seen: int | None = None,
    restores: int | None = None,
    now: datetime,
) -> int:
    """Add a version of the site's policy and return its number.

    Raises Invalid for what is no policy, Conflict if `seen` is given and is not the version in force.
    """
    policies.must_be_valid(body)
    latest = session.scalar(select(func.max(Policy.version)).where(Policy.site_id == site_id)) or 0
    if seen is not None and seen != latest:
        raise Conflict(f"the policy is at version {latest} by now", code="stale")
    session.execute(
        insert(Policy).values(
            site_id=site_id,
            version=latest + 1,
            body=body,
            person_id=actor.person_id,
            key_id=actor.key_id,
            restores=restores,
            created_at=now,
        )
    )
    return latest + 1


def get_policy(session: Session, site_id: int) -> policies.Policy:
    """The version in force."""
    row = session.scalars(
        select(Policy).where(Policy.site_id == site_id).order_by(Policy.version.desc()).limit(1)
    ).one()
    return policies.from_body(row.version, row.body)
