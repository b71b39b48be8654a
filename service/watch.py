"""Watching: what the process says to those who look after it: alive, ready, and its numbers."""

import hmac
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service import metrics
from service.errors import NotFound, Unauthorized
from service.moderation import backlog, workers
from service.moderation.backlog import Backlog
from service.process import Process, State, utc_now

# Open to everybody, and to whoever has the token: what a test reads that walks the routes.
PUBLIC, TOKEN = "public", "token"


async def livez(_request: Request[State]) -> Response:
    """The process runs."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request[State]) -> Response:
    """The database takes work, the models answer, and nobody stops it; otherwise 503 and which of them is not so."""
    process = request.state["process"]
    missing = await process.in_thread(process.database.find_trouble)
    trouble = process.scorer.trouble
    ready = missing is None and trouble is None and not process.stopping.is_set()
    return JSONResponse(
        {
            "status": "stopping" if process.stopping.is_set() else "ok" if ready else "unavailable",
            "database": missing or "ok",
            "models": trouble or process.scorer.model,
        },
        status_code=200 if ready else 503,
    )


async def show_metrics(request: Request[State]) -> Response:
    """The numbers, in Prometheus' text format; there is no such page without POSTBAG_METRICS_TOKEN."""
    process = request.state["process"]
    token = process.settings.metrics_token
    if not token:
        raise NotFound("metrics are closed; see POSTBAG_METRICS_TOKEN")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not right:
        raise Unauthorized(headers={"WWW-Authenticate": "Bearer"})
    text = await process.in_thread(lambda: render_metrics(process, now=utc_now()))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


livez.permission = readyz.permission = PUBLIC  # type: ignore[attr-defined] # a test walks the routes
show_metrics.permission = TOKEN  # type: ignore[attr-defined]


def render_metrics(process: Process, *, now: datetime) -> bytes:
    """What this process counted, then what it finds now, here and in the database."""
    found = CollectorRegistry()
    found.register(_Found(process, now))
    return generate_latest(metrics.REGISTRY) + generate_latest(found)


class _Found(Collector):
    """What is looked up at each scrape."""

    def __init__(self, process: Process, now: datetime) -> None:
        self.process, self.now = process, now

    def collect(self) -> Iterator[Metric]:
        yield from _of_process(self.process)
        try:
            waits, alive, seen = self.process.database.read(
                lambda s: (
                    backlog.count(s, now=self.now),
                    workers.count_alive(s, now=self.now),
                    workers.last_seen(s),
                )
            )
        except DBAPIError:
            yield _gauge("postbag_database_up", "1 while the database answers, else 0.", 0)
            return
        yield _gauge("postbag_database_up", "1 while the database answers, else 0.", 1)
        yield from _of_database(waits, now=self.now)
        yield _gauge(
            "postbag_workers", "Workers of any process that were seen within a minute.", alive
        )
        yield _gauge(
            "postbag_worker_seen_timestamp_seconds",
            "When any worker was last seen; 0 where none runs.",
            seen.timestamp() if seen else 0,
        )


def _of_process(process: Process) -> Iterator[Metric]:
    weights = InfoMetricFamily("postbag_weights", "The version of the weights that judges here.")
    weights.add_metric([], {"version": process.scorer.model or "none"})
    yield weights
    yield _gauge(
        "postbag_scoring_waiting",
        "Comments and articles that wait for the models in this process.",
        process.scorer.waiting,
    )
    yield _gauge(
        "postbag_threads_busy",
        "Requests of this process that hold a thread, of as many as there are connections.",
        process.limiter.borrowed_tokens,
    )
    yield _gauge(
        "postbag_database_connections",
        "Connections of this process that are in use.",
        process.database.connections_in_use,
    )


def _of_database(waits: Backlog, *, now: datetime) -> Iterator[Metric]:
    comments = GaugeMetricFamily(
        "postbag_backlog_comments",
        "Comments of all sites that wait: received for a verdict, held for a person.",
        labels=["state"],
    )
    oldest = GaugeMetricFamily(
        "postbag_backlog_oldest_seconds",
        "Age of the oldest of them; 0 where none waits.",
        labels=["state"],
    )
    for state, waiting in (("received", waits.received), ("held", waits.held)):
        comments.add_metric([state], waiting.count)
        oldest.add_metric([state], _age(waiting.oldest_at, now))
    yield comments
    yield oldest
    yield _gauge(
        "postbag_unscored_comments",
        "Comments that the models are still to read, those that were ruled on without them included.",
        waits.unscored,
    )
    yield _gauge(
        "postbag_stale_leases",
        "Comments whose judging was begun by a process that died, and which nobody has taken over.",
        waits.stale_leases,
    )
    deliveries = GaugeMetricFamily(
        "postbag_deliveries",
        "Deliveries to webhooks that wait: pending for their turn, parked for somebody to resume the webhook.",
        labels=["state"],
    )
    deliveries.add_metric(["pending"], waits.pending_deliveries)
    deliveries.add_metric(["parked"], waits.parked_deliveries)
    yield deliveries
    yield _gauge(
        "postbag_delivery_oldest_seconds",
        "Age of the oldest pending delivery; 0 where none waits.",
        _age(waits.oldest_delivery_at, now),
    )
    yield _gauge("postbag_webhooks_parked", "Webhooks that are parked.", waits.parked_webhooks)
    yield _gauge(
        "postbag_webhooks_failing",
        "Webhooks whose last attempts failed and that are tried on.",
        waits.failing_webhooks,
    )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
