"""Rates and shares: what each key may ask of this process, so that one that floods slows nobody but itself."""

import asyncio
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from service.errors import TooManyRequests

# A key that has been quiet may ask for this many seconds' worth at once.
SAVED_UP_S = 10
# A key may hold three places of a queue for each that is free. However many flood it, some always are.
PLACES_A_FREE_ONE = 3
AGAIN_AFTER_S = 2


@dataclass(frozen=True, kw_only=True)
class Rates:
    """A token bucket for each key. `clock` tells seconds that only go forward."""

    a_second: int
    clock: Callable[[], float] = time.monotonic
    # Key → how much it had left, and when that was.
    _left: dict[int, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key_id: int, *, cost: int = 1) -> None:
        """Charge a key for `cost` calls; raises TooManyRequests while it has none left.

        What costs more than is left is let through and paid off before the next one.
        """
        if not self.a_second or cost < 1:
            return
        with self._lock:
            most = float(self.a_second * SAVED_UP_S)
            now = self.clock()
            left, at = self._left.get(key_id, (most, now))
            left = min(most, left + (now - at) * self.a_second)
            if left < 1:
                wait = math.ceil((1 - left) / self.a_second)
                raise TooManyRequests(
                    "this key asks for more than its share",
                    headers={"Retry-After": str(wait)},
                )
            self._left[key_id] = (left - cost, now)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Who holds how many of the places in a queue."""

    places: int
    _held: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def must_leave_room(self, key_id: int) -> None:
        """Raise TooManyRequests while a key holds so many that others would find none."""
        with self._lock:
            free = self.places - self._held.total()
            if self._held[key_id] >= max(1, PLACES_A_FREE_ONE * free):
                raise TooManyRequests(
                    "too many comments of this key wait for the models",
                    headers={"Retry-After": str(AGAIN_AFTER_S)},
                )

    def hold(self, key_id: int, places: int, *, until: asyncio.Task[None] | Future[Any]) -> None:
        """Take places for a key, and give them back when that is done."""
        with self._lock:
            self._held[key_id] += places
        until.add_done_callback(lambda _: self._leave(key_id, places))

    def _leave(self, key_id: int, places: int) -> None:
        with self._lock:
            self._held[key_id] -= places
            if not self._held[key_id]:
                del self._held[key_id]
