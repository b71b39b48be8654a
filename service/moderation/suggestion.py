"""Suggestion: the threshold that reaches a precision or a queue share, by a site's own comments and decisions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import ServiceError
from service.moderation.policy import ABOUT_SITE, JUDGED_BY, Reason, severity
from service.moderation.rules.preview import GONE, decided_on
from service.storage.tables import Comment, Score, State

LOOKED_AT = 5000
FEWEST_COMMENTS = 200
# Under this many decisions even a modest precision is luck.
FEWEST_DECISIONS = 30
# Of the comments from a threshold on so many must be decided, or people chose which ones they looked at.
DECIDED_SHARE = 0.8
# The chance that the truth is worse than what is shown; and as much that it is better.
ALPHA = 0.05
STEPS = 100
# What a rejection may be called where this reason is right. Toxicity is what its kinds have in common.
RIGHT = {reason: {reason} for reason in JUDGED_BY} | {
    Reason.ABUSIVE: {Reason.ABUSIVE, Reason.THREAT, Reason.HATEFUL}
}


class NotShown(ServiceError):
    """Comments and decisions do not show what was asked for."""

    status, code, title = 409, "not_shown", "The ground does not show it"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A share, and between what it lies with a chance of nine in ten (Clopper and Pearson)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A threshold, and what it would have meant for the comments that were looked at."""

    threshold: float
    # The weights whose scores these are, and how many comments they scored of late.
    model: str
    comments: int
    queue_share: Interval
    # Of the comments from the threshold on, those people ruled on, and how often the reason was right.
    decided: int
    right: int
    precision: Interval | None


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A comment: what a reason scored, and whether a person found it right; None where none ruled."""

    score: float
    right: bool | None


def for_precision(
    session: Session, site_id: int, reason: Reason, *, precision: float
) -> Suggestion:
    """The lowest threshold from which on people rejected at least so many for this reason.

    Raises NotShown where decisions are too few, too few of the comments are decided, or they
    do not show it with a chance of nineteen in twenty. Thresholds are tried from the highest on, down to the
    first that fails: so the chance holds for the one that is found, however many were tried.
    """
    model, seen = _seen(session, site_id, reason)
    needed = max(FEWEST_DECISIONS, math.ceil(math.log(ALPHA) / math.log(precision)))
    found: float | None = None
    for threshold in _steps():
        above = [each for each in seen if each.score >= threshold]
        ruled = [each for each in above if each.right is not None]
        if len(ruled) < needed:
            continue
        right = sum(each.right is True for each in ruled)
        covered = len(ruled) >= DECIDED_SHARE * len(above)
        if not covered or _chance(right, len(ruled), precision) > ALPHA:
            break
        found = threshold
    if found is None:
        ruled = [each for each in seen if each.right is not None]
        raise NotShown(
            f"people ruled on {len(ruled)} of the last {len(seen)} comments that these weights scored for"
            f" {reason.value!r}, and found it right for {sum(each.right is True for each in ruled)}:"
            f" that shows a precision of {precision} at no threshold; at least {needed} rulings are needed,"
            f" on {DECIDED_SHARE:.0%} of the comments from it on",
        )
    return _suggestion(found, model, seen)


def for_queue_share(
    session: Session, site_id: int, reason: Reason, *, queue_share: float
) -> Suggestion:
    """The lowest threshold that would have held at most this share of the last comments for the reason.

    Raises NotShown where there are too few.
    """
    model, seen = _seen(session, site_id, reason)
    if len(seen) < FEWEST_COMMENTS:
        raise NotShown(
            f"these weights have scored {len(seen)} comments for {reason.value!r};"
            f" {FEWEST_COMMENTS} are needed",
        )
    most = queue_share * len(seen)
    fitting = [step for step in _steps() if sum(each.score >= step for each in seen) <= most]
    if not fitting:
        raise NotShown(
            f"more than {queue_share:.0%} of the comments have the highest score there is",
        )
    return _suggestion(fitting[-1], model, seen)


def interval(count: int, of: int) -> Interval:
    """A share of so many, exactly: no bound is nearer than the binomial distribution allows."""
    low = 0.0 if count == 0 else _where(lambda p: _chance(count, of, p) > ALPHA)
    high = 1.0 if count == of else _where(lambda p: _chance(count + 1, of, p) > 1 - ALPHA)
    return Interval(value=count / of, low=low, high=high)


def _seen(session: Session, site_id: int, reason: Reason) -> tuple[str, Sequence[_Seen]]:
    """The last comments as the newest weights scored them, and what people decided on them."""
    label = JUDGED_BY[reason]
    scored = (
        select(Comment, Score)
        .join(Score, Score.id == Comment.score_id)
        .where(Comment.site_id == site_id, Comment.state.not_in(GONE))
        .order_by(Comment.id.desc())
    )
    newest = session.execute(scored.with_only_columns(Score.model).limit(1)).scalar()
    score = Score.answer["scores"]
    rows = session.execute(
        scored.with_only_columns(
            Comment.id, Comment.revision, score[label].as_float(), score["about_site"].as_float()
        )
        .where(Score.model == newest)
        .limit(LOOKED_AT)
    ).all()
    decided = decided_on(session, [row_id for row_id, _, _, _ in rows])
    seen: list[_Seen] = []
    for row_id, revision, value, about_site in rows:
        height = severity(reason, value)
        if height is None or (reason is Reason.OFF_TOPIC and (about_site or 0.0) >= ABOUT_SITE):
            continue
        decision = decided.get((row_id, revision))
        right = None
        if decision is not None and decision.now is not State.HELD:
            right = decision.now is State.REJECTED and decision.reason in RIGHT[reason]
        seen.append(_Seen(score=height, right=right))
    return newest or "", seen


def _suggestion(threshold: float, model: str, seen: Sequence[_Seen]) -> Suggestion:
    above = [each for each in seen if each.score >= threshold]
    ruled = [each.right for each in above if each.right is not None]
    return Suggestion(
        threshold=threshold,
        model=model,
        comments=len(seen),
        queue_share=interval(len(above), len(seen)),
        decided=len(ruled),
        right=sum(ruled),
        precision=interval(sum(ruled), len(ruled)) if ruled else None,
    )


def _steps() -> list[float]:
    """Thresholds to be tried, the highest first."""
    return [step / STEPS for step in range(STEPS, 0, -1)]


def _chance(count: int, of: int, share: float) -> float:
    """The chance that at least `count` of so many are hit when each is with the chance `share`."""
    hit, missed = math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(
            math.lgamma(of + 1)
            - math.lgamma(each + 1)
            - math.lgamma(of - each + 1)
            + each * hit
            + (of - each) * missed
        )
        for each in range(count, of + 1)
    )


def _where(holds: Callable[[float], bool]) -> float:
    """The point between 0 and 1 from which on something holds."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return low
