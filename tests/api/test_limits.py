"""Floods and traps: an author or an address above its share is held, and so is what filled a honeypot."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service import worker
from service.moderation import rates, sites
from service.moderation.rates import hashed_address
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.limit_tables import Arrival
from service.storage.tables import CommentRevision
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

FINE = "I shop there every week."
ADA = {"name": "Ada", "id": "u-1"}
THREE = {"comments": 3, "minutes": 10}


@pytest.fixture(autouse=True)
def _three_at_once(process: Process, house: House) -> None:
    set_policy(process, house, {"author_rate": THREE, "address_rate": THREE})


def set_policy(process: Process, house: House, body: dict[str, Any]) -> None:
    process.database.write(lambda s: sites.set_policy(s, house.site_id, body, now=utc_now()))


def post(client: TestClient, comment_id: str, **fields: Any) -> tuple[str, list[str]]:
    """The comment's state, and the codes of its reasons."""
    reply = post_comment(client, comment_id, f"{FINE} {comment_id}", **fields)
    assert reply.status_code == 201, reply.text
    return reply.json()["state"], [r["code"] for r in reply.json()["verdict"]["reasons"]]


def test_an_author_above_the_rate_is_stored_and_held_and_nobody_else_is(client: TestClient) -> None:
    for n in range(3):
        assert post(client, f"c-{n}", author=ADA) == ("approved", [])
    assert post(client, "c-3", author=ADA) == ("held", ["too_many"])
    assert post(client, "c-4", author={"name": "Ada", "id": "u-2"}) == ("approved", [])
    assert post(client, "c-5") == ("approved", [])


def test_the_rate_counts_the_minutes_before_the_comment(client: TestClient) -> None:
    now = utc_now()
    for n, ago in enumerate((25, 4, 3, 2)):
        posted_at = (now - timedelta(minutes=ago)).isoformat()
        assert post(client, f"c-{n}", author=ADA, posted_at=posted_at)[0] == "approved"
    assert post(client, "c-6", author=ADA)[1] == ["too_many"]
    later = (now + timedelta(minutes=30)).isoformat()
    assert post(client, "c-7", author=ADA, posted_at=later)[0] == "approved"


def test_old_comments_that_are_taken_over_are_no_flood(client: TestClient) -> None:
    posted_at = (utc_now() - timedelta(days=400)).isoformat()
    old = [
        {
            "id": f"c-{n}",
            "article_id": "a-1",
            "author": ADA,
            "body": f"{FINE} {n}",
            "ip": "10.0.0.1",
        }
        | {"posted_at": posted_at}
        for n in range(30)
    ]
    items = client.post("/api/v1/comments:batch", json={"comments": old}).json()["items"]
    assert {item["comment"]["state"] for item in items} == {"approved"}
    assert post(client, "new", author=ADA, ip="10.0.0.1") == ("approved", [])


def test_a_flood_in_one_batch_is_held_from_the_first_one_too_many(client: TestClient) -> None:
    flood = [
        {"id": f"c-{n}", "article_id": "a-1", "author": ADA, "body": f"{FINE} {n}"}
        for n in range(8)
    ]
    items = client.post("/api/v1/comments:batch", json={"comments": flood}).json()["items"]
    assert [i["comment"]["state"] for i in items] == ["approved"] * 3 + ["held"] * 5


def test_an_address_above_the_rate_is_held_whoever_writes(client: TestClient) -> None:
    for n in range(3):
        author = {"name": "A", "id": f"u-{n}"}
        assert post(client, f"c-{n}", ip="203.0.113.7", author=author) == ("approved", [])
    assert post(client, "c-3", ip="203.0.113.7") == ("held", ["too_many"])
    assert post(client, "c-4", ip="203.0.113.8") == ("approved", [])


def test_an_address_of_ipv6_counts_by_its_network(client: TestClient) -> None:
    for n in range(3):
        assert post(client, f"c-{n}", ip=f"2001:db8:1:1::{n}")[0] == "approved"
    assert post(client, "c-3", ip="2001:db8:1:1:ffff::9")[1] == ["too_many"]
    assert post(client, "c-4", ip="2001:db8:1:2::1")[0] == "approved"
    mapped = hashed_address("::ffff:203.0.113.7", secret="s")
    assert (
        mapped
        == hashed_address("203.0.113.7", secret="s")
        != hashed_address("203.0.113.7", secret="t")
    )


def test_what_is_no_address_is_taken_and_not_counted(
    client: TestClient, database: Database
) -> None:
    for n in range(5):
        assert post(client, f"c-{n}", ip="unknown")[0] == "approved"
    assert database.read(lambda s: s.scalar(sa.select(sa.func.count(Arrival.comment_id)))) == 0


def test_an_address_is_kept_as_a_hash_and_for_a_day(client: TestClient, process: Process) -> None:
    post(client, "c-1", ip="203.0.113.7")
    [kept] = process.database.read(lambda s: s.scalars(sa.select(Arrival.address)).all())
    assert len(kept) == 64
    old = sa.update(Arrival).values(at=utc_now() - timedelta(hours=25))
    process.database.write(lambda s: s.execute(old))
    post(client, "c-2", ip="198.51.100.1")
    assert process.database.read(lambda s: len(s.scalars(sa.select(Arrival)).all())) == 1


def test_a_trusted_author_is_not_slowed_and_a_flood_earns_no_trust(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"author_rate": THREE, "address_rate": THREE, "trusted_after": 2})
    assert [post(client, f"c-{n}", author=ADA)[0] for n in range(5)] == ["approved"] * 3 + [
        "held"
    ] * 2
    bea = {"name": "Bea", "id": "u-2"}
    for n in range(2):
        posted_at = (utc_now() - timedelta(days=n + 2)).isoformat()
        post(client, f"known-{n}", author=bea, posted_at=posted_at)
    for n in range(6):
        assert post(client, f"b-{n}", author=bea, ip="203.0.113.7") == ("approved", [])
    assert post(client, "c-9", ip="203.0.113.7") == ("held", ["too_many"])


def test_a_rate_that_is_null_limits_nobody(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"author_rate": None, "address_rate": None})
    for n in range(8):
        assert post(client, f"c-{n}", author=ADA, ip="203.0.113.7")[0] == "approved"


def test_a_flood_waits_behind_everybody_else_in_the_queue(client: TestClient) -> None:
    for n in range(5):
        post(client, f"c-{n}", author=ADA)
    post_comment(client, "rude", "You idiot")
    queued = [item["id"] for item in client.get("/api/v1/queue").json()["items"]]
    assert queued == ["rude", "c-3", "c-4"]


def test_what_filled_a_honeypot_is_held_and_says_so(client: TestClient) -> None:
    assert post(client, "c-1", honeypot="https://pills.example") == ("held", ["honeypot"])
    assert post(client, "c-2", honeypot="") == ("approved", [])
    assert post(client, "c-3", honeypot=" ") == ("approved", [])
    assert post(client, "c-4", honeypot=None) == ("approved", [])


def test_a_honeypot_rejects_only_where_the_site_says_so(
    client: TestClient, process: Process, house: House
) -> None:
    set_policy(process, house, {"reject_honeypot": True})
    assert post(client, "c-1", honeypot="x") == ("rejected", ["honeypot"])


def test_what_stood_in_the_honeypot_is_not_kept(client: TestClient, database: Database) -> None:
    post(client, "c-1", honeypot="pills and more")
    row = database.read(lambda s: s.execute(sa.select(CommentRevision.__table__)).mappings().one())
    assert row["honeypot"] is True
    assert "pills" not in str(dict(row))


def test_floods_and_traps_are_not_published_for_want_of_a_model(
    client: TestClient, process: Process, house: House, scorer: KeywordScorer
) -> None:
    set_policy(process, house, {"author_rate": THREE, "fail": "publish_then_recheck"})
    scorer.trouble = "gone"
    put_article(client, "a-2", mode="hold_all")
    for n in range(3):
        assert post(client, f"c-{n}", author=ADA) == ("approved", ["model_unavailable"])
    assert post(client, "c-3", author=ADA) == ("held", ["too_many", "model_unavailable"])
    assert post(client, "c-4", honeypot="x") == ("held", ["honeypot", "model_unavailable"])
    held = post(client, "c-5", article_id="a-2")
    assert held == ("held", ["article_mode", "model_unavailable"])


def test_an_hour_after_a_day_no_address_is_left_though_nobody_writes(
    client: TestClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "SWEPT", 2)
    for n in range(5):
        post(client, f"c-{n}", ip=f"203.0.113.{n}")
    monkeypatch.setattr(worker, "utc_now", lambda: utc_now() + timedelta(days=2))
    while worker.prune_once(process):
        pass
    assert process.database.read(lambda s: s.scalars(sa.select(Arrival.address)).all()) == []
