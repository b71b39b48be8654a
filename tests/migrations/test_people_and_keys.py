"""An installation from before sections, idle sessions and rotation keeps its people, sign-ins and keys."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config

from alembic import command
from service.moderation import keys, people, sign_ins
from service.storage.db import Database, open_database
from service.storage.tables import Role
from tests.conftest import NOW, PASSWORD, Template

BEFORE = "0007"
FOLDER = Path(__file__).parents[2] / "alembic"


def config(url: str) -> Config:
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.attributes["url"] = url
    return made


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """The furnished database, taken back to the shape of before, with somebody signed in."""
    opened = open_database(database_url)
    with opened.writing() as session:
        mo = people.get(session, "mo@post.example").id
    opened.dispose()
    command.downgrade(config(database_url), BEFORE)
    opened = open_database(database_url)
    with opened.writing() as session:
        session.execute(
            sa.text(
                "INSERT INTO sign_ins (person_id, sha256, created_at, expires_at) "
                "VALUES (:person, :hash, :now, :end)"
            ),
            {
                "person": mo,
                "hash": sign_ins._hash("token"),
                "now": NOW.isoformat(" "),
                "end": (NOW + timedelta(hours=12)).isoformat(" "),
            },
        )
    opened.dispose()
    command.upgrade(config(database_url), "head")
    opened = open_database(database_url)
    yield opened
    opened.dispose()


def test_keys_passwords_roles_and_sign_ins_go_on(old: Database, template: Template) -> None:
    house = template.house
    with old.reading() as session:
        caller = keys.authenticate(session, house.key, now=NOW)
        assert (caller.site, caller.expires_at, caller.used_on) == ("post", None, None)
        names = {key.public_id for key in keys.list_of(session, house.site_id)}
        assert len(names) == 1
        assert people.verify(session, house.moderator, PASSWORD) is not None
        member = sign_ins.find_member(session, "token", site=None, now=NOW)
    assert member is not None
    assert member.roles == {Role.MODERATOR: None}
