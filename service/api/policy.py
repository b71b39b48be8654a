"""Policy: read and set, its versions, the way back, and a look at what another would do."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import PageQuery, Payload, rounded
from service.errors import FieldError, Invalid
from service.moderation import policy_preview, policy_versions, sites, suggestion
from service.moderation.policy import Action, Policy, Reason, Scored, Terms
from service.moderation.policy_preview import Change, Outcome
from service.moderation.policy_versions import LAST_VERSION, Edition
from service.moderation.suggestion import Interval
from service.storage.tables import State

Version = Annotated[int, Field(ge=1, le=LAST_VERSION)]


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


class OutcomeReply(BaseModel):
    """How often a policy acts in each way and for which reasons; `queue_share` is what it holds."""

    actions: dict[Action, int]
    reasons: dict[Reason, int]
    queue_share: float


class MovedReply(BaseModel):
    """A comment that would fare otherwise: its id and scores, not its words."""

    comment_id: str
    revision: int
    state: State
    decided: str
    scores: dict[str, float]


class MovesReply(BaseModel):
    """Comments on which the two policies differ; `decided` counts what people decided on them."""

    was: Action
    now: Action
    count: int
    decided: dict[str, int]
    samples: list[MovedReply]


class PolicyPreviewReply(BaseModel):
    """The policy in force at `version` beside another, on the same comments."""

    version: int
    comments: int
    before: OutcomeReply
    after: OutcomeReply
    changes: list[MovesReply]


class SuggestQuery(Payload):
    """For which reason, and what its threshold is to reach: a `precision` or a `queue_share`."""

    reason: Scored
    precision: Annotated[float, Field(ge=0.5, le=0.999)] | None = None
    queue_share: Annotated[float, Field(gt=0, lt=1)] | None = None


class IntervalReply(BaseModel):
    """A share, and between what it lies with a chance of nine in ten."""

    value: float
    low: float
    high: float


class SuggestionReply(BaseModel):
    """A threshold, and what it would have meant for the `comments` that the `model` scored last."""

    reason: Reason
    threshold: float
    ground: Annotated[str, Field(description="what it rests on: decisions or comments")]
    model: str
    comments: int
    queue_share: IntervalReply
    decided: Annotated[int, Field(description="of those from the threshold on, by people")]
    right: Annotated[int, Field(description="of the decided, rejected for this reason")]
    precision: IntervalReply | None


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


@answers({200: SuggestionReply}, refuses=(409,))
def suggest(session: Session, call: Call[Nothing, SuggestQuery]) -> Reply:
    """The lowest threshold of a reason that reaches a precision or a queue share, by the site's own comments.

    A 409 `not_shown` says what is missing where comments and decisions do not show it.
    """
    asked = call.query
    if (asked.precision is None) is (asked.queue_share is None):
        wrong = FieldError(
            pointer="/query",
            code="one_of",
            detail="Ask for a precision or for a queue_share.",
        )
        raise Invalid(errors=(wrong,))
    reason = asked.reason
    if asked.precision is not None:
        found = suggestion.for_precision(session, call.site_id, reason, precision=asked.precision)
    else:
        share = asked.queue_share or 0.0
        found = suggestion.for_queue_share(session, call.site_id, reason, queue_share=share)
    return Reply(
        body=SuggestionReply(
            reason=reason,
            threshold=found.threshold,
            ground="comments" if asked.precision is None else "decisions",
            model=found.model,
            comments=found.comments,
            queue_share=_interval_reply(found.queue_share),
            decided=found.decided,
            right=found.right,
            precision=_interval_reply(found.precision) if found.precision else None,
        )
    )


@answers({200: PolicyPreviewReply})
def try_out(session: Session, call: Call[Terms, Nothing]) -> Reply:
    """What this policy would make of the site's last thousand scored comments, beside the one in force."""
    seen = policy_preview.look(session, call.site_id, call.body, now=call.now)
    return Reply(
        body=PolicyPreviewReply(
            version=seen.version,
            comments=seen.comments,
            before=_outcome_reply(seen.before, seen.comments),
            after=_outcome_reply(seen.after, seen.comments),
            changes=[_moves_reply(change) for change in seen.changes],
        )
    )


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


def _outcome_reply(outcome: Outcome, comments: int) -> OutcomeReply:
    held = outcome.actions[Action.HOLD]
    return OutcomeReply(
        actions={action: outcome.actions[action] for action in Action},
        reasons=dict(outcome.reasons),
        queue_share=round(held / comments, 4) if comments else 0.0,
    )


def _moves_reply(change: Change) -> MovesReply:
    return MovesReply(
        was=change.was,
        now=change.now,
        count=change.count,
        decided=dict(change.decided),
        samples=[
            MovedReply(
                comment_id=sample.comment_id,
                revision=sample.revision,
                state=sample.state,
                decided=sample.decided,
                scores=rounded(dict(sample.scores)),
            )
            for sample in change.samples
        ],
    )


def _interval_reply(interval: Interval) -> IntervalReply:
    return IntervalReply(
        value=round(interval.value, 4), low=round(interval.low, 4), high=round(interval.high, 4)
    )
