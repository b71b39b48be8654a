"""The throttle of sign-in: wrong passwords cost time, and a stranger's cost the real person next to none."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hmac import compare_digest
from secrets import token_urlsafe

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from service.errors import TooManyRequests
from service.moderation.leases import CLOCKS_DIFFER
from service.moderation.people import hashed_email, keyed_hash
from service.storage.db import take_turns
from service.storage.tables import SignInFailure

FAILURES_COUNT_FOR = timedelta(hours=1)
# The first wait behind the failures that are free; each further failure doubles it.
FIRST_WAIT = timedelta(seconds=5)
BROWSER_KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """So many failures are free; then there is a wait, of so long at the most."""

    free: int
    longest: timedelta


# Any stranger can fail in somebody's name: such a wait must stay short.
ACCOUNT = Limit(free=10, longest=timedelta(minutes=1))
# A newsroom may share one address.
ADDRESS = Limit(free=20, longest=timedelta(minutes=5))
# Only whoever sits at that browser can fail there.
BROWSER = Limit(free=10, longest=timedelta(minutes=15))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A sign-in that is tried: what it counts against, under keyed hashes."""

    limits: tuple[tuple[str, Limit], ...]
    at: datetime


def attempt(
    email: str, *, address: str, browser: str | None, secret: str, now: datetime
) -> Attempt:
    """An attempt from a network address, by a browser that may have a token of `known_browser`."""
    whose = hashed_email(email, secret=secret)
    if browser is not None and _is_known(browser, whose, secret=secret, now=now):
        return Attempt(limits=((_key("browser", browser, secret), BROWSER),), at=now)
    return Attempt(
        limits=(
            (_key("account", whose, secret), ACCOUNT),
            (_key("address", address, secret), ADDRESS),
        ),
        at=now,
    )


def take(session: Session, tried: Attempt) -> None:
    """Count the attempt as failed, before the password is looked at; raises TooManyRequests with the seconds to wait.

    Many attempts at once are thus counted like many in a row. What is refused here counts for nothing:
    whoever goes on trying does not lengthen the wait.
    """
    session.execute(delete(SignInFailure).where(SignInFailure.at <= tried.at - FAILURES_COUNT_FOR))
    for subject in sorted(subject for subject, _ in tried.limits):
        take_turns(session, subject)
    wait = max(_wait(session, subject, limit, tried.at) for subject, limit in tried.limits)
    if wait > timedelta(0):
        seconds = int(wait.total_seconds()) + 1
        raise TooManyRequests(
            f"too many wrong passwords; try again in {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )
    for subject, _ in tried.limits:
        session.execute(insert(SignInFailure).values(subject=subject, at=tried.at))


def forgive(session: Session, tried: Attempt) -> None:
    """The password was right: what was counted against its owner is forgotten, but not what an address did."""
    for subject, limit in tried.limits:
        counted = delete(SignInFailure).where(SignInFailure.subject == subject)
        if limit is ADDRESS:
            counted = counted.where(SignInFailure.at == tried.at)
        session.execute(counted)


def known_browser(email: str, *, secret: str, now: datetime) -> str:
    """A token for a browser in which this person signed in: from then on strangers' failures do not touch it."""
    day, random = now.date().isoformat(), token_urlsafe(16)
    whose = hashed_email(email, secret=secret)
    return f"{day}.{random}.{_mark(day, random, whose, secret)}"


def _is_known(token: str, whose: str, *, secret: str, now: datetime) -> bool:
    day, _, rest = token.partition(".")
    random, _, mark = rest.partition(".")
    genuine = compare_digest(mark.encode(), _mark(day, random, whose, secret).encode())
    return genuine and now.date() - date.fromisoformat(day) < BROWSER_KNOWN_FOR


def _wait(session: Session, subject: str, limit: Limit, now: datetime) -> timedelta:
    failed = (
        SignInFailure.subject == subject,
        SignInFailure.at > now - FAILURES_COUNT_FOR,
        # A clock that was set back by an hour is not to lock anybody out for that hour.
        SignInFailure.at <= now + CLOCKS_DIFFER,
    )
    count = session.scalar(select(func.count()).where(*failed)) or 0
    if count < limit.free:
        return timedelta(0)
    last = session.scalar(select(func.max(SignInFailure.at)).where(*failed)) or now
    # Not more doublings than any limit needs: a longer number would overflow.
    pause: timedelta = FIRST_WAIT * 2 ** min(count - limit.free, 10)
    pause = min(limit.longest, pause)
    return min(pause, last + pause - now)


def _mark(day: str, random: str, whose: str, secret: str) -> str:
    return keyed_hash(f"known-browser:{day}:{random}:{whose}", secret=secret)


def _key(kind: str, what: str, secret: str) -> str:
    return keyed_hash(f"sign-in:{kind}:{what}", secret=secret)
