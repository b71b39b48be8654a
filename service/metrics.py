"""Metrics: what this process counts, for a scraper; labels are words of ours, never an id or a person."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# When a series began says nothing here and would be a second one beside each.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library's
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
# Whoever may make up a method or a path makes no series of it.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE, OTHER_METHOD = "none", "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

requests = Counter(
    "postbag_requests",
    "Requests answered, by the route's template.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
request_seconds = Histogram(
    "postbag_request_seconds",
    "Time from a request's first byte to its answer's last; a comment's includes its wait for the verdict.",
    ["route"],
    buckets=SECONDS,
    registry=REGISTRY,
)
batch_comments = Histogram(
    "postbag_scoring_batch_comments",
    "Comments that the models read in one batch.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=REGISTRY,
)
batch_seconds = Histogram(
    "postbag_scoring_batch_seconds",
    "Time that the models took for a batch.",
    buckets=SECONDS,
    registry=REGISTRY,
)
verdicts = Counter(
    "postbag_verdicts",
    "Verdicts of the policy, by what it would do; a comment that is judged again counts again.",
    ["action"],
    registry=REGISTRY,
)
verdict_reasons = Counter(
    "postbag_verdict_reasons",
    "Reasons in those verdicts; one verdict may have several.",
    ["reason"],
    registry=REGISTRY,
)
delivery_attempts = Counter(
    "postbag_delivery_attempts",
    "Attempts at delivering to a webhook, by how they ended: delivered or failed.",
    ["outcome"],
    registry=REGISTRY,
)
worker_round = Gauge(
    "postbag_worker_round_timestamp_seconds",
    "When this process's worker last began a round; 0 where it has none.",
    registry=REGISTRY,
)
database_retries = Counter(
    "postbag_database_retries",
    "Write transactions that the database asked to be run again.",
    registry=REGISTRY,
)
write_lock_seconds = Histogram(
    "postbag_database_write_lock_seconds",
    "Time that a write transaction waited for SQLite's one lock; PostgreSQL has no such lock.",
    buckets=SECONDS,
    registry=REGISTRY,
)
