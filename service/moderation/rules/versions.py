"""Versions: a site's rules as they were and are, and the way back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.errors import Conflict, Invalid
from service.moderation.rules.book import MOST_RULES, Book
from service.moderation.rules.matching import Matcher
from service.storage.rule_tables import RuleBook

# Made ready once and kept: 100,000 phrases take more than a second. Sites with rules in one process.
KEPT_READY = 64
NO_RULES = Matcher([])
_READY: dict[str, Matcher] = {}


@dataclass(frozen=True, kw_only=True)
class Edition:
    """A version of a site's rules; version 0 has none."""

    version: int
    book: Book


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The rules a site lives by now, ready to be applied."""

    version: int
    matcher: Matcher


def get(session: Session, site_id: int) -> Edition:
    """The version in force."""
    row = _newest(session, site_id)
    return (
        Edition(version=row.version, book=_book(row.body))
        if row
        else Edition(version=0, book=Book())
    )


def in_force(session: Session, site_id: int) -> InForce:
    """The version in force, ready; its text is read only where this process has not seen it yet."""
    newest = session.execute(
        select(RuleBook.id, RuleBook.version, RuleBook.sha256)
        .where(RuleBook.site_id == site_id)
        .order_by(RuleBook.version.desc())
        .limit(1)
    ).first()
    if newest is None:
        return InForce(version=0, matcher=NO_RULES)
    row_id, version, sha256 = newest
    matcher = _READY.get(sha256)
    if matcher is None:
        matcher = Matcher(_book(session.get_one(RuleBook, row_id).body).rules)
        if len(_READY) >= KEPT_READY:
            _READY.clear()
        _READY[sha256] = matcher
    return InForce(version=version, matcher=matcher)


def put(session: Session, site_id: int, book: Book, *, seen: int, now: datetime) -> Edition:
    """Make these the rules; raises Conflict if `seen` is not the version in force, Invalid if they do not fit."""
    book.must_fit()
    newest = _newest(session, site_id)
    _must_be_seen(newest, seen)
    return _add(session, site_id, seen + 1, book, now=now)


def roll_back(session: Session, site_id: int, *, seen: int, now: datetime) -> Edition:
    """The rules before these come back as a version of their own; doing it twice undoes it."""
    newest = _newest(session, site_id)
    _must_be_seen(newest, seen)
    if newest is None:
        raise Conflict("there are no rules yet, and so none before them", code="no_earlier_version")
    before = session.scalar(
        select(RuleBook).where(RuleBook.site_id == site_id, RuleBook.version == seen - 1)
    )
    return _add(session, site_id, seen + 1, _book(before.body) if before else Book(), now=now)


def add_rules(session: Session, site_id: int, more: Book, *, seen: int, now: datetime) -> Edition:
    """These rules behind those in force; a rule whose id is there already stays as the site has it."""
    present = get(session, site_id).book.rules
    known = {rule.id for rule in present}
    new = [rule for rule in more.rules if rule.id not in known]
    together = Book.model_construct({"rules"}, rules=[*present, *new])
    if len(together.rules) > MOST_RULES:
        raise Invalid(f"a site has {MOST_RULES} rules at most")
    return put(session, site_id, together, seen=seen, now=now)


def to_body(book: Book) -> dict[str, Any]:
    """A book as its row and the API hold it: what was left out stays out."""
    rules = [rule.model_dump(mode="json", by_alias=True, exclude_unset=True) for rule in book.rules]
    return {"rules": rules}


def _add(session: Session, site_id: int, version: int, book: Book, *, now: datetime) -> Edition:
    body = to_body(book)
    session.execute(
        insert(RuleBook).values(
            site_id=site_id, version=version, body=body, sha256=_sha256(body), created_at=now
        )
    )
    return Edition(version=version, book=book)


def _newest(session: Session, site_id: int) -> RuleBook | None:
    return session.scalar(
        select(RuleBook)
        .where(RuleBook.site_id == site_id)
        .order_by(RuleBook.version.desc())
        .limit(1)
    )


def _must_be_seen(newest: RuleBook | None, seen: int) -> None:
    version = newest.version if newest else 0
    if seen != version:
        raise Conflict(f"the rules are at version {version} by now", code="stale")


def _book(body: Mapping[str, Any]) -> Book:
    return Book.model_validate(body)


def _sha256(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
