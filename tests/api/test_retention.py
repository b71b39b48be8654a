"""Retention: what a site keeps no longer is erased in small batches, and nothing else is."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service import worker
from service.app import create_app
from service.moderation import deliveries, keys, pruning, sites, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process, utc_now
from service.storage.limit_tables import Arrival
from service.storage.tables import Comment, Decision, Event, EventKind, Scope
from service.storage.webhook_tables import Delivery, Webhook
from tests.conftest import NOW, House, post_comment, put_article

URL = "/api/v1/site/retention"
NOTHING = dict.fromkeys(("held", "approved", "rejected", "withdrawn", "events"), 0)
FOR_GOOD = dict.fromkeys(NOTHING)


@pytest.fixture
def admin(process: Process, house: House) -> Iterator[TestClient]:
    site = process.database.read(lambda s: sites.get(s, house.slug))
    key = process.database.write(
        lambda s: keys.create(s, site, name="admin", scopes=frozenset({Scope.ADMIN}), now=NOW)
    )
    app = create_app(process)
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        put_article(client, "a-1")
        yield client


def keep(admin: TestClient, **days: int | None) -> None:
    assert admin.put(URL, json=days).status_code == 200


def due(admin: TestClient, **days: int) -> dict[str, int]:
    """What is not nothing of what these days would erase."""
    counts = admin.post(f"{URL}/preview", json=days).json()
    assert set(counts) == set(NOTHING)
    return {rule: count for rule, count in counts.items() if count}


def make_older(process: Process, days: int, *public_ids: str) -> None:
    """Comments, what was decided and told of them, and the addresses they came from, so many days earlier."""
    with process.database.writing() as session:
        ids = session.scalars(sa.select(Comment.id).where(Comment.public_id.in_(public_ids))).all()
        for table, column in (
            (Decision, "at"),
            (Event, "at"),
            (Arrival, "at"),
            (Comment, "created_at"),
        ):
            name = "id" if table is Comment else "comment_id"
            rows = session.scalars(sa.select(table).where(getattr(table, name).in_(ids)))
            for row in rows:
                setattr(row, column, getattr(row, column) - timedelta(days=days))


def prune(process: Process) -> int:
    """Until nothing is due; returns how many rounds that took."""
    rounds = 0
    while worker.prune_once(process):
        rounds += 1
    return rounds


def states(process: Process) -> dict[str, str]:
    rows = process.database.read(
        lambda s: s.execute(sa.select(Comment.public_id, Comment.state)).all()
    )
    return {public_id: state.value for public_id, state in rows}


def post_in_every_state(admin: TestClient) -> None:
    post_comment(admin, "approved", "Fine by me.")
    post_comment(admin, "held", "Win at the casino.")
    post_comment(admin, "withdrawn", "Oh well.")
    admin.delete("/api/v1/comments/withdrawn")
    post_comment(admin, "rejected", "No.")
    reject(admin, "rejected")


def reject(admin: TestClient, comment_id: str) -> None:
    body = {"action": "reject", "reason": "other", "revision": 1}
    assert admin.post(f"/api/v1/comments/{comment_id}/decisions", json=body).status_code == 201


def test_everything_is_kept_until_a_site_says_otherwise(
    admin: TestClient, process: Process
) -> None:
    assert admin.get(URL).json() == FOR_GOOD
    post_in_every_state(admin)
    make_older(process, 30_000, "approved", "held", "withdrawn", "rejected")
    assert prune(process) == 0
    assert due(admin) == {}


@pytest.mark.parametrize("state", ["approved", "held", "rejected", "withdrawn"])
def test_a_state_is_kept_for_so_many_days(admin: TestClient, process: Process, state: str) -> None:
    post_in_every_state(admin)
    every = states(process)
    make_older(process, 9, *every)
    keep(admin, **{state: 10})
    assert (due(admin, **{state: 10}), prune(process)) == ({}, 0)
    make_older(process, 2, *every)
    assert due(admin, **{state: 10}) == {state: 1}
    assert prune(process) == 1
    assert states(process) == {**every, state: "erased"}
    assert admin.get("/api/v1/feed").json()["items"][-1]["body"]["reason"] == "retention"
    assert admin.get(f"/api/v1/comments/{state}").json()["body"] == ""


def test_days_count_from_the_last_decision(admin: TestClient, process: Process) -> None:
    post_comment(admin, "c-1", "Fine by me.")
    make_older(process, 100, "c-1")
    reject(admin, "c-1")
    assert due(admin, rejected=10) == {}


def test_batches_are_small_and_the_neighbours_are_left_alone(
    admin: TestClient, process: Process, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "COMMENTS_A_BATCH", 2)
    for n in range(5):
        post_comment(admin, f"c-{n}", f"Win {n} at the casino.")
    with TestClient(create_app(process), headers=house.neighbour_auth) as neighbour:
        put_article(neighbour, "a-1")
        post_comment(neighbour, "n-1", "Win at the casino.")
    make_older(process, 5, "n-1", *(f"c-{n}" for n in range(5)))
    keep(admin, held=1)
    assert prune(process) == 3
    assert states(process) == {**{f"c-{n}": "erased" for n in range(5)}, "n-1": "held"}


def test_what_has_moved_since_it_was_found_is_left_alone(
    admin: TestClient, process: Process
) -> None:
    post_comment(admin, "c-1", "Win at the casino.")
    make_older(process, 5, "c-1")
    keep(admin, held=1)
    batch = process.database.read(lambda s: pruning.find(s, now=utc_now()))
    assert batch is not None
    reject(admin, "c-1")
    assert process.database.write(lambda s: pruning.apply(s, batch, now=utc_now())) == 0
    assert states(process) == {"c-1": "rejected"}


def test_pruned_events_leave_no_gap_that_a_reader_does_not_hear_of(
    admin: TestClient, process: Process, house: House
) -> None:
    wanted = Wanted(
        id=None,
        url="https://receiver.example/",
        description="",
        kinds=frozenset(EventKind),
        active=True,
    )
    secret = process.settings.secret
    process.database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW)
    )
    for n in range(4):
        post_comment(admin, f"c-{n}", "Fine by me.")
    [webhook_id] = process.database.read(deliveries.list_behind)
    process.database.write(lambda s: deliveries.follow(s, webhook_id, now=NOW))
    cursors = [line["cursor"] for line in admin.get("/api/v1/feed").json()["items"]]
    make_older(process, 40, "c-0", "c-1")
    keep(admin, events=30)
    assert due(admin, events=30) == {"events": 2}
    assert prune(process) == 1
    for cursor in ("0", cursors[0]):
        reply = admin.get(f"/api/v1/feed?after={cursor}")
        assert (reply.status_code, reply.json()["code"]) == (410, "cursor_pruned")
    for path in ("/api/v1/feed", f"/api/v1/feed?after={cursors[1]}"):
        assert [line["cursor"] for line in admin.get(path).json()["items"]] == cursors[2:]
    told = process.database.read(lambda s: s.scalars(sa.select(Delivery.event_id)).all())
    assert [str(event_id) for event_id in told] == cursors[2:]
    assert admin.get("/api/v1/comments/c-0").json()["state"] == "approved"


def test_after_every_event_was_pruned_cursors_go_on_and_a_webhook_too(
    admin: TestClient, process: Process, house: House
) -> None:
    post_comment(admin, "c-0", "Fine by me.")
    wanted = Wanted(
        id=None,
        url="https://receiver.example/",
        description="",
        kinds=frozenset(EventKind),
        active=False,
    )
    secret = process.settings.secret
    process.database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW)
    )
    post_comment(admin, "c-1", "Fine by me.")
    last = admin.get("/api/v1/feed").json()["next"]
    make_older(process, 40, "c-0", "c-1")
    keep(admin, events=30)
    prune(process)
    assert admin.get("/api/v1/feed").json() == {"items": [], "next": None}
    assert admin.get(f"/api/v1/feed?after={last}").json() == {"items": [], "next": last}
    assert process.database.read(lambda s: s.scalars(sa.select(Webhook.cursor)).all()) == [
        int(last)
    ]
    post_comment(admin, "c-2", "Fine by me.")
    [line] = admin.get(f"/api/v1/feed?after={last}").json()["items"]
    assert int(line["cursor"]) > int(last)


def test_addresses_are_gone_after_a_day(admin: TestClient, process: Process) -> None:
    post_comment(admin, "c-1", "Fine by me.", ip="203.0.113.7")
    post_comment(admin, "c-2", "Fine by me.", ip="203.0.113.8")
    make_older(process, 2, "c-1")
    prune(process)
    [kept] = process.database.read(lambda s: s.scalars(sa.select(Arrival)).all())
    assert len(kept.address) == 64
    [comment] = process.database.read(
        lambda s: s.scalars(sa.select(Comment.public_id).where(Comment.id == kept.comment_id)).all()
    )
    assert comment == "c-2"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"held": 0}, "greater_than_equal"),
        ({"events": 29}, "greater_than_equal"),
        ({"held": "30"}, "wrong_type"),
        ({"held": 99_999}, "less_than_equal"),
        ({"received": 1}, "unknown_field"),
    ],
)
def test_days_that_make_no_sense_are_refused(
    admin: TestClient, body: dict[str, Any], code: str
) -> None:
    for reply in (admin.put(URL, json=body), admin.post(f"{URL}/preview", json=body)):
        assert reply.status_code == 422
        assert [wrong["code"] for wrong in reply.json()["errors"]] == [code]
    assert admin.get(URL).json() == FOR_GOOD


def test_what_is_put_is_in_force_as_a_whole(admin: TestClient) -> None:
    keep(admin, held=5, rejected=6)
    keep(admin, rejected=7)
    assert admin.get(URL).json() == {**FOR_GOOD, "rejected": 7}


def test_the_worker_prunes_beside_its_rounds(admin: TestClient, process: Process) -> None:
    post_comment(admin, "c-1", "Win at the casino.")
    make_older(process, 5, "c-1")
    keep(admin, held=1)
    stop = threading.Event()
    working = threading.Thread(target=worker.run, args=(process, stop))
    working.start()
    until = time.monotonic() + 20
    while states(process) != {"c-1": "erased"} and time.monotonic() < until:
        stop.wait(0.05)
    stop.set()
    working.join()
    assert states(process) == {"c-1": "erased"}
