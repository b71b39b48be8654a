"""The policy: scores and facts in, a verdict with its reasons out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from service.errors import FieldError, Invalid
from service.moderation.scores import Answer, Span


class Action(StrEnum):
    """What a verdict does with a comment."""

    APPROVE = "approve"
    HOLD = "hold"
    REJECT = "reject"


class Reason(StrEnum):
    """Why a comment is held or rejected: the one taxonomy of verdicts and decisions."""

    SPAM = "spam"
    OFF_TOPIC = "off_topic"
    ABUSIVE = "abusive"
    THREAT = "threat"
    HATEFUL = "hateful"
    ECHO = "echo"
    DUPLICATE = "duplicate"
    INCOHERENT = "incoherent"
    RULE = "rule"
    NEW_AUTHOR = "new_author"
    FLAGGED = "flagged"
    TOO_LONG = "too_long"
    ARTICLE_MODE = "article_mode"
    TOO_MANY = "too_many"
    HONEYPOT = "honeypot"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    MODEL_UNAVAILABLE = "model_unavailable"
    UNCERTAIN = "uncertain"
    LEGAL = "legal"
    OTHER = "other"


class RuleAction(StrEnum):
    """What a rule of the site does with a comment: a flag raises it in the queue, and holds nothing."""

    HOLD = "hold"
    REJECT = "reject"
    FLAG = "flag"


class FailPolicy(StrEnum):
    """What happens to comments while the models cannot answer."""

    ASK_A_PERSON = "ask_a_person"
    WAIT_FOR_MODEL = "wait_for_model"
    PUBLISH_THEN_RECHECK = "publish_then_recheck"


# Reason → the score it is judged by. Off-topic is judged by what relevance lacks of 1.
JUDGED_BY = {
    Reason.SPAM: "spam",
    Reason.OFF_TOPIC: "relevance",
    Reason.ABUSIVE: "toxicity",
    Reason.THREAT: "threat",
    Reason.HATEFUL: "identity_attack",
    Reason.INCOHERENT: "incoherent",
}
# Talk about the site or its moderation is not off topic: whoever runs the site wants to read it.
ABOUT_SITE = 0.5
# Where neither the site nor the model's test data name a threshold.
CAUTIOUS_THRESHOLD = 0.8
# How much harm a reason stands for when the queue is put in order; weights, not probabilities.
HARM = {
    Reason.THREAT: 3.0,
    Reason.HATEFUL: 2.5,
    Reason.ABUSIVE: 2.0,
    Reason.SPAM: 1.0,
    Reason.RULE: 1.0,
    Reason.OFF_TOPIC: 0.7,
    Reason.INCOHERENT: 0.5,
    # A flood goes to the end of the queue, or it would silence there those it came between.
    Reason.TOO_MANY: 0.1,
}
HARM_OF_OTHERS = 0.5
# What a reader's report adds to that, up to a number of them: a crowd is no proof.
HARM_OF_A_FLAG, FLAGS_THAT_COUNT = 0.5, 10
# What a rule that flags adds to a comment's place in the queue, and what takes it to the top.
FLAG_ADDS = 0.5
URGENT_ADDS = 100.0


def _has_a_score(reason: Reason) -> Reason:
    """A threshold for what has no score would be taken and never reached."""
    if reason not in JUDGED_BY:
        raise PydanticCustomError("not_allowed", "No score stands for this reason.")
    return reason


def _may_hold(reason: Reason) -> Reason:
    return reason if reason is Reason.ECHO else _has_a_score(reason)


def _one_of(*reasons: Reason) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [reason.value for reason in reasons]})


Threshold = Annotated[float, Field(ge=0, le=1)]
ScoredOrEcho = Annotated[Reason, AfterValidator(_may_hold), _one_of(*JUDGED_BY, Reason.ECHO)]
Scored = Annotated[Reason, AfterValidator(_has_a_score), _one_of(*JUDGED_BY)]
# As the models tell languages: a code of ISO 639, or `unknown` for what is too short to tell.
Language = Annotated[str, StringConstraints(pattern="^([a-z]{2,3}|unknown)$")]
# As the site's articles name theirs.
Section = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Thresholds(BaseModel):
    """From which score on a reason holds or rejects; reasons left out have the threshold beneath."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hold: dict[ScoredOrEcho, Threshold] = {}
    reject: dict[Scored, Threshold] = {}


class Rate(BaseModel):
    """So many comments in so many minutes; what comes on top of them is held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    comments: Annotated[int, Field(ge=1, le=10_000)]
    minutes: Annotated[int, Field(ge=1, le=24 * 60)]


class Terms(Thresholds):
    """What a policy says; everything left out is the default."""

    sections: Annotated[dict[Section, Thresholds], Field(max_length=200)] = {}
    languages: Annotated[dict[Language, Thresholds], Field(max_length=200)] = {}
    hold_echoes: bool = False
    fail: FailPolicy = FailPolicy.ASK_A_PERSON
    wait_for_model_s: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = 900
    flags_to_hold: Annotated[int, Field(ge=0, le=1000)] = 3
    trusted_after: Annotated[int, Field(ge=1, le=1000)] = 5
    # Nobody writes so fast by hand; behind one address there may be a whole office.
    author_rate: Rate | None = Rate(comments=20, minutes=10)
    address_rate: Rate | None = Rate(comments=100, minutes=10)
    reject_honeypot: bool = False
    observe: bool = False


class Policy(Terms):
    """One version of a site's policy. Empty thresholds mean those the model's test data suggest."""

    version: int

    def to_body(self) -> dict[str, Any]:
        """The policy in full, as JSON."""
        return self.model_dump(mode="json", exclude={"version"})

    def thresholds(self, language: str, section: str | None) -> Thresholds:
        """Those for a comment: a language's own go before its section's, and those before the site's."""
        named = self.languages.get(language, Thresholds())
        under = self.sections.get(section or "", Thresholds())
        return Thresholds(
            hold=self.hold | under.hold | named.hold,
            reject=self.reject | under.reject | named.reject,
        )


@dataclass(frozen=True, kw_only=True)
class Because:
    """One reason of a verdict, with what it rests on."""

    code: Reason
    score: float | None = None
    threshold: float | None = None
    evidence: tuple[Span, ...] = ()
    # The rule of the site that it comes from, and what the site calls it.
    rule: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A rule of the site that applies to a comment; `about` is what it counted, if anything."""

    rule: str
    name: str
    action: RuleAction
    urgent: bool = False
    shadow: bool = False
    evidence: tuple[Span, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the policy makes of a revision."""

    action: Action
    reasons: tuple[Because, ...]
    not_judged: tuple[Reason, ...]
    priority: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a comment beside its scores."""

    length: int
    # Of the article, as it is now.
    section: str | None = None
    hold_all: bool = False
    # Its author or its address sent more than their share before it.
    too_many: bool = False
    # A field that people do not see was filled in.
    honeypot: bool = False
    # The version of the site's rules, 0 for none, and those that apply.
    rules_version: int = 0
    hits: tuple[Hit, ...] = ()

    @property
    def in_force(self) -> tuple[Hit, ...]:
        """The rules that apply, without those that are only watched."""
        return tuple(hit for hit in self.hits if not hit.shadow)

    @property
    def rule_on_it(self) -> bool:
        """Whether a rule holds or rejects the comment, whatever the models say."""
        return any(hit.action is not RuleAction.FLAG for hit in self.in_force)


def must_be_valid(body: Mapping[str, Any]) -> None:
    """Raise Invalid naming every entry that no policy has."""
    try:
        Terms.model_validate(body)
    except ValidationError as error:
        wrong = tuple(
            FieldError(
                pointer="".join(f"/{part}" for part in each["loc"] if part != "[key]"),
                code="not_allowed",
                detail=each["msg"],
            )
            for each in error.errors(include_url=False, include_context=False)
        )
        said = "; ".join(f"{each.pointer}: {each.detail}" for each in wrong)
        raise Invalid(f"this is no policy: {said}", errors=wrong) from error


def from_body(version: int, body: Mapping[str, Any]) -> Policy:
    """A policy as its row holds it."""
    return Policy.model_validate({**body, "version": version})


def decide(answer: Answer, facts: Facts, policy: Policy) -> Ruling:
    """Approve what is under every threshold, hold the rest, reject only where the site asked for it."""
    reasons: list[Because] = []
    rejected: list[Because] = []
    not_judged: list[Reason] = []
    own = policy.thresholds(answer.language, facts.section)
    rejects = own.reject
    # What the models do not know, or have not read to its end, a person rejects: unless the site said so
    # of the very language.
    if answer.too_long:
        rejects = {}
    elif not answer.supported:
        rejects = policy.languages.get(answer.language, Thresholds()).reject
    for code, label in JUDGED_BY.items():
        score = severity(code, answer.scores.get(label))
        if score is None:
            not_judged.append(code)
            continue
        if code is Reason.OFF_TOPIC and answer.scores.get("about_site", 0.0) >= ABOUT_SITE:
            continue
        threshold = own.hold.get(code, answer.thresholds.get(code, CAUTIOUS_THRESHOLD))
        because = Because(
            code=code, score=score, threshold=threshold, evidence=_evidence(answer, label, facts)
        )
        if code in rejects and score >= rejects[code]:
            rejected.append(because)
        elif score >= threshold:
            reasons.append(because)
    rejected_anyway, held_anyway = _without_scores(facts, policy)
    rejected += rejected_anyway
    reasons += _plain_reasons(answer, facts, policy) + held_anyway
    reasons.sort(key=lambda because: -_harm(because))
    action = Action.REJECT if rejected else Action.HOLD if reasons else Action.APPROVE
    return Ruling(
        action=action,
        reasons=(*rejected, *reasons),
        not_judged=tuple(not_judged),
        priority=0.0 if rejected else _priority(reasons, facts),
    )


def without_model(policy: Policy, facts: Facts, *, for_good: bool = False) -> Ruling:
    """The verdict on a comment that the models could not judge, where the policy does not wait.

    What they will not be asked about again, `for_good`, is never published for want of them.
    """
    rejected, held = _without_scores(facts, policy)
    reasons = [*held, Because(code=Reason.MODEL_UNAVAILABLE)]
    publish = policy.fail is FailPolicy.PUBLISH_THEN_RECHECK and not held and not for_good
    return Ruling(
        action=Action.REJECT if rejected else Action.APPROVE if publish else Action.HOLD,
        reasons=(*rejected, *reasons),
        not_judged=tuple(JUDGED_BY),
        priority=0.0 if rejected else _priority(reasons, facts),
    )


def urgency(flags: int) -> float:
    """What readers' reports add to a comment's place in the queue."""
    return HARM_OF_A_FLAG * min(flags, FLAGS_THAT_COUNT)


def _without_scores(facts: Facts, policy: Policy) -> tuple[list[Because], list[Because]]:
    """What rejects and what holds a comment, whatever the models say."""
    rejected, held = _by_rule(facts, RuleAction.REJECT), _by_rule(facts, RuleAction.HOLD)
    if facts.honeypot:
        (rejected if policy.reject_honeypot else held).append(Because(code=Reason.HONEYPOT))
    if facts.hold_all:
        held.append(Because(code=Reason.ARTICLE_MODE))
    if facts.too_many:
        held.append(Because(code=Reason.TOO_MANY))
    return rejected, held


def _by_rule(facts: Facts, action: RuleAction) -> list[Because]:
    return [
        Because(code=Reason.RULE, evidence=hit.evidence, rule=hit.rule, name=hit.name)
        for hit in facts.in_force
        if hit.action is action
    ]


def _priority(reasons: Sequence[Because], facts: Facts) -> float:
    flags = sum(hit.action is RuleAction.FLAG for hit in facts.in_force)
    urgent = any(hit.urgent for hit in facts.in_force)
    harm = sum(_harm(because) for because in reasons)
    return round(harm + FLAG_ADDS * flags + URGENT_ADDS * urgent, 4)


def _plain_reasons(answer: Answer, facts: Facts, policy: Policy) -> list[Because]:
    everything = (Span(start=0, end=facts.length),)
    plain: list[Because] = []
    if not answer.supported:
        plain.append(Because(code=Reason.UNSUPPORTED_LANGUAGE, evidence=everything))
    if answer.too_long:
        plain.append(Because(code=Reason.TOO_LONG, evidence=everything))
    own = policy.thresholds(answer.language, facts.section)
    threshold = own.hold.get(Reason.ECHO, CAUTIOUS_THRESHOLD)
    if policy.hold_echoes and answer.echo >= threshold:
        repeats = tuple(repeat.comment for repeat in answer.repeats)
        plain.append(
            Because(code=Reason.ECHO, score=answer.echo, threshold=threshold, evidence=repeats)
        )
    return plain


def severity(code: Reason, score: float | None) -> float | None:
    """What a reason's threshold is compared with; None without ground to judge it."""
    if score is None:
        return None
    return round(1 - score, 4) if code is Reason.OFF_TOPIC else score


def _evidence(answer: Answer, label: str, facts: Facts) -> tuple[Span, ...]:
    return answer.evidence.get(label) or (Span(start=0, end=facts.length),)


def _harm(because: Because) -> float:
    weight = HARM.get(because.code, HARM_OF_OTHERS)
    return weight * (1.0 if because.score is None else because.score)
