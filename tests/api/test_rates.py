"""A key that floods slows itself, and nobody else."""

from concurrent.futures import Future
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.errors import TooManyRequests
from service.process import Process
from service.rates import SAVED_UP_S, Rates, Shares
from tests.conftest import House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refusal(rates: Rates, key_id: int) -> TooManyRequests:
    with pytest.raises(TooManyRequests) as refused:
        rates.take(key_id)
    return refused.value


def test_a_key_may_save_up_and_then_makes_as_many_calls_as_its_rate() -> None:
    clock = Clock()
    rates = Rates(a_second=2, clock=clock)
    for _ in range(2 * SAVED_UP_S):
        rates.take(1)
    assert refusal(rates, 1).headers == {"Retry-After": "1"}
    rates.take(2)
    clock.now += 1
    rates.take(1)
    rates.take(1)
    refusal(rates, 1)
    clock.now += 1000
    for _ in range(2 * SAVED_UP_S):
        rates.take(1)
    refusal(rates, 1)


def test_what_costs_more_than_is_left_is_paid_off() -> None:
    clock = Clock()
    rates = Rates(a_second=2, clock=clock)
    rates.take(1, cost=100)
    assert refusal(rates, 1).headers == {"Retry-After": "41"}
    clock.now += 41
    rates.take(1)


def test_nought_is_no_limit() -> None:
    rates = Rates(a_second=0)
    for _ in range(10_000):
        rates.take(1)


def test_a_flood_of_one_key_is_answered_429_and_another_key_is_served(
    process: Process, house: House
) -> None:
    slow = replace(process, settings=replace(process.settings, key_rate=1))
    with TestClient(create_app(slow), headers=house.auth) as client:
        put_article(client, "a-1")
        statuses = [client.get("/api/v1/articles/a-1").status_code for _ in range(SAVED_UP_S + 5)]
        assert (statuses[0], statuses[-1]) == (200, 429)
        refused = client.get("/api/v1/articles/a-1")
        assert refused.json()["code"] == "too_many_requests"
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/api/v1/feed", headers=house.neighbour_auth).status_code == 200


def test_each_comment_of_a_batch_is_a_call(process: Process, house: House) -> None:
    slow = replace(process, settings=replace(process.settings, key_rate=1))
    with TestClient(create_app(slow), headers=house.auth) as client:
        many: dict[str, list[dict[str, str]]] = {"comments": [{}] * 50}
        assert client.post("/api/v1/comments:batch", json=many).status_code == 200
        refused = client.get("/api/v1/feed")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 30


def test_however_many_keys_flood_a_queue_there_is_room_for_one_more() -> None:
    shares = Shares(places=512)
    work: dict[int, list[Future[None]]] = {1: [], 2: [], 3: []}

    def take(key: int) -> None:
        shares.must_leave_room(key)
        work[key].append(Future())
        shares.hold(key, 1, until=work[key][-1])

    for key, taken in ((1, 384), (2, 96), (3, 24)):
        for _ in range(taken):
            take(key)
        with pytest.raises(TooManyRequests) as refused:
            take(key)
        assert refused.value.headers == {"Retry-After": "2"}
    shares.must_leave_room(4)
    for each in work[1]:
        each.set_result(None)
    take(1)


def test_a_key_whose_comments_fill_the_queue_is_slowed_and_another_is_served(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    small = replace(process, settings=replace(process.settings, scoring_queue=8))
    with TestClient(create_app(small), headers=house.auth) as client:
        put_article(client, "a-1")
        scorer.held_back = []
        statuses = [
            post_comment(client, f"c-{n}", "Fine by me.", wait=0).status_code for n in range(8)
        ]
        assert statuses == [202] * 6 + [429] * 2
        refused = client.post("/api/v1/score", json={"text": "Fine by me."})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert client.get("/api/v1/comments/c-6").status_code == 404
        [item] = client.post(
            "/api/v1/comments:batch?wait=1",
            json={
                "comments": [
                    {"id": "b", "article_id": "a-1", "author": {"name": "A"}, "body": "Fine."}
                ]
            },
        ).json()["items"]
        assert (item["status"], item["problem"]["code"]) == (429, "too_many_requests")
        put = {"url": "https://other.example/a", "title": "T", "body": "B"}
        neighbour = house.neighbour_auth
        client.put("/api/v1/articles/a-1", json=put, headers=neighbour)
        body = {"id": "n", "article_id": "a-1", "author": {"name": "N"}, "body": "Fine."}
        other = client.post("/api/v1/comments?wait=0", json=body, headers=neighbour)
        assert other.status_code == 202
        scorer.release()
        # The places come back when the verdicts have been written.
        again = (post_comment(client, f"d-{n}", "Fine by me.") for n in range(100))
        assert any(reply.status_code == 201 for reply in again)
