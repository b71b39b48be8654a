"""The review desk: the most pressing comments, explained, and what was just decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.errors import FieldError, Invalid
from service.moderation import reading, review
from service.moderation.policy import JUDGED_BY, Action, Reason
from service.moderation.reading import View
from service.storage.tables import State
from service.web import marks, words
from service.web.marks import Piece
from service.web.page import Gone, Shown, Visit

# As many as one looks at in one go; the next ones come when these are decided.
AT_ONCE = 5
UNDOABLE = 5
LONGEST_NOTE = 2000


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A score as the page draws it: from `threshold` on, a comment is held."""

    name: str
    value: float
    threshold: float | None
    over: bool


@dataclass(frozen=True, kw_only=True)
class Why:
    """A reason in words."""

    name: str
    sentence: str
    measure: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """A held comment with everything a moderator needs to decide."""

    view: View
    parent: View | None
    pieces: list[Piece]
    whys: list[Why]
    not_judged: list[str]
    bars: list[Bar]
    given: Reason


def show_queue(session: Session, visit: Visit) -> Shown:
    """Take the next comments, so that nobody else gets them, and show them."""
    taken = review.claim(session, visit.site_id, actor=visit.actor, number=AT_ONCE, now=visit.now)
    parents = reading.list_by_ids(
        session, visit.site_id, [view.parent_id for view in taken if view.parent_id]
    )
    undoable = review.list_undoable(session, visit.site_id, actor=visit.actor, limit=UNDOABLE)
    waiting = review.count_held(session, visit.site_id, actor=visit.actor)
    return Shown(
        template="review.html",
        content={
            "items": [_item(view, parents) for view in taken],
            "waiting": waiting,
            "undoable": undoable,
        },
    )


def decide(session: Session, visit: Visit) -> Gone:
    """Approve or reject what was seen."""
    action = _one_of(visit, "action", {a.value: a for a in (Action.APPROVE, Action.REJECT)})
    reason = None
    if action is Action.REJECT:
        reason = _one_of(visit, "reason", {r.value: r for r in words.GIVEN_BY_PEOPLE})
    review.decide(
        session,
        visit.site_id,
        visit.path["comment_id"],
        action=action,
        revision=visit.number("revision"),
        actor=visit.actor,
        reason=reason,
        note=visit.form.get("note", "").strip()[:LONGEST_NOTE] or None,
        seen=State.HELD,
        now=visit.now,
    )
    return Gone(to=f"/desk/{visit.member.site}/review", said=action.value)


def undo(session: Session, visit: Visit) -> Gone:
    """Take back one's latest decision on a comment."""
    review.undo(
        session,
        visit.site_id,
        visit.path["comment_id"],
        decision_id=visit.number("decision"),
        actor=visit.actor,
        now=visit.now,
    )
    return Gone(to=f"/desk/{visit.member.site}/review", said="undone")


def _one_of(visit: Visit, name: str, allowed: Mapping[str, Any]) -> Any:
    value = visit.form.get(name, "")
    if value not in allowed:
        raise Invalid(errors=(FieldError(pointer=f"/{name}", code="missing", detail=""),))
    return allowed[value]


def _item(view: View, parents: Mapping[str, View]) -> Item:
    spans = [span for because in (*view.reasons, *view.rule_flags) for span in because.evidence]
    found = [because.code for because in view.reasons]
    repeats = [repeat.comment for repeat in view.answer.repeats] if view.answer else []
    return Item(
        view=view,
        parent=parents.get(view.parent_id or ""),
        pieces=marks.cut(view.body, evidence=spans, repeats=repeats),
        whys=[
            *_flagged(view),
            *(
                Why(
                    name=words.REASONS[because.code][0],
                    sentence=words.why(because),
                    measure=words.measure(because),
                )
                for because in view.reasons
                if because.code is not Reason.FLAGGED
            ),
            *(Why(name="Flag", sentence=words.why(flag), measure="") for flag in view.rule_flags),
        ],
        not_judged=[
            words.REASONS[Reason(code)][0]
            for code in (view.verdict.not_judged if view.verdict else [])
        ],
        bars=_bars(view),
        given=next((code for code in found if code in words.GIVEN_BY_PEOPLE), Reason.OTHER),
    )


def _flagged(view: View) -> list[Why]:
    """Readers' reports, which count whatever the verdict says."""
    if not view.flags:
        return []
    name, sentence = words.REASONS[Reason.FLAGGED]
    measure = words.counted(view.flags, "reader", "readers") + "."
    return [Why(name=name, sentence=sentence, measure=measure)]


def _bars(view: View) -> list[Bar]:
    """The scores in the order of the page, each with the threshold that it was judged by, if any."""
    if view.answer is None:
        return []
    limits = {because.code: because.threshold for because in view.reasons}
    bars = []
    for label, name in words.SCORES.items():
        value = view.answer.scores.get(label)
        if value is None:
            continue
        code = next((c for c, judged in JUDGED_BY.items() if judged == label), None)
        limit = limits.get(code) if code else None
        if limit is None and code:
            limit = view.answer.thresholds.get(code)
        if code is Reason.OFF_TOPIC:
            # Drawn as what it lacks of 1, like its reason: one number for one thing.
            value = 1 - value
        bars.append(Bar(name=name, value=value, threshold=limit, over=code in limits))
    return bars
