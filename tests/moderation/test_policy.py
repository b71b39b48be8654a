"""The policy: what scores and facts become, and why."""

from dataclasses import replace
from typing import Any

import pytest

from service.errors import Invalid
from service.moderation.policy import (
    CAUTIOUS_THRESHOLD,
    Action,
    Facts,
    FailPolicy,
    Hit,
    Policy,
    Reason,
    RuleAction,
    decide,
    from_body,
    must_be_valid,
    without_model,
)
from service.moderation.scores import Answer, Repeat, Span

CALM = {
    "spam": 0.1,
    "relevance": 0.9,
    "toxicity": 0.1,
    "threat": 0.0,
    "identity_attack": 0.0,
    "incoherent": 0.0,
}
FACTS = Facts(length=100)


def answer(scores: dict[str, float] | None = None, **fields: Any) -> Answer:
    return Answer(
        model="m",
        scores={**CALM, **(scores or {})},
        relevance_label="direct",
        language="en",
        **{"supported": True, "too_long": False, **fields},
    )


def policy(**body: Any) -> Policy:
    return from_body(1, body)


def test_what_is_under_every_threshold_is_approved() -> None:
    ruling = decide(answer(), FACTS, policy())
    assert (ruling.action, ruling.reasons, ruling.priority) == (Action.APPROVE, (), 0.0)


@pytest.mark.parametrize(
    ("scores", "code"),
    [
        ({"spam": 0.8}, Reason.SPAM),
        ({"relevance": 0.2}, Reason.OFF_TOPIC),
        ({"toxicity": 0.8}, Reason.ABUSIVE),
        ({"threat": 0.8}, Reason.THREAT),
        ({"identity_attack": 0.8}, Reason.HATEFUL),
    ],
)
def test_a_score_at_its_threshold_is_held_for_its_reason(
    scores: dict[str, float], code: Reason
) -> None:
    ruling = decide(answer(scores), FACTS, policy())
    assert ruling.action is Action.HOLD
    [because] = ruling.reasons
    assert (because.code, because.threshold) == (code, CAUTIOUS_THRESHOLD)
    assert because.score == pytest.approx(0.8)
    assert because.evidence == (Span(start=0, end=100),)


def test_the_sites_threshold_goes_before_the_models_and_that_before_caution() -> None:
    suggested = {"spam": 0.6}
    assert decide(answer({"spam": 0.7}), FACTS, policy()).action is Action.APPROVE
    assert decide(answer({"spam": 0.7}, thresholds=suggested), FACTS, policy()).reasons
    strict = policy(hold={"spam": 0.75})
    assert not decide(answer({"spam": 0.7}, thresholds=suggested), FACTS, strict).reasons


def test_nothing_is_rejected_unless_the_site_asked_for_it() -> None:
    worst = answer(dict.fromkeys(("spam", "toxicity", "threat", "identity_attack"), 1.0))
    assert decide(worst, FACTS, policy()).action is Action.HOLD
    ruling = decide(worst, FACTS, policy(reject={"spam": 0.98}))
    assert ruling.action is Action.REJECT
    assert ruling.reasons[0].code is Reason.SPAM


def test_a_score_without_ground_is_not_judged_and_no_failure() -> None:
    without = Answer(
        model="m",
        scores={k: v for k, v in CALM.items() if k != "relevance"},
        relevance_label=None,
        language="en",
        supported=True,
        too_long=False,
    )
    ruling = decide(without, FACTS, policy())
    assert ruling.action is Action.APPROVE
    assert ruling.not_judged == (Reason.OFF_TOPIC,)


@pytest.mark.parametrize(
    ("fields", "facts", "code"),
    [
        ({"supported": False}, FACTS, Reason.UNSUPPORTED_LANGUAGE),
        ({"too_long": True}, FACTS, Reason.TOO_LONG),
        ({}, Facts(length=100, hold_all=True), Reason.ARTICLE_MODE),
    ],
)
def test_what_cannot_be_judged_goes_to_a_person(
    fields: dict[str, Any], facts: Facts, code: Reason
) -> None:
    ruling = decide(answer(**fields), facts, policy())
    assert (ruling.action, ruling.reasons[0].code) == (Action.HOLD, code)


def test_echoes_are_approved_unless_the_site_holds_them() -> None:
    repeat = Repeat(comment=Span(start=0, end=90), source=Span(start=5, end=95), origin="article")
    echo = answer({"echo": 1.0}, repeats=(repeat,))
    assert decide(echo, FACTS, policy()).action is Action.APPROVE
    ruling = decide(echo, FACTS, policy(hold_echoes=True))
    assert ruling.reasons[0].code is Reason.ECHO
    assert ruling.reasons[0].evidence == (Span(start=0, end=90),)


def test_a_threat_is_looked_at_before_spam() -> None:
    threat = decide(answer({"threat": 0.8}), FACTS, policy())
    spam = decide(answer({"spam": 0.99}), FACTS, policy())
    both = decide(answer({"threat": 0.8, "spam": 0.99}), FACTS, policy())
    assert spam.priority < threat.priority < both.priority
    assert [because.code for because in both.reasons] == [Reason.THREAT, Reason.SPAM]


@pytest.mark.parametrize(
    ("fail", "action"),
    [
        (FailPolicy.ASK_A_PERSON, Action.HOLD),
        (FailPolicy.WAIT_FOR_MODEL, Action.HOLD),
        (FailPolicy.PUBLISH_THEN_RECHECK, Action.APPROVE),
    ],
)
def test_without_a_model_the_fail_policy_rules(fail: FailPolicy, action: Action) -> None:
    ruling = without_model(policy(fail=fail.value), FACTS)
    assert ruling.action is action
    assert ruling.reasons[0].code is Reason.MODEL_UNAVAILABLE


@pytest.mark.parametrize(
    "body", [{"hold": {"duplicate": 0.5}}, {"reject": {"echo": 0.9}}, {"reject": {"rule": 0.1}}]
)
def test_a_threshold_for_what_has_no_score_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="No score stands for this reason"):
        must_be_valid(body)
    must_be_valid({"hold": {"echo": 0.9, "spam": 0.5}, "reject": {"spam": 0.9}})


def test_a_policy_survives_its_row() -> None:
    body = {"hold": {"spam": 0.4}, "reject": {"spam": 0.99}, "hold_echoes": True}
    kept = policy(**body)
    assert from_body(1, kept.to_body()) == kept


def test_talk_about_the_site_is_not_off_topic() -> None:
    ruling = decide(answer({"relevance": 0.01, "about_site": 0.9}), FACTS, policy())
    assert ruling.action is Action.APPROVE
    assert decide(answer({"relevance": 0.01, "about_site": 0.1}), FACTS, policy()).reasons


def test_what_the_models_do_not_know_is_rejected_by_a_person_alone() -> None:
    asked = policy(reject={"spam": 0.9}, languages={"fr": {"reject": {"spam": 0.95}}})
    spam = {"spam": 0.97}
    assert decide(answer(spam), FACTS, asked).action is Action.REJECT
    for unknown in ({"supported": False}, {"too_long": True}):
        ruling = decide(answer(spam, **unknown), FACTS, asked)
        assert ruling.action is Action.HOLD
        assert ruling.reasons[0].code is Reason.SPAM
    french = replace(answer(spam, supported=False), language="fr")
    assert decide(french, FACTS, asked).action is Action.REJECT
    assert decide(replace(french, too_long=True), FACTS, asked).action is Action.HOLD
    assert decide(replace(french, scores={"spam": 0.92}), FACTS, asked).action is Action.HOLD


def test_word_salad_is_held() -> None:
    ruling = decide(answer({"incoherent": 0.95}), FACTS, policy())
    assert [because.code for because in ruling.reasons] == [Reason.INCOHERENT]


def hit(action: str, **fields: Any) -> Hit:
    return Hit(rule="r", name="R", action=RuleAction(action), **fields)


@pytest.mark.parametrize(
    ("hits", "action", "priority"),
    [
        ((hit("hold"),), Action.HOLD, 1.0),
        ((hit("hold", urgent=True),), Action.HOLD, 101.0),
        ((hit("flag"),), Action.APPROVE, 0.5),
        ((hit("hold"), hit("flag")), Action.HOLD, 1.5),
        ((hit("hold"), hit("reject")), Action.REJECT, 0.0),
        ((hit("reject", shadow=True), hit("hold", shadow=True, urgent=True)), Action.APPROVE, 0.0),
    ],
)
def test_rules_rule_beside_the_model(
    hits: tuple[Hit, ...], action: Action, priority: float
) -> None:
    ruling = decide(answer(), Facts(length=100, hits=hits), policy())
    assert (ruling.action, ruling.priority) == (action, priority)
    assert {because.code for because in ruling.reasons} <= {Reason.RULE}


def test_a_rule_that_holds_is_not_published_for_want_of_a_model() -> None:
    fail = policy(fail="publish_then_recheck")
    for action, expected in (("hold", Action.HOLD), ("reject", Action.REJECT)):
        ruling = without_model(fail, Facts(length=100, hits=(hit(action),)))
        assert ruling.action is expected
        assert ruling.reasons[0].code is Reason.RULE
    flagged = without_model(fail, Facts(length=100, hits=(hit("flag"),)))
    assert flagged.action is Action.APPROVE
