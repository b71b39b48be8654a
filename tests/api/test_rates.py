"""A key that floods slows itself, and nobody else."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.errors import TooManyRequests
from service.process import Process
from service.rates import SAVED_UP_S, Rates
from tests.conftest import House, put_article


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
