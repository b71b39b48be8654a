"""The policy: scores and facts in, a verdict with its reasons out. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


Threshold = Annotated[float, Field(ge=0, le=1)]
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
}
HARM_OF_OTHERS = 0.5
# What a reader's report adds to that, up to a number of them: a crowd is no proof.
HARM_OF_A_FLAG, FLAGS_THAT_COUNT = 0.5, 10
# What a rule that flags adds to a comment's place in the queue, and what takes it to the top.
FLAG_ADDS = 0.5
URGENT_ADDS = 100.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One version of a site's policy. Empty thresholds mean those the model's test data suggest."""

    version: int
    hold: Mapping[Reason, float]
    reject: Mapping[Reason, float]
    hold_echoes: bool
    fail: FailPolicy
    wait_for_model_s: int
    flags_to_hold: int
    trusted_after: int
    observe: bool

    def to_body(self) -> dict[str, Any]:
        """The policy as its row holds it."""
        return {
            "hold": dict(self.hold),
            "reject": dict(self.reject),
            "hold_echoes": self.hold_echoes,
            "fail": self.fail.value,
            "wait_for_model_s": self.wait_for_model_s,
            "flags_to_hold": self.flags_to_hold,
            "trusted_after": self.trusted_after,
            "observe": self.observe,
        }


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
    hold_all: bool = False
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


class Body(BaseModel):
    """A policy as people write it; everything left out is the default."""

    model_config = ConfigDict(extra="forbid")

    hold: dict[Reason, Threshold] = {}
    reject: dict[Reason, Threshold] = {}
    hold_echoes: bool = False
    fail: FailPolicy = FailPolicy.ASK_A_PERSON
    wait_for_model_s: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = 900
    flags_to_hold: Annotated[int, Field(ge=0, le=1000)] = 3
    trusted_after: Annotated[int, Field(ge=1, le=1000)] = 5
    observe: bool = False


def must_be_valid(body: Mapping[str, Any]) -> None:
    """Raise Invalid naming every entry that no policy has."""
    try:
        checked = Body.model_validate(body)
    except ValidationError as error:
        wrong = tuple(
            FieldError(
                pointer="/" + "/".join(map(str, each["loc"])),
                code="not_allowed",
                detail=each["msg"],
            )
            for each in error.errors(include_url=False, include_context=False)
        )
        said = "; ".join(f"{each.pointer}: {each.detail}" for each in wrong)
        raise Invalid(f"this is no policy: {said}", errors=wrong) from error
    _must_be_judged(checked.hold, "hold", {*JUDGED_BY, Reason.ECHO})
    _must_be_judged(checked.reject, "reject", JUDGED_BY)


def _must_be_judged(given: Mapping[Reason, float], where: str, judged: Collection[Reason]) -> None:
    """A threshold for what has no score would be taken and never reached."""
    for reason in given:
        if reason not in judged:
            wrong = FieldError(
                pointer=f"/{where}/{reason.value}",
                code="not_allowed",
                detail="No score stands for this reason.",
            )
            raise Invalid(f"this is no policy: {wrong.pointer}: {wrong.detail}", errors=(wrong,))


def from_body(version: int, body: Mapping[str, Any]) -> Policy:
    """A policy as its row holds it."""
    checked = Body.model_validate(body)
    return Policy(
        version=version,
        hold=checked.hold,
        reject=checked.reject,
        hold_echoes=checked.hold_echoes,
        fail=checked.fail,
        wait_for_model_s=checked.wait_for_model_s,
        flags_to_hold=checked.flags_to_hold,
        trusted_after=checked.trusted_after,
        observe=checked.observe,
    )


def decide(answer: Answer, facts: Facts, policy: Policy) -> Ruling:
    """Approve what is under every threshold, hold the rest, reject only where the site asked for it."""
    reasons: list[Because] = []
    rejected: list[Because] = []
    not_judged: list[Reason] = []
    for code, label in JUDGED_BY.items():
        score = _severity(code, answer.scores.get(label))
        if score is None:
            not_judged.append(code)
            continue
        if code is Reason.OFF_TOPIC and answer.scores.get("about_site", 0.0) >= ABOUT_SITE:
            continue
        threshold = policy.hold.get(code, answer.thresholds.get(code, CAUTIOUS_THRESHOLD))
        because = Because(
            code=code, score=score, threshold=threshold, evidence=_evidence(answer, label, facts)
        )
        if code in policy.reject and score >= policy.reject[code]:
            rejected.append(because)
        elif score >= threshold:
            reasons.append(because)
    rejected += _by_rule(facts, RuleAction.REJECT)
    reasons += _plain_reasons(answer, facts, policy) + _by_rule(facts, RuleAction.HOLD)
    reasons.sort(key=lambda because: -_harm(because))
    action = Action.REJECT if rejected else Action.HOLD if reasons else Action.APPROVE
    return Ruling(
        action=action,
        reasons=(*rejected, *reasons),
        not_judged=tuple(not_judged),
        priority=0.0 if rejected else _priority(reasons, facts),
    )


def without_model(policy: Policy, facts: Facts) -> Ruling:
    """The verdict on a comment that the models could not judge, where the policy does not wait."""
    rejected = _by_rule(facts, RuleAction.REJECT)
    held = _by_rule(facts, RuleAction.HOLD)
    reasons = [*held, Because(code=Reason.MODEL_UNAVAILABLE)]
    publish = policy.fail is FailPolicy.PUBLISH_THEN_RECHECK and not held
    return Ruling(
        action=Action.REJECT if rejected else Action.APPROVE if publish else Action.HOLD,
        reasons=(*rejected, *reasons),
        not_judged=tuple(JUDGED_BY),
        priority=0.0 if rejected else _priority(reasons, facts),
    )


def urgency(flags: int) -> float:
    """What readers' reports add to a comment's place in the queue."""
    return HARM_OF_A_FLAG * min(flags, FLAGS_THAT_COUNT)


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
    if facts.hold_all:
        plain.append(Because(code=Reason.ARTICLE_MODE))
    if not answer.supported:
        plain.append(Because(code=Reason.UNSUPPORTED_LANGUAGE, evidence=everything))
    if answer.too_long:
        plain.append(Because(code=Reason.TOO_LONG, evidence=everything))
    if policy.hold_echoes and answer.echo >= policy.hold.get(Reason.ECHO, CAUTIOUS_THRESHOLD):
        repeats = tuple(repeat.comment for repeat in answer.repeats)
        threshold = policy.hold.get(Reason.ECHO, CAUTIOUS_THRESHOLD)
        plain.append(
            Because(code=Reason.ECHO, score=answer.echo, threshold=threshold, evidence=repeats)
        )
    return plain


def _severity(code: Reason, score: float | None) -> float | None:
    if score is None:
        return None
    return round(1 - score, 4) if code is Reason.OFF_TOPIC else score


def _evidence(answer: Answer, label: str, facts: Facts) -> tuple[Span, ...]:
    return answer.evidence.get(label) or (Span(start=0, end=facts.length),)


def _harm(because: Because) -> float:
    weight = HARM.get(because.code, HARM_OF_OTHERS)
    return weight * (1.0 if because.score is None else because.score)
