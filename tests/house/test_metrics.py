"""Metrics mean what the operator's page says, are closed to strangers, and name nobody."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from service import metrics, watch, worker
from service.app import create_app
from service.moderation import workers
from service.process import Process, utc_now
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

OPERATING = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
TOKEN = "a-token-that-only-the-scraper-has"
FROM_LIBRARY = "process_"


@pytest.fixture
def process(process: Process) -> Process:
    return replace(process, settings=replace(process.settings, metrics_token=TOKEN))


def numbers(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    reply = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def test_every_metric_is_documented_with_its_meaning_and_no_other(process: Process) -> None:
    told = watch.render_metrics(process, now=utc_now()).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", told, re.MULTILINE))
    meanings = dict(re.findall(r"^# HELP (\S+) (.+)$", told, re.MULTILINE))
    labels = {
        name: ", ".join(f"`{label}`" for label in collector._labelnames)
        for collector in list(metrics.REGISTRY._collector_to_names)
        for name in [getattr(collector, "_name", "")]
        if hasattr(collector, "_labelnames")
    }
    rows = set(re.findall(r"^\| `((?:postbag)_\w+)` \|.*$", OPERATING, re.MULTILINE))
    ours = {name for name in kinds if not name.startswith(FROM_LIBRARY)}
    assert rows == ours, rows ^ ours
    for name in ours:
        row = next(line for line in OPERATING.splitlines() if line.startswith(f"| `{name}` |"))
        _, _, kind, labelled, meaning, _ = (cell.strip() for cell in row.split("|"))
        assert (kind, meaning) == (kinds[name], meanings[name])
        known = labels.get(name.removesuffix("_total"))
        if known is not None:
            assert labelled == known, name


def test_they_are_closed_until_there_is_a_token_and_to_whoever_has_it_not(
    process: Process, house: House
) -> None:
    closed = replace(process, settings=replace(process.settings, metrics_token=""))
    with TestClient(create_app(closed)) as client:
        empty = client.get("/metrics", headers={"Authorization": "Bearer "})
        assert (empty.status_code, client.get("/metrics").status_code) == (404, 404)
    with TestClient(create_app(process)) as client:
        for header in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {house.key}"):
            reply = client.get("/metrics", headers={"Authorization": header})
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
            assert "postbag_" not in reply.text


def test_they_count_what_happens(process: Process, house: House, scorer: KeywordScorer) -> None:
    with TestClient(create_app(process), headers=house.auth) as client:
        before = numbers(client)
        put_article(client, "a-1")
        post_comment(client, "c-1", "You idiot, buy at my casino.")
        post_comment(client, "c-2", "I cross there, because it is near.")
        client.get("/api/v1/comments/c-1")
        client.get("/api/v1/comments/none")
        client.get("/no/such/page")
        client.request("BREW", "/livez")
        scorer.held_back = []
        post_comment(client, "c-3", "Not judged yet.", wait=0.5)
        process.database.write(
            lambda s: workers.beat(s, "w-1", version="1", now=utc_now() - timedelta(seconds=5))
        )
        after = numbers(client)
        scorer.release()

    def grew(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after.get(key, 0) - before.get(key, 0)

    comment = "/api/v1/comments/{comment_id}"
    assert grew("postbag_requests_total", method="GET", route=comment, status="200") == 1
    assert grew("postbag_requests_total", method="GET", route=comment, status="404") == 1
    assert grew("postbag_requests_total", method="GET", route="none", status="404") == 1
    assert grew("postbag_requests_total", method="other", route="/livez", status="405") == 1
    assert grew("postbag_request_seconds_count", route="/api/v1/comments") == 3
    assert grew("postbag_verdicts_total", action="hold") == 1
    assert grew("postbag_verdicts_total", action="approve") == 1
    assert grew("postbag_verdict_reasons_total", reason="spam") == 1
    assert grew("postbag_verdict_reasons_total", reason="abusive") == 1
    assert after["postbag_backlog_comments", (("state", "held"),)] == 1
    assert after["postbag_backlog_comments", (("state", "received"),)] == 1
    assert after["postbag_backlog_oldest_seconds", (("state", "received"),)] >= 0
    assert after["postbag_unscored_comments", ()] == 1
    assert after["postbag_scoring_waiting", ()] == 1
    assert after["postbag_workers", ()] == 1
    assert after["postbag_worker_seen_timestamp_seconds", ()] > 0
    assert after["postbag_database_up", ()] == 1
    assert after["postbag_weights_info", (("version", "keywords-1"),)] == 1


def test_a_verdict_that_is_not_committed_is_not_counted(process: Process) -> None:
    counted: list[int] = []

    def fail(session: Any) -> None:
        from service.storage.db import once_committed

        once_committed(session, lambda: counted.append(1))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        process.database.write(fail)
    assert counted == []


def test_without_a_database_they_say_so_and_tell_the_rest(process: Process) -> None:
    with process.database.writing() as session:
        session.execute(sa.text("ALTER TABLE webhooks RENAME TO lost"))
    told = watch.render_metrics(process, now=utc_now()).decode()
    assert "postbag_database_up 0.0" in told
    assert "postbag_scoring_waiting" in told


def test_labels_are_words_of_ours(process: Process, house: House) -> None:
    """Whatever is asked for, under whatever name: no series is made of it."""
    with TestClient(create_app(process), headers=house.auth) as client:
        for path in (
            "/canary-1",
            "/api/v1/comments/canary-2",
            "/p/canary-3/x.json",
            "/static/canary",
        ):
            client.get(path)
            client.request("CANARY", path)
        told = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "canary" not in told.lower()


def test_a_worker_is_seen_and_takes_its_leave(process: Process) -> None:
    worker._beat(process)
    alive = process.database.read(lambda s: workers.count_alive(s, now=utc_now()))
    late = process.database.read(
        lambda s: workers.count_alive(s, now=utc_now() + workers.GONE_AFTER * 2)
    )
    assert (alive, late) == (1, 0)
    worker._leave(process)
    assert process.database.read(workers.last_seen) is None
