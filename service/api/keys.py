"""Keys: a site's own, listed, made, rotated and ended by one with the scope `admin`."""

from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import Moment, Payload
from service.moderation import keys
from service.moderation.keys import Issued
from service.storage.tables import Key, Scope, Site

HOUR = timedelta(hours=1)


class KeyBody(Payload):
    """A key to be made; without `expires_at` it does not end by itself, with `test` it acts in the sandbox."""

    name: Annotated[str, Field(min_length=1, max_length=keys.LONGEST_NAME, pattern=r"\S")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Moment | None = None
    test: bool = False


class RotateBody(Payload):
    """For how many hours both keys work; 0 ends the old one at once."""

    overlap_hours: Annotated[int, Field(ge=0, le=keys.LONGEST_OVERLAP // HOUR)] = (
        keys.OVERLAP // HOUR
    )


class KeyReply(BaseModel):
    """A key by its first letters; `used_on` is the day (UTC) of its last call."""

    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    used_on: date | None
    rotated: bool
    test: bool


class KeysReply(BaseModel):
    """A site's keys, the oldest first."""

    items: list[KeyReply]


class IssuedReply(KeyReply):
    """A key just made; `key` is its text, shown this once."""

    key: str


@answers({200: KeysReply})
def list_all(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The site's keys, those that are over too."""
    found = keys.list_of(session, call.site_id)
    return Reply(body=KeysReply(items=[KeyReply(**_told(key)) for key in found]))


@answers({201: IssuedReply}, refuses=(403,))
def create(session: Session, call: Call[KeyBody, Nothing]) -> Reply:
    """Make a key; it may do no more than the one that makes it, and no longer."""
    asked = call.body
    keys.must_not_exceed(call.caller, scopes=asked.scopes, expires_at=asked.expires_at)
    issued = keys.issue(
        session,
        session.get_one(Site, call.site_id),
        name=asked.name,
        scopes=set(asked.scopes),
        expires_at=asked.expires_at,
        test=asked.test,
        now=call.now,
    )
    return Reply(status=201, body=_issued(issued))


@answers({201: IssuedReply}, refuses=(403, 404, 409))
def rotate(session: Session, call: Call[RotateBody, Nothing]) -> Reply:
    """Make a key's successor: same name, scopes and end; the old one goes on for `overlap_hours`."""
    key = keys.get(session, call.site_id, call.path["key_id"])
    scopes = [Scope(scope) for scope in key.scopes]
    keys.must_not_exceed(call.caller, scopes=scopes, expires_at=key.expires_at)
    issued = keys.rotate(session, key, overlap=call.body.overlap_hours * HOUR, now=call.now)
    return Reply(status=201, body=_issued(issued))


@answers({204: Nothing}, refuses=(404, 409))
def revoke(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """End a key at once; never the last one with `admin`."""
    key = keys.get(session, call.site_id, call.path["key_id"])
    keys.end(session, key, now=call.now)
    return Reply(status=204)


def _issued(issued: Issued) -> IssuedReply:
    return IssuedReply(**_told(issued.key), key=issued.secret)


def _told(key: Key) -> dict[str, Any]:
    return {
        "id": key.public_id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "used_on": key.used_on,
        "rotated": key.successor_id is not None,
        "test": key.test,
    }
