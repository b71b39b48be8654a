"""Rates: how much each key may ask of this process, so that one that floods slows nobody but itself."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service.errors import TooManyRequests

# A key that has been quiet may ask for this many seconds' worth at once.
SAVED_UP_S = 10


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
