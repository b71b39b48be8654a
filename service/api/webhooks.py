"""Webhooks: where a site is told of its feed, the secrets that sign, and the log of deliveries."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import Id, PageQuery, Payload
from service.errors import FieldError, Invalid
from service.moderation import delivery_log, webhooks
from service.moderation.delivery_log import Line
from service.moderation.webhooks import MOST_WEBHOOKS, View, Wanted
from service.outgoing import Trouble, trouble_with
from service.storage.tables import EventKind
from service.storage.webhook_tables import DeliveryState

ADVICE = {
    Trouble.WRONG_URL: "An http(s) address in ASCII is needed, without user, password or fragment.",
    Trouble.PLAIN_HTTP: "https is needed; see POSTBAG_WEBHOOK_ALLOW_PRIVATE.",
    Trouble.FORBIDDEN_ADDRESS: "This address is not public; see POSTBAG_WEBHOOK_ALLOW_PRIVATE.",
}


class WebhookBody(Payload):
    """A webhook as the site wants it; with an `id` it is the one that is there."""

    id: Id | None = None
    url: Annotated[str, Field(max_length=2000)]
    description: Annotated[str, Field(max_length=200)] = ""
    kinds: Annotated[list[EventKind], Field(min_length=1, max_length=20)] = Field(
        default_factory=lambda: list(EventKind)
    )
    active: bool = True


class WebhooksBody(Payload):
    """The whole set."""

    items: Annotated[list[WebhookBody], Field(max_length=MOST_WEBHOOKS)]


class SecretReply(BaseModel):
    """A secret that signs, by its first letters."""

    hint: str
    created_at: AwareDatetime
    ends_at: AwareDatetime | None


class WebhookReply(BaseModel):
    """A webhook and how it fares; `secret` is there once, in the reply that made it."""

    id: str
    url: str
    description: str
    kinds: list[EventKind]
    active: bool
    created_at: AwareDatetime
    cursor: str
    waiting: int
    failures: int
    delivered_at: AwareDatetime | None
    parked_at: AwareDatetime | None
    parked_because: str | None
    secrets: list[SecretReply]
    secret: str | None


class WebhooksReply(BaseModel):
    """A site's webhooks."""

    items: list[WebhookReply]


class DeliveryReply(BaseModel):
    """A line of the log; `error` is a kind of trouble, never what was answered."""

    id: str
    type: str
    cursor: str | None
    article_id: str | None
    comment_id: str | None
    state: DeliveryState
    attempts: int
    next_at: AwareDatetime | None
    tried_at: AwareDatetime | None
    status: int | None
    error: str | None
    delivered_at: AwareDatetime | None
    created_at: AwareDatetime


class DeliveryPage(BaseModel):
    """A stretch of the log, the newest first."""

    items: list[DeliveryReply]
    next: str | None


@answers({200: WebhooksReply})
def list_all(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The site's webhooks, and how they fare."""
    views = webhooks.list_all(session, call.site_id, now=call.now)
    return Reply(body=WebhooksReply(items=[_webhook_reply(view) for view in views]))


@answers({200: WebhooksReply}, refuses=(404, 409))
def replace(session: Session, call: Call[WebhooksBody, Nothing]) -> Reply:
    """Make the set what is sent; one that is left out is disabled."""
    _must_be_reachable(call)
    wanted = [
        Wanted(
            id=each.id,
            url=each.url,
            description=each.description,
            kinds=frozenset(each.kinds),
            active=each.active,
        )
        for each in call.body.items
    ]
    views = webhooks.replace(
        session, call.site_id, wanted, secret=call.settings.secret, now=call.now
    )
    return Reply(body=WebhooksReply(items=[_webhook_reply(view) for view in views]))


@answers({204: Nothing}, refuses=(404,))
def remove(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Take a webhook away for good, with its log."""
    webhooks.remove(session, call.site_id, call.path["webhook_id"])
    return Reply(status=204)


@answers({201: WebhookReply}, refuses=(404, 409))
def rotate(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """A new secret; the old one signs along for a day."""
    view = webhooks.rotate(
        session,
        call.site_id,
        call.path["webhook_id"],
        secret=call.settings.secret,
        now=call.now,
    )
    return Reply(status=201, body=_webhook_reply(view))


@answers({200: WebhookReply}, refuses=(404, 409))
def resume(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Go on where a parked webhook stopped."""
    view = webhooks.resume(session, call.site_id, call.path["webhook_id"], now=call.now)
    return Reply(body=_webhook_reply(view))


@answers({202: DeliveryReply}, refuses=(404, 409))
def send_test(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Send a message that tells of nothing; the log says how it went."""
    line = delivery_log.send_test(session, call.site_id, call.path["webhook_id"], now=call.now)
    return Reply(status=202, body=_delivery_reply(line))


@answers({200: DeliveryPage}, refuses=(404,))
def list_deliveries(session: Session, call: Call[Nothing, PageQuery]) -> Reply:
    """The log of a webhook."""
    page = delivery_log.next_page(
        session,
        call.site_id,
        call.path["webhook_id"],
        cursor=call.query.cursor,
        limit=call.query.limit,
    )
    items = [_delivery_reply(line) for line in page.items]
    return Reply(body=DeliveryPage(items=items, next=page.next_cursor))


@answers({202: DeliveryReply}, refuses=(404, 409))
def replay(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Send a message again, under its own id."""
    line = delivery_log.replay(
        session,
        call.site_id,
        call.path["webhook_id"],
        call.path["message_id"],
        now=call.now,
    )
    return Reply(status=202, body=_delivery_reply(line))


def _must_be_reachable(call: Call[WebhooksBody, Nothing]) -> None:
    """Refuse what could never be delivered; names are looked up later, at each attempt."""
    networks = call.settings.webhook_networks
    wrong = [
        FieldError(pointer=f"/items/{i}/url", code=trouble.value, detail=ADVICE[trouble])
        for i, each in enumerate(call.body.items)
        if (trouble := trouble_with(each.url, networks=networks)) is not None
    ]
    if wrong:
        raise Invalid(errors=tuple(wrong))


def _webhook_reply(view: View) -> WebhookReply:
    row = view.webhook
    return WebhookReply(
        id=row.public_id,
        url=row.url,
        description=row.description,
        kinds=row.kinds,
        active=row.active,
        created_at=row.created_at,
        cursor=str(row.cursor),
        waiting=view.waiting,
        failures=row.failures,
        delivered_at=row.delivered_at,
        parked_at=row.parked_at,
        parked_because=row.parked_because,
        secrets=[
            SecretReply(hint=each.hint, created_at=each.created_at, ends_at=each.ends_at)
            for each in view.secrets
        ],
        secret=view.fresh,
    )


def _delivery_reply(line: Line) -> DeliveryReply:
    row, message = line.delivery, line.message
    return DeliveryReply(
        id=row.public_id,
        type=message.type,
        cursor=message.cursor,
        article_id=message.article_id,
        comment_id=message.comment_id,
        state=row.state,
        attempts=row.attempts,
        next_at=row.next_at if row.state is DeliveryState.PENDING else None,
        tried_at=row.tried_at,
        status=row.last_status,
        error=row.last_error,
        delivered_at=row.delivered_at,
        created_at=row.created_at,
    )
