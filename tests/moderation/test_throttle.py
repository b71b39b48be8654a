"""The throttle of sign-in, with a clock that the test moves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from service.errors import TooManyRequests
from service.moderation import throttle
from service.moderation.throttle import ACCOUNT, ADDRESS, BROWSER, Attempt
from service.storage.db import Database
from service.storage.tables import SignInFailure
from tests.conftest import NOW

SECRET = "s" * 64
SECOND = timedelta(seconds=1)


class Clock:
    """Attempts at a time that only moves when it is told to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW

    def attempt(
        self,
        email: str = "mo@post.example",
        *,
        address: str = "192.0.2.1",
        browser: str | None = None,
    ) -> Attempt:
        return throttle.attempt(
            email, address=address, browser=browser, secret=SECRET, now=self.now
        )

    def wait(self, email: str = "mo@post.example", **facts: str) -> int:
        """Tries a wrong password; the seconds that it was told to wait, or 0."""
        try:
            self.database.write(lambda s: throttle.take(s, self.attempt(email, **facts)))
        except TooManyRequests as error:
            return int(error.headers["Retry-After"])
        return 0

    def fail(self, times: int, **facts: str) -> None:
        for _ in range(times):
            assert self.wait(**facts) == 0


@pytest.fixture
def clock(database: Database) -> Clock:
    return Clock(database)


def test_some_wrong_passwords_are_free_and_then_each_costs_twice_as_much(clock: Clock) -> None:
    clock.fail(ACCOUNT.free)
    waits = []
    for _ in range(6):
        waits.append(clock.wait())
        clock.now += waits[-1] * SECOND
        assert clock.wait() == 0
    assert waits == [6, 11, 21, 41, 61, 61]


def test_a_stranger_costs_the_real_person_a_minute_at_the_most(clock: Clock) -> None:
    """From addresses without number: each failure is free for its address, but not for the account."""
    for number in range(60):
        clock.wait(address=f"198.51.100.{number}")
        clock.now += timedelta(minutes=1)
    clock.wait(address="198.51.100.200")
    assert clock.wait(address="192.0.2.7") <= ACCOUNT.longest.total_seconds() + 1


def test_going_on_while_one_has_to_wait_does_not_lengthen_the_wait(clock: Clock) -> None:
    clock.fail(ACCOUNT.free)
    for _ in range(50):
        assert clock.wait() > 0
    clock.now += timedelta(seconds=6)
    assert clock.wait() == 0


def test_a_browser_that_signed_in_before_is_not_touched_by_strangers(clock: Clock) -> None:
    mine = throttle.known_browser("Mo@post.example", secret=SECRET, now=clock.now)
    clock.fail(ACCOUNT.free)
    assert clock.wait() > 0
    clock.fail(BROWSER.free, browser=mine)
    assert clock.wait(browser=mine) > 0


def test_a_known_browser_is_known_for_its_own_account_for_a_while_and_unless_forged(
    clock: Clock,
) -> None:
    mine = throttle.known_browser("mo@post.example", secret=SECRET, now=clock.now)
    day, random, mark = mine.split(".")
    theirs = throttle.known_browser("other@post.example", secret=SECRET, now=clock.now)
    younger = f"{(clock.now + timedelta(days=80)).date()}.{random}.{mark}"
    clock.fail(ACCOUNT.free)
    for not_mine in (theirs, younger, f"{day}.{random}.", "", "..", "x.y.z", "é.è.ê"):
        assert clock.wait(browser=not_mine) > 0, not_mine
    clock.now += throttle.BROWSER_KNOWN_FOR
    clock.fail(ACCOUNT.free)
    assert clock.wait(browser=mine) > 0


def test_an_address_that_tries_many_accounts_has_to_wait(clock: Clock) -> None:
    for number in range(ADDRESS.free):
        assert clock.wait(f"person-{number}@post.example") == 0
    assert clock.wait("one-more@post.example") > 0
    assert clock.wait("one-more@post.example", address="192.0.2.2") == 0


def test_the_right_password_forgets_what_was_counted_against_the_account(clock: Clock) -> None:
    clock.fail(ACCOUNT.free - 1)
    right = clock.attempt()
    clock.database.write(lambda s: throttle.take(s, right))
    clock.database.write(lambda s: throttle.forgive(s, right))
    clock.fail(ACCOUNT.free)


def test_the_right_password_of_one_account_forgives_its_address_nothing(clock: Clock) -> None:
    """Or whoever owns one account could guess at all others without end."""
    for number in range(ADDRESS.free):
        assert clock.wait(f"person-{number}@post.example") == 0
        clock.now += SECOND
    clock.now += ADDRESS.longest
    own = clock.attempt("own@post.example")
    clock.database.write(lambda s: throttle.take(s, own))
    clock.database.write(lambda s: throttle.forgive(s, own))
    clock.now += SECOND
    clock.wait("next@post.example")
    assert clock.wait("after@post.example") > 0


def test_after_an_hour_nothing_is_left_in_the_database(clock: Clock, database: Database) -> None:
    clock.fail(ACCOUNT.free)
    clock.now += throttle.FAILURES_COUNT_FOR
    clock.fail(1)

    def newest() -> list[datetime]:
        with database.reading() as session:
            return [row.at for row in session.query(SignInFailure)]

    assert newest() == [clock.now] * 2


def test_many_attempts_at_once_are_counted_like_many_in_a_row(clock: Clock) -> None:
    with ThreadPoolExecutor(16) as pool:
        attempts = [pool.submit(clock.wait, address=f"192.0.2.{n}") for n in range(64)]
        passed = [attempt.result() for attempt in attempts].count(0)
    assert passed == ACCOUNT.free
