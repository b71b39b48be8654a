"""What a site is told: everything, signed, in order for each comment, for days, and never twice at once."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import HTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from service import delivery, worker
from service.app import create_app
from service.moderation import deliveries, delivery_log, keys, sites, webhooks
from service.moderation.deliveries import AT_ONCE, LEASE, WAITS, wait_after
from service.moderation.judging import new_owner
from service.process import Process, utc_now
from service.settings import Settings
from service.storage.tables import Scope
from tests.conftest import NOW, House, post_comment, put_article
from tests.receiver import Receiver, receiving

ROOT = Path(__file__).parents[1]
WEBHOOKS = "/api/v1/site/webhooks"
GOOD = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers of these tests live on loopback."""
    return replace(settings, webhook_networks=(ip_network("127.0.0.0/8"),))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def client(process: Process, house: House) -> Iterator[TestClient]:
    """With a key for everything, and an article."""
    scopes = frozenset({Scope.ADMIN})
    key = process.database.write(
        lambda s: keys.create(s, sites.get(s, house.slug), name="a", scopes=scopes, now=NOW)
    )
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(process), headers=headers) as opened:
        put_article(opened, "a-1")
        yield opened


@pytest.fixture
def webhook(client: TestClient, receiver: Receiver) -> str:
    """The id of a webhook that tells the receiver everything."""
    [made] = client.put(WEBHOOKS, json={"items": [{"url": receiver.url}]}).json()["items"]
    receiver.secret = made["secret"]
    webhook_id: str = made["id"]
    return webhook_id


def tell(process: Process, at: datetime | None = None) -> None:
    """Deliver until there is nothing left to do, at that time."""
    clock = utc_now if at is None else lambda: at
    for _ in range(100):
        if not delivery.work_once(process, clock=clock):
            return
    pytest.fail("there is no end to the deliveries")


def decide(client: TestClient, comment_id: str, action: str) -> None:
    seen = client.get(f"/api/v1/comments/{comment_id}").json()["state"]
    body = {"action": action, "revision": 1, "reason": "other", "seen": seen}
    reply = client.post(f"/api/v1/comments/{comment_id}/decisions", json=body)
    assert reply.status_code == 201, reply.text


def shown(client: TestClient) -> dict[str, Any]:
    [one] = client.get(WEBHOOKS).json()["items"]
    found: dict[str, Any] = one
    return found


def log_of(client: TestClient, webhook: str) -> list[dict[str, Any]]:
    """The newest first."""
    items: list[dict[str, Any]] = client.get(f"{WEBHOOKS}/{webhook}/deliveries?limit=100").json()[
        "items"
    ]
    return items


def feed_of(client: TestClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/v1/feed?limit=500").json()["items"]
    return items


def in_order(receiver: Receiver) -> bool:
    """Whether of each comment what was accepted came in the feed's order."""
    told: dict[str | None, list[int]] = {}
    for each in receiver.accepted:
        told.setdefault(each.data["comment_id"], []).append(int(each.data["cursor"]))
    return all(cursors == sorted(cursors) for cursors in told.values())


@pytest.mark.usefixtures("webhook")
def test_every_change_of_comments_picks_and_blocks_is_told_by_ids_alone(
    process: Process, client: TestClient, receiver: Receiver
) -> None:
    post_comment(client, "good", GOOD)
    post_comment(client, "spam", SPAM)
    decide(client, "spam", "reject")
    picked = client.post(
        "/api/v1/articles/a-1/picks", json={"comment_id": "good", "revision": 1}
    ).json()
    version = client.get("/api/v1/articles/a-1/block").json()["draft"]["version"]
    client.post("/api/v1/articles/a-1/block/publish", json={"version": version})
    client.delete("/api/v1/comments/good")
    tell(process)
    by_cursor = sorted(receiver.accepted, key=lambda each: int(each.data["cursor"]))
    assert [each.message["type"] for each in by_cursor] == [
        "comment.approved",
        "comment.held",
        "comment.rejected",
        "pick.chosen",
        "block.changed",
        "pick.withdrawn",
        "block.changed",
        "comment.withdrawn",
    ]
    feed = feed_of(client)
    assert [each.data["cursor"] for each in by_cursor] == [event["cursor"] for event in feed]
    assert [each.message["timestamp"] for each in by_cursor] == [event["at"] for event in feed]
    chosen, block = by_cursor[3].data, by_cursor[4].data
    assert chosen == {
        "site": "post",
        "article_id": "a-1",
        "comment_id": "good",
        "pick_id": picked["id"],
        "revision": 1,
        "state": "chosen",
        "version": None,
        "cursor": feed[3]["cursor"],
    }
    assert (block["version"], block["comment_id"]) == (1, None)
    for each in receiver.heard:
        assert set(each.data) == set(chosen)
        assert b"shop" not in each.body
        assert b"Ada" not in each.body
    assert in_order(receiver)
    line = log_of(client, shown(client)["id"])[0]
    assert (line["state"], line["status"], line["attempts"]) == ("delivered", 204, 1)


def test_only_the_kinds_that_were_asked_for_are_told(
    process: Process, client: TestClient, receiver: Receiver
) -> None:
    items = [{"url": receiver.url, "kinds": ["pick"]}]
    receiver.secret = client.put(WEBHOOKS, json={"items": items}).json()["items"][0]["secret"]
    post_comment(client, "good", GOOD)
    client.post("/api/v1/articles/a-1/picks", json={"comment_id": "good", "revision": 1})
    tell(process)
    assert [each.message["type"] for each in receiver.heard] == ["pick.chosen"]
    assert shown(client)["cursor"] == feed_of(client)[-1]["cursor"]


def test_a_neighbours_changes_are_not_told(
    process: Process, client: TestClient, receiver: Receiver, webhook: str, house: House
) -> None:
    with TestClient(create_app(process), headers=house.neighbour_auth) as neighbour:
        put_article(neighbour, "a-1")
        post_comment(neighbour, "theirs", GOOD)
    tell(process)
    assert receiver.heard == []
    assert log_of(client, webhook) == []


def test_a_receiver_that_is_down_for_an_hour_misses_nothing_and_hears_each_comment_in_order(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.answer(503)
    start = utc_now() - timedelta(hours=2)
    for minute in range(60):
        if minute < 12:
            post_comment(client, f"c-{minute}", SPAM)
        elif minute < 24:
            decide(client, f"c-{minute - 12}", "approve")
        elif minute < 36:
            client.delete(f"/api/v1/comments/c-{minute - 24}")
        tell(process, start + timedelta(minutes=minute))
    assert receiver.accepted == []
    # Once it is known to be down it is asked once a minute at most, not once for each comment.
    assert 12 < len(receiver.heard) <= 60 + AT_ONCE
    assert shown(client)["waiting"] == 36
    assert shown(client)["parked_at"] is None
    receiver.answer(200)
    # The first that is heard lets all the others go, whenever their next attempt would have been.
    tell(process)
    feed = [int(event["cursor"]) for event in feed_of(client)]
    assert sorted(receiver.cursors) == feed
    assert len(feed) == 36
    assert in_order(receiver)
    now = shown(client)
    assert (now["waiting"], now["failures"]) == (0, 0)
    assert {line["state"] for line in log_of(client, webhook)} == {"delivered"}


def test_a_receiver_that_always_fails_is_parked_and_shown_and_resumed_where_it_stopped(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.answer(500)
    post_comment(client, "c-1", SPAM)
    at, tried = utc_now() - timedelta(days=7), []
    while shown(client)["parked_at"] is None:
        before = len(receiver.heard)
        tell(process, at)
        if len(receiver.heard) > before:
            tried.append(at)
        at += timedelta(seconds=1) if len(tried) < 2 else timedelta(hours=1)
    assert len(tried) == len(WAITS) + 1
    for earlier, later, wait in zip(tried, tried[1:], WAITS, strict=False):
        assert wait <= later - earlier <= wait * 1.1 + timedelta(hours=1)
    assert timedelta(days=5) < tried[-1] - tried[0] < timedelta(days=6.5)
    [line] = log_of(client, webhook)
    assert (line["state"], line["attempts"], line["error"]) == ("parked", len(WAITS) + 1, "status")
    assert shown(client)["parked_because"] == "failing"
    receiver.answer(200)
    decide(client, "c-1", "approve")
    post_comment(client, "c-2", GOOD)
    tell(process)
    assert receiver.accepted == []
    refused = client.post(f"{WEBHOOKS}/{webhook}/deliveries/{line['id']}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "parked")
    resumed = client.post(f"{WEBHOOKS}/{webhook}/resume").json()
    assert (resumed["parked_at"], resumed["parked_because"]) == (None, None)
    tell(process)
    assert sorted(receiver.cursors) == [int(event["cursor"]) for event in feed_of(client)]
    assert in_order(receiver)
    assert line["id"] in {each.id for each in receiver.accepted}


@pytest.mark.usefixtures("webhook")
def test_a_message_that_alone_is_refused_fails_and_holds_up_its_own_comment_only(
    process: Process, client: TestClient, receiver: Receiver
) -> None:
    receiver.verdict = lambda m: 500 if m["type"] == "comment.held" else 200
    receiver.verifies = False  # these attempts are days old
    post_comment(client, "bad", SPAM)
    decide(client, "bad", "approve")
    at = utc_now() - timedelta(days=14)
    for number in range(len(WAITS)):
        post_comment(client, f"c-{number}", GOOD)
        tell(process, at)
        assert "bad" not in {each.data["comment_id"] for each in receiver.accepted}
        at += timedelta(hours=27)
    tell(process, at)
    refused = [each for each in receiver.heard if each.status == 500]
    assert len(refused) == len(WAITS) + 1
    assert len({each.id for each in refused}) == 1
    [failed] = [x for x in log_of(client, shown(client)["id"]) if x["state"] == "failed"]
    assert (failed["id"], failed["status"]) == (refused[0].id, 500)
    assert shown(client)["parked_at"] is None
    assert receiver.accepted[-1].message["type"] == "comment.approved"
    assert receiver.accepted[-1].data["comment_id"] == "bad"


def test_the_next_of_a_comment_waits_and_other_comments_go_on(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.verdict = lambda m: 500 if m["data"]["comment_id"] == "one" else 200
    post_comment(client, "one", SPAM)
    decide(client, "one", "approve")
    post_comment(client, "two", SPAM)
    decide(client, "two", "approve")
    tell(process)
    assert [each.data["comment_id"] for each in receiver.accepted] == ["two", "two"]
    lines = {(line["comment_id"], line["type"]): line for line in log_of(client, webhook)}
    assert lines["one", "comment.held"]["attempts"] == 1
    assert lines["one", "comment.approved"]["attempts"] == 0


def test_both_secrets_sign_for_a_day_after_a_rotation(
    process: Process, client: TestClient, receiver: Receiver, webhook: str, house: House
) -> None:
    old = receiver.secret
    rotated = client.post(f"{WEBHOOKS}/{webhook}/secret").json()
    assert rotated["secret"] not in {None, old}
    for number, secret in enumerate((old, rotated["secret"])):
        receiver.secret = secret
        post_comment(client, f"c-{number}", GOOD)
        tell(process)
        assert [each.status for each in receiver.heard] == [204] * (number + 1)
    # Another rotation, a day and an hour ago: the present secret is no longer true.
    newest = process.database.write(
        lambda s: webhooks.rotate(
            s,
            house.site_id,
            webhook,
            secret=process.settings.secret,
            now=utc_now() - timedelta(hours=25),
        )
    )
    post_comment(client, "c-2", GOOD)
    tell(process)
    assert receiver.heard[-1].status == 401
    # The first, which ends tomorrow, and the newest.
    assert receiver.heard[-1].headers["webhook-signature"].count("v1,") == 2
    receiver.secret = newest.fresh or ""
    tell(process, utc_now() + timedelta(seconds=30))
    assert receiver.heard[-1].status == 204


def test_a_delivery_is_replayed_under_its_own_id(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    post_comment(client, "c-1", GOOD)
    tell(process)
    [line] = log_of(client, webhook)
    again = client.post(f"{WEBHOOKS}/{webhook}/deliveries/{line['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    tell(process)
    first, second = receiver.accepted
    assert first.id == second.id == line["id"]
    assert first.body == second.body
    unknown = client.post(f"{WEBHOOKS}/{webhook}/deliveries/msg_none/replay")
    assert unknown.status_code == 404


def test_who_is_gone_is_parked_at_once(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.answer(410)
    post_comment(client, "c-1", GOOD)
    tell(process)
    assert shown(client)["parked_because"] == "gone"
    assert [line["state"] for line in log_of(client, webhook)] == ["parked"]


@pytest.mark.usefixtures("webhook")
def test_who_asks_to_be_left_alone_is_left_alone(
    process: Process, client: TestClient, receiver: Receiver
) -> None:
    receiver.answer(429)
    receiver.headers = {"Retry-After": "240"}
    start = utc_now()
    post_comment(client, "c-1", GOOD)
    tell(process, start)
    post_comment(client, "c-2", GOOD)
    receiver.answer(200)
    tell(process, start + timedelta(seconds=230))
    assert len(receiver.heard) == 1
    tell(process, start + timedelta(seconds=241))
    assert {each.data["comment_id"] for each in receiver.accepted} == {"c-1", "c-2"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Tue, 24 Nov 2026 12:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 11:01:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("9" * 400, None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    asked = delivery.parse_retry_after(value, now=NOW)
    assert asked == (None if seconds is None else timedelta(seconds=seconds))


def test_waits_grow_to_a_day_and_end_after_five() -> None:
    waits = [wait_after(n, chance=0.0) or timedelta(0) for n in range(1, len(WAITS) + 1)]
    assert waits == sorted(waits)
    assert waits[:4] == [timedelta(seconds=s) for s in (5, 300, 1800, 7200)]
    assert timedelta(days=5) < sum(waits, timedelta(0)) < timedelta(days=5.5)
    assert wait_after(len(WAITS) + 1, chance=0.0) is None
    assert wait_after(1, chance=1.0) == timedelta(seconds=5.5)


def test_a_test_message_is_attempted_once_and_also_while_parked(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.answer(410)
    post_comment(client, "c-1", GOOD)
    tell(process)
    receiver.answer(500)
    failing = client.post(f"{WEBHOOKS}/{webhook}/test").json()
    tell(process)
    receiver.answer(200)
    client.post(f"{WEBHOOKS}/{webhook}/test")
    tell(process, utc_now() + timedelta(seconds=60))
    [heard] = receiver.accepted
    assert heard.message["type"] == "webhook.test"
    assert heard.data["cursor"] is None
    states = {line["id"]: line["state"] for line in log_of(client, webhook)}
    assert states[failing["id"]] == "failed"
    assert states[heard.id] == "delivered"
    assert shown(client)["parked_because"] == "gone"


def test_two_workers_never_send_the_same_delivery_at_once(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    for number in range(AT_ONCE - 1):
        post_comment(client, f"c-{number}", GOOD)
    another = replace(process, owner=new_owner())
    receiver.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(delivery.work_once, process)
        for _ in range(AT_ONCE - 1):
            assert receiver.arrived.acquire(timeout=20)
        # All are on their way, none is answered.
        assert not delivery.work_once(another)
        receiver.gate.set()
        assert first.result(20)
    ids = [each.id for each in receiver.heard]
    assert len(ids) == len(set(ids)) == AT_ONCE - 1
    assert {line["attempts"] for line in log_of(client, webhook)} == {1}


@pytest.mark.usefixtures("webhook")
def test_many_who_take_at_once_take_each_delivery_once(
    process: Process, client: TestClient
) -> None:
    for number in range(6):
        post_comment(client, f"c-{number}", GOOD)
    [webhook_id] = process.database.read(deliveries.list_behind)
    with ThreadPoolExecutor(6) as pool:
        now = utc_now()
        following = [
            pool.submit(process.database.write, lambda s: deliveries.follow(s, webhook_id, now=now))
            for _ in range(6)
        ]
        assert sorted(each.result() for each in following) == [0] * 5 + [6]
        taking = [
            pool.submit(
                process.database.write,
                lambda s, o=f"owner-{n}": deliveries.take(s, webhook_id, owner=o, limit=2, now=now),
            )
            for n in range(6)
        ]
        taken = [parcel.delivery_id for each in taking for parcel in each.result()]
    assert len(taken) == len(set(taken)) == 6


def test_what_a_process_that_died_had_taken_is_sent_by_the_next_under_the_same_id(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    post_comment(client, "c-1", GOOD)
    [webhook_id] = process.database.read(deliveries.list_behind)
    then = utc_now()
    process.database.write(lambda s: deliveries.follow(s, webhook_id, now=then))
    [lost] = process.database.write(
        lambda s: deliveries.take(s, webhook_id, owner="dead", limit=9, now=then)
    )
    tell(process, then + LEASE - timedelta(seconds=1))
    assert receiver.heard == []
    tell(process, then + LEASE)
    assert [each.id for each in receiver.accepted] == [lost.message_id]
    # Its answer, should it come after all, changes nothing any more.
    outcome = deliveries.Outcome(status=500)
    process.database.write(lambda s: deliveries.settle(s, lost, outcome, now=utc_now(), chance=0.0))
    [line] = log_of(client, webhook)
    assert (line["state"], line["attempts"]) == ("delivered", 1)


def test_a_redirect_is_not_followed(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    receiver.answer(302)
    receiver.headers = {"Location": "/elsewhere"}
    post_comment(client, "c-1", GOOD)
    tell(process)
    assert [each.path for each in receiver.heard] == ["/hooks"]
    [line] = log_of(client, webhook)
    assert (line["state"], line["status"]) == ("pending", 302)


def test_a_disabled_webhook_is_left_alone_and_goes_on_where_it_was(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    body = {"id": webhook, "url": receiver.url}
    client.put(WEBHOOKS, json={"items": [{**body, "active": False}]})
    post_comment(client, "c-1", GOOD)
    tell(process)
    assert receiver.heard == []
    client.put(WEBHOOKS, json={"items": [body]})
    tell(process)
    assert [each.data["comment_id"] for each in receiver.accepted] == ["c-1"]


def test_after_the_installations_secret_has_changed_nothing_is_sent_until_a_rotation(
    process: Process, client: TestClient, receiver: Receiver, webhook: str, house: House
) -> None:
    changed = replace(process, settings=replace(process.settings, secret="another"))
    post_comment(client, "c-1", GOOD)
    tell(changed)
    assert receiver.heard == []
    assert log_of(client, webhook)[0]["error"] == "secret_changed"
    rotated = process.database.write(
        lambda s: webhooks.rotate(s, house.site_id, webhook, secret="another", now=utc_now())
    )
    receiver.secret = rotated.fresh or ""
    tell(changed, utc_now() + timedelta(seconds=10))
    assert [each.data["comment_id"] for each in receiver.accepted] == ["c-1"]


def test_what_was_settled_a_month_ago_leaves_the_log(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    post_comment(client, "c-1", GOOD)
    tell(process)
    receiver.answer(500)
    post_comment(client, "c-2", GOOD)
    tell(process)
    later = utc_now() + delivery_log.KEPT
    assert process.database.write(lambda s: delivery_log.sweep(s, now=later)) == 1
    assert [line["comment_id"] for line in log_of(client, webhook)] == ["c-2"]


def test_the_worker_tells_while_it_runs_and_ends_when_told(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    stop = threading.Event()
    working = threading.Thread(target=worker.run, args=(process, stop))
    working.start()
    try:
        post_comment(client, "c-1", GOOD)
        assert receiver.arrived.acquire(timeout=20)
    finally:
        stop.set()
        working.join(20)
    assert not working.is_alive()
    assert [line["state"] for line in log_of(client, webhook)] == ["delivered"]


def test_a_receiver_that_takes_its_time_keeps_no_other_waiting(
    process: Process, client: TestClient, receiver: Receiver
) -> None:
    with receiving() as slow:
        items = [{"url": slow.url}, {"url": receiver.url}]
        made = client.put(WEBHOOKS, json={"items": items}).json()["items"]
        slow.secret, receiver.secret = made[0]["secret"], made[1]["secret"]
        slow.gate.clear()
        for number in range(2 * AT_ONCE):
            post_comment(client, f"c-{number}", GOOD)
        stop = threading.Event()
        telling = threading.Thread(target=delivery.run, args=(process, stop))
        telling.start()
        try:
            for _ in range(2 * AT_ONCE):
                assert receiver.arrived.acquire(timeout=20)
            # So many are with the slow one as it is given at once, and none is answered.
            for _ in range(AT_ONCE):
                assert slow.arrived.acquire(timeout=20)
            assert not slow.arrived.acquire(blocking=False)
            assert slow.heard == []
        finally:
            slow.gate.set()
            stop.set()
            telling.join(20)


def test_the_receiver_in_the_docs_receives(
    process: Process,
    client: TestClient,
    receiver: Receiver,
    webhook: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a site's developer copies it, with the secret that the API gave."""
    page = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.setenv("WEBHOOK_SECRET", receiver.secret)
    example: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/webhooks.md", "exec"), example)
    monkeypatch.setattr(example["Hook"], "log_message", lambda *_: None)
    server = HTTPServer(("127.0.0.1", 0), example["Hook"])
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/hooks/postbag"
        client.put(WEBHOOKS, json={"items": [{"id": webhook, "url": url}]})
        post_comment(client, "c-1", SPAM)
        decide(client, "c-1", "approve")
        tell(process)
        forged = httpx2.post(url, content=b"{}", headers={"webhook-id": "x"})
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert example["states"] == {"c-1": (int(feed_of(client)[-1]["cursor"]), "approved")}
    assert forged.status_code == 401


def test_the_message_in_the_docs_has_the_fields_of_a_message(
    process: Process, client: TestClient, receiver: Receiver, webhook: str
) -> None:
    page = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    request, shown_message = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    )
    post_comment(client, "c-17", GOOD)
    tell(process)
    [heard] = receiver.accepted
    assert set(shown_message) == set(heard.message)
    assert list(shown_message["data"]) == list(heard.data)
    reply = client.put(WEBHOOKS, json=request)
    assert reply.status_code == 200
    assert [each["kinds"] for each in reply.json()["items"] if each["secret"]] == [
        sorted(request["items"][0]["kinds"])
    ]
    assert webhook in {each["id"] for each in reply.json()["items"]}


def test_a_round_that_breaks_does_not_end_the_deliveries(
    process: Process,
    client: TestClient,
    receiver: Receiver,
    webhook: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole: Callable[..., list[int]] = deliveries.list_behind
    broken: list[int] = []

    def once_broken(session: Any) -> list[int]:
        if not broken:
            broken.append(1)
            raise RuntimeError("the database went away")
        return whole(session)

    monkeypatch.setattr(deliveries, "list_behind", once_broken)
    monkeypatch.setattr(delivery, "AFTER_AN_ERROR_S", 0.0)
    post_comment(client, "c-1", GOOD)
    stop = threading.Event()
    telling = threading.Thread(target=delivery.run, args=(process, stop))
    telling.start()
    try:
        assert receiver.arrived.acquire(timeout=20)
    finally:
        stop.set()
        telling.join(20)
    assert broken
    assert [line["state"] for line in log_of(client, webhook)] == ["delivered"]
