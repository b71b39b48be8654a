"""Names of sites, keys and people: the same limits on both databases."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from service.errors import Invalid
from service.moderation import keys, people, sites
from service.storage.db import Database
from service.storage.tables import Scope
from tests.conftest import NOW, PASSWORD, House

Make = Callable[[Session, str], Any]


def site(session: Session, name: str) -> Any:
    return sites.create(session, "new", name=name, now=NOW)


def key(session: Session, name: str) -> Any:
    scopes = frozenset({Scope.INGEST})
    return keys.create(session, sites.get(session, "post"), name=name, scopes=scopes, now=NOW)


def person(session: Session, name: str) -> Any:
    return people.create(session, "new@post.example", name=name, password=PASSWORD, now=NOW)


def address(session: Session, name: str) -> Any:
    return people.create(session, f"{name}@post.example", name="New", password=PASSWORD, now=NOW)


@pytest.mark.parametrize("make", [site, key, person, address])
def test_a_name_that_a_column_cannot_hold_is_refused(
    database: Database, house: House, make: Make
) -> None:
    """PostgreSQL breaks on it, SQLite keeps it all the same."""
    with pytest.raises(Invalid):
        database.write(lambda s: make(s, "n" * 255))
    if make is not address:
        with pytest.raises(Invalid):
            database.write(lambda s: make(s, " "))
