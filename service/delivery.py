"""Delivery: signs what sites are to be told and posts it, each receiver at its own pace, until told to stop."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import structlog
from sqlalchemy.orm import Session

from service import metrics, outgoing
from service.moderation import deliveries, delivery_log, webhooks
from service.moderation.deliveries import AT_ONCE, Outcome, Parcel
from service.outgoing import UnreachedError
from service.process import Process, utc_now

log = structlog.get_logger()

Clock = Callable[[], datetime]
# Deliveries in flight; a receiver takes AT_ONCE of them at most, so that a slow one keeps nobody else waiting.
SENDERS = 16
IDLE_S = 1.0
AFTER_AN_ERROR_S = 5.0
SWEEP_EVERY_S = 3600.0
USER_AGENT = "Postbag-Webhooks/1"


def run(process: Process, stop: threading.Event) -> None:
    """Deliver until `stop` is set; what is in flight then is finished first."""
    flying: dict[Future[None], int] = {}
    sweep_at = time.monotonic()
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="delivery") as pool:
        while not stop.is_set():
            try:
                busy = _launch(process, pool, flying, clock=utc_now)
                if time.monotonic() >= sweep_at:
                    swept = process.database.write(lambda s: delivery_log.sweep(s, now=utc_now()))
                    sweep_at = time.monotonic() + (0 if swept else SWEEP_EVERY_S)
            except Exception:  # one bad round must not end the deliveries
                log.exception("delivery.round_failed")
                stop.wait(AFTER_AN_ERROR_S)
                continue
            if flying:
                wait(flying, timeout=IDLE_S, return_when=FIRST_COMPLETED)
            elif not busy:
                stop.wait(IDLE_S)


def work_once(process: Process, *, clock: Clock = utc_now) -> bool:
    """One round, to the end of its last answer; True if there was anything to do."""
    flying: dict[Future[None], int] = {}
    with ThreadPoolExecutor(SENDERS) as pool:
        busy = _launch(process, pool, flying, clock=clock)
    for sent in flying:
        sent.result()
    return busy


def _launch(
    process: Process, pool: ThreadPoolExecutor, flying: dict[Future[None], int], *, clock: Clock
) -> bool:
    """Follow the feeds, and send off what is due as far as there are hands; True if there was anything."""
    database = process.database
    behind = database.read(deliveries.list_behind)
    for webhook_id in behind:
        _follow(process, webhook_id, now=clock())
    for sent in [each for each in flying if each.done()]:
        del flying[sent]
        if (error := sent.exception()) is not None:
            log.error("delivery.unsettled", exc_info=error)
    at_work = Counter(flying.values())
    launched = 0
    due = database.read(lambda s: deliveries.list_due(s, now=clock()))
    # In another order each time: when hands are short, none is always last.
    random.shuffle(due)
    for webhook_id in due:
        room = min(SENDERS - len(flying), AT_ONCE - at_work[webhook_id])
        if room > 0:
            for parcel in _take(process, webhook_id, limit=room, now=clock()):
                flying[pool.submit(_deliver, process, parcel, clock)] = webhook_id
                launched += 1
    return bool(behind or launched)


def _follow(process: Process, webhook_id: int, *, now: datetime) -> None:
    process.database.write(lambda session: deliveries.follow(session, webhook_id, now=now))


def _take(process: Process, webhook_id: int, *, limit: int, now: datetime) -> list[Parcel]:
    def take(session: Session) -> list[Parcel]:
        return deliveries.take(session, webhook_id, owner=process.owner, limit=limit, now=now)

    return process.database.write(take)


def _deliver(process: Process, parcel: Parcel, clock: Clock) -> None:
    """Attempt one delivery, and write down how it ended."""
    try:
        outcome = _attempt(process, parcel, now=clock())
    except Exception:  # a delivery that breaks something is tried again like any other
        log.exception("delivery.failed", webhook=parcel.webhook, message=parcel.message_id)
        outcome = Outcome(error="internal")
    log.info(
        "delivery.attempted",
        webhook=parcel.webhook,
        message=parcel.message_id,
        attempt=parcel.attempts + 1,
        status=outcome.status,
        error=outcome.error,
    )
    metrics.delivery_attempts.labels("delivered" if outcome.is_delivered else "failed").inc()
    # Spreads waits; nothing is to be kept secret here.
    chance = random.random()  # noqa: S311
    parked = process.database.write(
        lambda s: deliveries.settle(s, parcel, outcome, now=clock(), chance=chance)
    )
    if parked:
        log.warning("delivery.webhook_parked", webhook=parcel.webhook)


def _attempt(process: Process, parcel: Parcel, *, now: datetime) -> Outcome:
    settings = process.settings
    signing = process.database.read(
        lambda s: webhooks.signing_secrets(s, parcel.webhook_id, secret=settings.secret, now=now)
    )
    if not signing:
        return Outcome(error="secret_changed")
    body = json.dumps(parcel.message, separators=(",", ":")).encode()
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": webhooks.signature(
            signing, message_id=parcel.message_id, timestamp=timestamp, body=body
        ),
    }
    try:
        answer = outgoing.post(parcel.url, body, headers, networks=settings.webhook_networks)
    except UnreachedError as unreached:
        return Outcome(error=unreached.trouble.value)
    return Outcome(
        status=answer.status,
        error=None if 200 <= answer.status < 300 else "status",
        retry_after=parse_retry_after(answer.retry_after, now=now),
    )


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """How long a receiver asks to be left alone: seconds, or a date (RFC 9110); None for anything else."""
    value = (value or "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return timedelta(seconds=int(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None or moment <= now:
        return None
    return moment - now
