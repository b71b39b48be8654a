"""People and keys on the command line, as an operator types them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import Unauthorized
from service.moderation import keys, people
from service.process import utc_now
from service.storage import migrations
from service.storage.db import Database, open_database
from service.storage.people_tables import Invitation
from tests.conftest import PASSWORD

ROOT = Path(__file__).parents[1]
INVITE = (
    "person",
    "invite",
    "kim@post.example",
    "--name",
    "Kim",
    "--site",
    "post",
    "--role",
    "editor",
)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'postbag.db'}"
    migrations.upgrade(made)
    return made


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    """`postbag …` on a site that is there; what it printed and how it ended."""

    def one(*arguments: str, ok: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "COLUMNS": "200",
                "POSTBAG_DATA_DIR": str(tmp_path),
                "POSTBAG_DATABASE_URL": url,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    one("site", "add", "post", "--name", "The Post")
    return one


@pytest.fixture
def database(url: str) -> "Database":
    return open_database(url)


def opens(database: Database, key: str) -> bool:
    try:
        database.read(lambda s: keys.authenticate(s, key, now=utc_now()))
    except Unauthorized:
        return False
    return True


def test_a_key_is_rotated_with_and_without_an_overlap_and_the_list_says_so(
    run: Run, database: Database
) -> None:
    first = run("key", "add", "post", "--name", "cms", "--scope", "ingest").stdout.strip()
    second = run("key", "rotate", "post", first[:8], "--overlap-hours", "5").stdout.strip()
    assert (opens(database, first), opens(database, second)) == (True, True)
    assert "already" in run("key", "rotate", "post", first[:8], ok=False).stderr
    third = run("key", "rotate", "post", second, "--overlap-hours", "0").stdout.strip()
    assert (opens(database, second), opens(database, third)) == (False, True)
    lines = run("key", "list", "post").stdout.splitlines()
    assert len(lines) == 3
    assert re.search(
        r"cms {2}ingest {2}never used {2}ends 20\d\d-\d\d-\d\d \d\d:\d\d UTC", lines[0]
    )
    assert "ended 20" in lines[1]
    assert not {first, second, third} & set(" ".join(lines).split())
    run("key", "revoke", "post", third[:8])
    assert not opens(database, third)
    assert "no key of post" in run("key", "rotate", "post", third[:8], ok=False).stderr


def test_a_person_is_made_limited_listed_deactivated_and_let_in_again(
    run: Run, database: Database
) -> None:
    add = ("person", "add", "kim@post.example", "--name", "Kim", "--site", "post", "--role")
    run(*add, "moderator", "--section", "Sport", "--section", "Local", "--password", PASSWORD)
    assert "moderator (Local, Sport)" in run("person", "list", "post").stdout
    run("person", "grant", "kim@post.example", "post", "moderator")
    run("person", "grant", "kim@post.example", "post", "editor", "--section", "Sport")
    assert "editor (Sport), moderator" in run("person", "list", "post").stdout
    run("person", "revoke", "kim@post.example", "post", "editor")
    assert "editor" not in run("person", "list", "post").stdout

    def verified() -> bool:
        return database.read(lambda s: people.verify(s, "kim@post.example", PASSWORD)) is not None

    assert verified()
    run("person", "deactivate", "KIM@post.example")
    assert not verified()
    assert "deactivated" in run("person", "list", "post").stdout
    run("person", "activate", "kim@post.example")
    assert verified()
    run("person", "sign-out", "kim@post.example")


def test_what_makes_no_sense_is_said_in_a_sentence(run: Run) -> None:
    grant = ("person", "grant", "nobody@post.example", "post", "moderator")
    assert "no person with this address" in run(*grant, ok=False).stderr
    run(*INVITE)
    admin = ("person", "grant", "kim@post.example", "post", "admin", "--section", "Sport")
    assert "whole site" in run(*admin, ok=False).stderr
    revoke = ("person", "revoke", "kim@post.example", "post", "admin")
    assert "is no admin of post" in run(*revoke, ok=False).stderr
    assert "--name" in run("person", "invite", "new@post.example", ok=False).stderr


def test_an_invited_person_has_no_password_and_an_invitation(run: Run, database: Database) -> None:
    run(*INVITE)
    run("person", "invite", "kim@post.example")
    with database.reading() as session:
        person = people.get(session, "kim@post.example")
        assert person.password is None
        assert session.query(Invitation).one().person_id == person.id
