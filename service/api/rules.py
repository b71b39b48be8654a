"""Rules: a site's own, beside the model; read, tried on past comments, set and rolled back."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import Payload, SpanReply
from service.moderation.policy import RuleAction
from service.moderation.rules import packs, preview, versions
from service.moderation.rules.book import MOST_RULES, Book, Rule
from service.moderation.rules.packs import Pack
from service.moderation.rules.preview import Tally
from service.moderation.rules.versions import Edition
from service.storage.tables import State


class SeenBody(Payload):
    """The version that was seen; 0 where there are no rules yet."""

    version: Annotated[int, Field(ge=0)]


class RulesBody(Book):
    """The rules as they should be, and the version they replace."""

    rules: Annotated[list[Rule], Field(max_length=MOST_RULES)]
    version: Annotated[int, Field(ge=0)]


class RulesReply(BaseModel):
    """A site's rules as they are in force."""

    version: int
    rules: list[dict[str, Any]]


class SampleReply(BaseModel):
    """A comment that a rule applies to: its id and the places, not its words."""

    comment_id: str
    revision: int
    state: State
    decided: str
    spans: list[SpanReply]


class TallyReply(BaseModel):
    """What one rule would have done; `decided` counts what people decided on the same comments."""

    rule: str
    name: str
    action: RuleAction
    count: int
    share: float
    decided: dict[str, int]
    samples: list[SampleReply]


class PreviewReply(BaseModel):
    """What rules would have done to the last comments."""

    comments: int
    decided: dict[str, int]
    rules: list[TallyReply]


class PacksReply(BaseModel):
    """The packs that ship."""

    items: list[Pack]


@answers({200: RulesReply})
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The rules in force, with their version."""
    return Reply(body=_reply(versions.get(session, call.site_id)))


@answers({200: RulesReply}, refuses=(409,))
def put(session: Session, call: Call[RulesBody, Nothing]) -> Reply:
    """These rules instead of those at `version`; a stale version is a 409."""
    book = Book.model_construct({"rules"}, rules=call.body.rules)
    edition = versions.put(session, call.site_id, book, seen=call.body.version, now=call.now)
    return Reply(body=_reply(edition))


@answers({200: RulesReply}, refuses=(409,))
def roll_back(session: Session, call: Call[SeenBody, Nothing]) -> Reply:
    """The rules before those at `version`, as a new version."""
    edition = versions.roll_back(session, call.site_id, seen=call.body.version, now=call.now)
    return Reply(body=_reply(edition))


@answers({200: PreviewReply})
def try_out(session: Session, call: Call[Book, Nothing]) -> Reply:
    """What these rules would have done to the site's last thousand comments."""
    seen = preview.look(session, call.site_id, call.body)
    tallies = [_tally_reply(tally, seen.comments) for tally in seen.tallies]
    return Reply(
        body=PreviewReply(comments=seen.comments, decided=dict(seen.decided), rules=tallies)
    )


@answers({200: PacksReply})
def list_packs(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The packs that ship, with every rule in them."""
    return Reply(body=PacksReply(items=packs.list_all()))


@answers({200: RulesReply}, refuses=(404, 409))
def load_pack(session: Session, call: Call[SeenBody, Nothing]) -> Reply:
    """A pack's rules behind the site's own; those whose ids are there already stay as they are."""
    book = packs.get(call.path["pack_id"]).to_book()
    edition = versions.add_rules(session, call.site_id, book, seen=call.body.version, now=call.now)
    return Reply(body=_reply(edition))


def _reply(edition: Edition) -> RulesReply:
    return RulesReply(version=edition.version, rules=versions.to_body(edition.book)["rules"])


def _tally_reply(tally: Tally, comments: int) -> TallyReply:
    return TallyReply(
        rule=tally.rule.id,
        name=tally.rule.name,
        action=tally.rule.action,
        count=tally.count,
        share=round(tally.count / comments, 4) if comments else 0.0,
        decided=dict(tally.decided),
        samples=[
            SampleReply(
                comment_id=sample.comment_id,
                revision=sample.revision,
                state=sample.state,
                decided=sample.decided,
                spans=[SpanReply(start=s.start, end=s.end) for s in sample.spans],
            )
            for sample in tally.samples
        ],
    )
