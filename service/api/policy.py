"""Policy: read and set, its versions, the way back."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import PageQuery, Payload
from service.moderation import policy_versions, sites
from service.moderation.policy import Policy, Terms
from service.moderation.policy_versions import Edition

# The largest number that both databases can hold in such a column.
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class PolicyBody(Terms):
    """The policy as it should be, and the version it replaces."""

    version: Version


class RollbackBody(Payload):
    """The version to go back to and, if it matters, the one that was seen in force."""

    to_version: Version
    version: Version | None = None


class PolicyReply(Policy):
    """The policy in full, with its version; what nobody set has its default."""


class ChangeReply(BaseModel):
    """An entry that a version changed; null is one that was, or is, not there."""

    pointer: str
    before: Any
    after: Any


class VersionReply(BaseModel):
    """A version: who set it and when, which one it brought back, what changed, and all it says."""

    version: int
    by: Annotated[str, Field(description="person, key or command_line")]
    name: Annotated[str | None, Field(description="the person's or the key's")]
    at: AwareDatetime
    restores: int | None
    changes: list[ChangeReply]
    policy: PolicyReply


class VersionsReply(BaseModel):
    """Versions, newest first; `next` is the cursor of the following page."""

    items: list[VersionReply]
    next: str | None


@answers({200: PolicyReply})
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The policy in force."""
    return Reply(body=sites.get_policy(session, call.site_id))


@answers({200: PolicyReply}, refuses=(409,))
def put(session: Session, call: Call[PolicyBody, Nothing]) -> Reply:
    """This policy instead of the one at `version`; a stale version is a 409."""
    changed = policy_versions.put(
        session,
        call.site_id,
        call.body,
        seen=call.body.version,
        actor=call.actor,
        now=call.now,
    )
    return Reply(body=changed)


@answers({200: PolicyReply}, refuses=(404, 409))
def roll_back(session: Session, call: Call[RollbackBody, Nothing]) -> Reply:
    """What the policy said at `to_version`, as a new version."""
    changed = policy_versions.roll_back(
        session,
        call.site_id,
        to=call.body.to_version,
        seen=call.body.version,
        actor=call.actor,
        now=call.now,
    )
    return Reply(body=changed)


@answers({200: VersionsReply})
def list_versions(session: Session, call: Call[Nothing, PageQuery]) -> Reply:
    """Every version, newest first, with who set it and what it changed."""
    editions, after = policy_versions.next_page(
        session, call.site_id, cursor=call.query.cursor, limit=call.query.limit
    )
    return Reply(body=VersionsReply(items=[_version_reply(each) for each in editions], next=after))


def _version_reply(edition: Edition) -> VersionReply:
    return VersionReply(
        version=edition.policy.version,
        by=edition.by,
        name=edition.name,
        at=edition.at,
        restores=edition.restores,
        changes=[
            ChangeReply(pointer=each.pointer, before=each.before, after=each.after)
            for each in edition.changes
        ],
        policy=PolicyReply.model_validate(edition.policy.model_dump()),
    )
