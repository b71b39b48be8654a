"""The process: what one running copy of the service holds, and its way from async into threads."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from service import erasure_list
from service.erasure_list import ErasureList
from service.moderation.scores import Scorer
from service.provider import Provider
from service.rates import Rates, Shares
from service.settings import Settings
from service.storage.db import POOL_SIZE, Database

T = TypeVar("T")
log = structlog.get_logger()
STOPPING_TAKES_S = 8.0
# Where the provider sends people back to, under the public address.
CALLBACK = "/login/oidc/callback"


@dataclass(frozen=True, kw_only=True)
class Process:
    """Everything a request needs that outlives it; `owner` is the name its leases carry."""

    settings: Settings
    database: Database
    scorer: Scorer
    owner: str
    # Set when the process is asked to stop: what is in hand is finished, and /readyz says so.
    stopping: threading.Event = field(default_factory=threading.Event)
    background: set[asyncio.Task[None]] = field(default_factory=set)
    rates: Rates = field(init=False)
    shares: Shares = field(init=False)
    provider: Provider | None = field(init=False)
    erasures: ErasureList = field(init=False)
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(POOL_SIZE))

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", Rates(a_second=self.settings.key_rate))
        object.__setattr__(self, "shares", Shares(places=self.settings.scoring_queue))
        object.__setattr__(self, "provider", _provider(self.settings))
        listed = ErasureList(self.settings.data_dir / erasure_list.NAME)
        object.__setattr__(self, "erasures", listed)

    def make_room(self, key_id: int) -> None:
        """Raise Unavailable while too many comments wait for the models, TooManyRequests while they are this key's."""
        # Comments that are stored and not yet asked about will be: they count as waiting.
        self.scorer.make_room(promised=len(self.background))
        self.shares.must_leave_room(key_id)

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run blocking work beside the event loop, as many at a time as there are connections."""
        return await to_thread.run_sync(act, limiter=self.limiter)

    def go_on(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that goes on when the caller hangs up."""
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background.failed", exc_info=error)

    async def finish(self) -> None:
        """Let background work end; what does not end in time is found again by its lease."""
        if self.background:
            await asyncio.wait(self.background, timeout=STOPPING_TAKES_S)


def _provider(settings: Settings) -> Provider | None:
    if settings.oidc is None:
        return None
    return Provider(settings=settings.oidc, redirect_uri=f"{settings.public_url}{CALLBACK}")


class State(TypedDict):
    """What the application's lifespan hands to every request."""

    process: Process


def utc_now() -> datetime:
    """The time, for those at the edge; everybody below is told it."""
    return datetime.now(UTC)
