"""The doctor finds what is wrong with an installation, and names the way out of each."""

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service import doctor
from service.doctor import Finding
from service.moderation import delivery_log, keys, sites, webhooks, workers
from service.moderation.webhooks import Wanted
from service.process import utc_now
from service.settings import Oidc, Settings
from service.storage import copies, db
from service.storage.db import Database, open_database
from service.storage.tables import Comment, Event, EventKind, Key, Person, Scope, State
from service.storage.webhook_tables import Delivery, Webhook
from tests.conftest import House, post_comment
from tests.keyword_scorer import KeywordScorer
from tests.running import free_port

LATE = timedelta(days=1)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, port=free_port(), public_url="http://127.0.0.1:1")


def wrong(settings: Settings, *, config: Path | None = None) -> dict[str, str]:
    """What is not well: what was looked at, and how to mend it."""
    found = list(doctor.examine(settings, config=config, now=utc_now()))
    return {f.what: f.mend for f in found if not f.well}


def finding(settings: Settings, what: str) -> Finding:
    """What is said of one thing; the models are not loaded for it."""
    database = open_database(settings.database_url)
    try:
        said = [
            *doctor.examine_settings(settings, config=None),
            *doctor.examine_database(settings, database, now=utc_now()),
        ]
    finally:
        database.dispose()
    [found] = [each for each in said if what in each.what]
    return found


def test_a_furnished_installation_is_well(settings: Settings, database: Database) -> None:
    if (file := db.find_file(settings.database_url)) is not None:
        file.chmod(0o600)
    assert wrong(settings) == {}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"trusted_proxies": ()}, "a proxy's word"),
        ({"trusted_proxies": ("*",)}, "no proxy is trusted whatever"),
        ({"key_rate": 0}, "a key may not ask without end"),
        ({"secret": "short"}, "the secret is long enough"),
        ({"log_level": "debug"}, "the log does not tell every batch"),
        ({"public_url": "http://comments.example"}, "is safe for sign-ins"),
    ],
)
def test_settings_that_are_unsafe_in_public_are_named(
    settings: Settings, change: dict[str, Any], what: str
) -> None:
    safe = replace(settings, public_url="https://comments.example", trusted_proxies=("127.0.0.1",))
    assert finding(safe, what).well
    found = finding(replace(safe, **change), what)
    assert not found.well
    assert "POSTBAG_" in found.mend


def test_files_that_others_may_read_are_named(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "postbag.env"
    config.touch(mode=0o644)
    secret = settings.data_dir / "secret"
    secret.chmod(0o640)
    found = wrong(settings, config=config)
    for file in (config, secret):
        assert found[f"{file} is readable by its owner alone"] == f"run `chmod 600 {file}`"


def test_a_port_of_ipv6_is_looked_at_too(settings: Settings) -> None:
    settings = replace(settings, host="::1")
    assert finding(settings, f"{settings.port} is free").well
    with socket.create_server(("::1", settings.port), family=socket.AF_INET6) as other:
        threading.Thread(target=lambda: other.accept()[0].close()).start()
        assert not finding(settings, f"{settings.port} is free").well


def test_keys_and_people_that_open_nothing_are_none(
    settings: Settings, database: Database, house: House
) -> None:
    assert finding(settings, "a backend has a key").well
    database.write(lambda s: s.execute(sa.update(Key).values(expires_at=utc_now())))
    scopes = frozenset({Scope.INGEST})
    database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="ci", scopes=scopes, test=True, now=utc_now()
        )
    )
    assert "key add" in finding(settings, "a backend has a key").mend
    assert not finding(settings, "a backend has a key").well
    database.write(lambda s: s.execute(sa.update(Person).values(password=None)))
    assert not finding(settings, "a person can sign in").well
    provider = Oidc(
        issuer="https://id.example", client_id="p", client_secret="s", name="n", welcome=None
    )
    assert finding(replace(settings, oidc=provider), "a person can sign in").well
    database.write(lambda s: s.execute(sa.update(Person).values(disabled_at=utc_now())))
    assert not finding(replace(settings, oidc=provider), "a person can sign in").well


def test_a_port_that_somebody_else_has_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.port)) as other:
        threading.Thread(target=lambda: other.accept()[0].close()).start()
        found = finding(settings, f"{settings.port} is free")
    assert not found.well
    assert "something else listens" in found.mend


def test_a_full_disk_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 62)
    assert "make room" in finding(settings, "MB left").mend


def test_a_damaged_file_is_named_and_looked_at_no_further(
    settings: Settings, database: Database
) -> None:
    file = db.find_file(settings.database_url)
    if file is None:
        assert copies.list_damage(database) == []
        return
    database.dispose()
    content = bytearray(file.read_bytes())
    page = 4096
    content[5 * page : 40 * page] = b"\x00" * (35 * page)
    file.write_bytes(bytes(content))
    found = finding(settings, "undamaged")
    assert not found.well
    assert "restore a backup" in found.mend


def test_a_database_that_cannot_be_written_is_named(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.engine.dialect.name == "sqlite":
        monkeypatch.setattr(db, "BUSY_TIMEOUT_S", 0.1)
        with database.writing() as session:
            session.execute(sa.text("DELETE FROM sign_ins"))
            found = finding(settings, "the database can be written")
        assert not found.well
        assert "holds its lock" in found.mend
    else:
        with database.engine.begin() as connection:
            name = connection.scalar(sa.text("SELECT current_database()"))
            connection.execute(
                sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            )
        assert "read-only" in finding(settings, "the database can be written").mend


Change = Callable[[Session], object]


def late_verdict(session: Session) -> None:
    received = Comment.state == State.RECEIVED
    session.execute(sa.update(Comment).where(received).values(created_at=utc_now() - LATE))


def left_lease(session: Session) -> None:
    session.execute(sa.update(Comment).values(lease_until=utc_now() - LATE))


def wrong_clock(session: Session) -> None:
    session.execute(sa.update(Event).values(at=utc_now() + LATE))


def late_delivery(session: Session) -> None:
    session.execute(sa.update(Delivery).values(created_at=utc_now() - LATE))


def failing_webhook(session: Session) -> None:
    session.execute(sa.update(Webhook).values(failures=3))


def parked_webhook(session: Session) -> None:
    session.execute(sa.update(Webhook).values(parked_at=utc_now(), parked_because="gone"))


@pytest.mark.parametrize(
    ("change", "what", "mend"),
    [
        (late_verdict, "comments have their verdict in time", "is a worker running"),
        (left_lease, "no lease was left behind", "start a worker"),
        (wrong_clock, "the clock goes right", "set it"),
        (late_delivery, "webhooks are told in time", "webhooks list"),
        (failing_webhook, "no webhook fails", "webhooks list"),
        (parked_webhook, "no webhook is parked", "unpark"),
    ],
)
def test_work_that_does_not_go_on_is_named(
    client: TestClient,
    article: dict[str, Any],
    database: Database,
    house: House,
    scorer: KeywordScorer,
    settings: Settings,
    change: Change,
    what: str,
    mend: str,
) -> None:
    post_comment(client, "c-0", "Judged.")
    scorer.held_back = []
    assert post_comment(client, "c-1", "Waits.", wait=0).status_code == 202
    wanted = Wanted(
        id=None,
        url="https://cms.example",
        description="",
        kinds=frozenset(EventKind),
        active=True,
    )
    [view] = database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret="s" * 40, now=utc_now())
    )
    database.write(
        lambda s: delivery_log.send_test(s, house.site_id, view.webhook.public_id, now=utc_now())
    )
    assert finding(settings, what).well
    assert not finding(settings, "a worker works").well
    database.write(lambda s: workers.beat(s, "w-1", version="1", now=utc_now()))
    assert finding(settings, "a worker works").well
    database.write(change)
    found = finding(settings, what)
    assert not found.well
    assert mend in found.mend
    scorer.release()
