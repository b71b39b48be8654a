"""Webhooks: where a site wants to be told of its feed, and the secrets that prove who tells it."""

import base64
import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from service.moderation import sandbox
from service.storage.tables import Event, EventKind
from service.storage.webhook_tables import Delivery, DeliveryState, Webhook, WebhookSecret

MOST_WEBHOOKS = 20
MOST_SECRETS = 5
# After a rotation both secrets sign for so long: the receiver changes over in its own time.
OVERLAP = timedelta(hours=24)
# As Standard Webhooks writes secrets.
PREFIX = "whsec_"
HINT_LENGTH = len(PREFIX) + 5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A webhook as the site wants it; without an id it is a new one."""

    id: str | None
    url: str
    description: str
    kinds: frozenset[EventKind]
    active: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """A webhook with what there is to know of it; `fresh` is its secret, just after it was made."""

    webhook: Webhook
    secrets: tuple[WebhookSecret, ...]
    waiting: int
    fresh: str | None = field(default=None, repr=False)


def list_all(session: Session, site_id: int, *, now: datetime) -> list[View]:
    """A site's webhooks, the oldest first."""
    rows = session.scalars(
        select(Webhook).where(Webhook.site_id == site_id).order_by(Webhook.id).limit(1000)
    )
    return [_view(session, row, now=now) for row in rows]


def get(session: Session, site_id: int, webhook_id: str) -> Webhook:
    """The row; raises NotFound, also for another site's."""
    return _found(session, _of_site(site_id, webhook_id))


def get_locked(session: Session, site_id: int, webhook_id: str) -> Webhook:
    """The row, held until the end of the transaction, before any of its deliveries; raises NotFound."""
    return _found(session, _of_site(site_id, webhook_id).with_for_update())


def replace(
    session: Session, site_id: int, wanted: Sequence[Wanted], *, secret: str, now: datetime
) -> list[View]:
    """Make the set what is wanted: create, change, disable; one that is left out is disabled, not lost.

    A new one begins with the next event of the feed. Raises NotFound for an id that is not of this site,
    Forbidden in a sandbox: what is only tried out notifies nobody.
    """
    if sandbox.is_one(session, site_id):
        raise Forbidden("a test key notifies nobody", code="test_key")
    known = {row.public_id for row in _rows(session, site_id)}
    new = [each for each in wanted if each.id is None]
    if len(known) + len(new) > MOST_WEBHOOKS:
        raise Conflict(f"a site has {MOST_WEBHOOKS} webhooks at most; delete one first")
    named = [each.id for each in wanted if each.id is not None]
    if len(set(named)) != len(named):
        wrong = FieldError(pointer="/items", code="not_allowed", detail="An id stands here twice.")
        raise Invalid(errors=(wrong,))
    for each in wanted:
        if each.id is not None:
            _write(get(session, site_id, each.id), each)
    for left_out in known - set(named):
        get(session, site_id, left_out).active = False
    made = dict(_create(session, site_id, each, secret=secret, now=now) for each in new)
    session.flush()  # what is read below has been written by then
    return [
        dataclasses.replace(view, fresh=made.get(view.webhook.id))
        for view in list_all(session, site_id, now=now)
    ]


def rotate(session: Session, site_id: int, webhook_id: str, *, secret: str, now: datetime) -> View:
    """A new secret; those before it sign along for a day. Raises Conflict after too many in one day."""
    webhook = get_locked(session, site_id, webhook_id)
    if len(_live_secrets(session, webhook.id, now=now)) >= MOST_SECRETS:
        raise Conflict(f"{MOST_SECRETS} secrets sign already; wait until one has ended")
    session.execute(
        update(WebhookSecret)
        .where(WebhookSecret.webhook_id == webhook.id, WebhookSecret.ends_at.is_(None))
        .values(ends_at=now + OVERLAP)
    )
    fresh = _add_secret(session, webhook.id, secret=secret, now=now)
    return dataclasses.replace(_view(session, webhook, now=now), fresh=fresh)


def resume(session: Session, site_id: int, webhook_id: str, *, now: datetime) -> View:
    """Go on where it stopped: what was parked is due, and the feed is followed from there."""
    webhook = get_locked(session, site_id, webhook_id)
    if webhook.parked_at is None:
        raise Conflict("this webhook is not parked", code="not_parked")
    webhook.parked_at = webhook.parked_because = webhook.wait_until = None
    webhook.failures = 0
    session.execute(
        update(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.state == DeliveryState.PARKED)
        .values(
            {
                Delivery.state: DeliveryState.PENDING,
                Delivery.attempts: 0,
                Delivery.first_tried_at: None,
                Delivery.next_at: now,
            }
        )
        .execution_options(synchronize_session=False)
    )
    session.flush()  # what is read below has been written by then
    return _view(session, webhook, now=now)


def remove(session: Session, site_id: int, webhook_id: str) -> None:
    """Take a webhook away for good, with its log."""
    webhook = get_locked(session, site_id, webhook_id)
    for table in (Delivery, WebhookSecret):
        session.execute(delete(table).where(table.webhook_id == webhook.id))
    session.delete(webhook)


def signing_secrets(
    session: Session, webhook_id: int, *, secret: str, now: datetime
) -> tuple[str, ...]:
    """The secrets that sign now, newest first, less those that the site was given under another secret of ours."""
    derived = [
        (_derived(row.salt, secret=secret), row.hint)
        for row in _live_secrets(session, webhook_id, now=now)
    ]
    return tuple(whole for whole, hint in derived if whole.startswith(hint))


def signature(signing: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret (Standard Webhooks, v1)."""
    content = f"{message_id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(each.removeprefix(PREFIX)) for each in signing]
    signed = [hmac.new(key, content, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signed)


def _of_site(site_id: int, webhook_id: str) -> Select[Webhook]:
    return select(Webhook).where(Webhook.site_id == site_id, Webhook.public_id == webhook_id)


def _found(session: Session, statement: Select[Webhook]) -> Webhook:
    webhook = session.scalar(statement.execution_options(populate_existing=True))
    if webhook is None:
        raise NotFound("there is no such webhook on this site")
    return webhook


def _rows(session: Session, site_id: int) -> list[Webhook]:
    """All of a site's, held in one order, so that two who change them wait for one another."""
    return list(
        session.scalars(
            select(Webhook).where(Webhook.site_id == site_id).order_by(Webhook.id).with_for_update()
        )
    )


def _create(
    session: Session, site_id: int, wanted: Wanted, *, secret: str, now: datetime
) -> tuple[int, str]:
    newest = session.scalar(select(func.max(Event.id)).where(Event.site_id == site_id)) or 0
    webhook = Webhook(
        site_id=site_id,
        public_id="wh_" + secrets.token_urlsafe(9),
        cursor=newest,
        created_at=now,
        parked_at=None,
        parked_because=None,
        failures=0,
        wait_until=None,
        delivered_at=None,
    )
    _write(webhook, wanted)
    session.add(webhook)
    session.flush()  # the secret's row needs the webhook's id
    return webhook.id, _add_secret(session, webhook.id, secret=secret, now=now)


def _write(webhook: Webhook, wanted: Wanted) -> None:
    webhook.url, webhook.description = wanted.url, wanted.description
    webhook.kinds, webhook.active = sorted(wanted.kinds), wanted.active


def _add_secret(session: Session, webhook_id: int, *, secret: str, now: datetime) -> str:
    salt = secrets.token_urlsafe(32)
    whole = _derived(salt, secret=secret)
    row = WebhookSecret(
        webhook_id=webhook_id, salt=salt, hint=whole[:HINT_LENGTH], created_at=now, ends_at=None
    )
    session.add(row)
    session.flush()  # it is read with the others at once
    return whole


def _derived(salt: str, *, secret: str) -> str:
    """256 bits that only the installation's secret and this salt together give."""
    key = hmac.new(secret.encode(), f"webhook:{salt}".encode(), hashlib.sha256).digest()
    return PREFIX + base64.b64encode(key).decode()


def _live_secrets(session: Session, webhook_id: int, *, now: datetime) -> list[WebhookSecret]:
    return list(
        session.scalars(
            select(WebhookSecret)
            .where(
                WebhookSecret.webhook_id == webhook_id,
                WebhookSecret.ends_at.is_(None) | (WebhookSecret.ends_at > now),
            )
            .order_by(WebhookSecret.id.desc())
            .limit(MOST_SECRETS)
        )
    )


def _view(session: Session, webhook: Webhook, *, now: datetime) -> View:
    waiting = session.scalar(
        select(func.count()).where(
            Delivery.webhook_id == webhook.id,
            Delivery.state.in_([DeliveryState.PENDING, DeliveryState.PARKED]),
        )
    )
    live = tuple(_live_secrets(session, webhook.id, now=now))
    return View(webhook=webhook, secrets=live, waiting=waiting or 0)
