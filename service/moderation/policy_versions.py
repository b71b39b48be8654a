"""Policy versions: what a site's policy was, who changed what, and the way back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.moderation import cursors, policy, sites
from service.moderation.actor import Actor
from service.moderation.policy import Terms
from service.storage.tables import Key, Person, Policy

LONGEST_PAGE = 100
# The largest number that PostgreSQL compares with such a column.
LAST_VERSION = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Change:
    """An entry of a policy (a JSON pointer) before and after; null where it was not there."""

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Edition:
    """A version, who set it (`person`, `key` or `command_line`), and what it changed."""

    policy: policy.Policy
    by: str
    name: str | None
    at: datetime
    restores: int | None
    changes: tuple[Change, ...]


def put(
    session: Session, site_id: int, terms: Terms, *, seen: int, actor: Actor, now: datetime
) -> policy.Policy:
    """Make these the policy; raises Conflict if `seen` is not the version in force."""
    # What was left out stays out: a later release may have a better default.
    body = terms.model_dump(mode="json", exclude_unset=True, exclude={"version"})
    version = sites.set_policy(session, site_id, body, actor=actor, seen=seen, now=now)
    return policy.from_body(version, body)


def roll_back(
    session: Session, site_id: int, *, to: int, seen: int | None, actor: Actor, now: datetime
) -> policy.Policy:
    """What was version `to` becomes the next version; raises NotFound if the site never had it.

    Raises Conflict if `seen` is given and is not the version in force.
    """
    row = session.scalar(select(Policy).where(Policy.site_id == site_id, Policy.version == to))
    if row is None:
        raise NotFound(f"this site's policy has no version {to}")
    version = sites.set_policy(
        session, site_id, row.body, actor=actor, seen=seen, restores=to, now=now
    )
    return policy.from_body(version, row.body)


def next_page(
    session: Session, site_id: int, *, cursor: str | None, limit: int
) -> tuple[list[Edition], str | None]:
    """The versions of a site's policy, newest first, and the cursor of the following page."""
    limit = max(1, min(limit, LONGEST_PAGE))
    asked = (
        select(Policy, Person.name, Key.name)
        .outerjoin(Person, Person.id == Policy.person_id)
        .outerjoin(Key, Key.id == Policy.key_id)
        .where(Policy.site_id == site_id)
        .order_by(Policy.version.desc())
    )
    if cursor:
        under = min(cursors.parse(cursor, of="list of versions"), LAST_VERSION)
        asked = asked.where(Policy.version < under)
    # One more than is shown: each is compared with the one before it.
    rows = session.execute(asked.limit(limit + 1)).all()
    bodies = [policy.from_body(row.version, row.body) for row, _, _ in rows]
    editions = [
        Edition(
            policy=body,
            by="person" if row.person_id else "key" if row.key_id else "command_line",
            name=person or key,
            at=row.created_at,
            restores=row.restores,
            changes=tuple(_changes(before, body)),
        )
        for (row, person, key), body, before in zip(
            rows, bodies, [*bodies, policy.from_body(0, {})][1:], strict=True
        )
    ][:limit]
    return editions, str(editions[-1].policy.version) if len(rows) > limit else None


def _changes(before: policy.Policy, after: policy.Policy) -> Iterator[Change]:
    old, new = dict(_entries(before.to_body())), dict(_entries(after.to_body()))
    for pointer in sorted(old.keys() | new.keys()):
        if old.get(pointer) != new.get(pointer):
            yield Change(pointer=pointer, before=old.get(pointer), after=new.get(pointer))


def _entries(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each entry of a policy by its place, a JSON pointer (RFC 6901)."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _entries(each, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    else:
        yield pointer, value
