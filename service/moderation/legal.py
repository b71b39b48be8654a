"""Legal removal: the order or notice that a rejection for the reason `legal` rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.errors import FieldError, Invalid
from service.moderation.policy import Action, Reason
from service.storage.privacy_tables import LegalOrder
from service.storage.tables import Decision, State

LONGEST_REFERENCE = 200


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a court or an authority calls it, and by when it was to be done."""

    reference: str
    deadline: datetime | None = None


def must_fit(action: Action, reason: Reason | None, order: Order | None) -> None:
    """An order goes with rejecting for the reason `legal`, and that with an order; raises Invalid."""
    is_legal = reason is Reason.LEGAL
    if is_legal and action is not Action.REJECT:
        pointer, code, detail = "/reason", "legal_only", "For this reason a comment is rejected."
    elif is_legal and order is None:
        pointer, code, detail = "/reference", "missing", "Name the order or notice it rests on."
    elif order is not None and not is_legal:
        pointer, code, detail = "/reference", "legal_only", "It goes with the reason `legal`."
    else:
        return
    raise Invalid(errors=(FieldError(pointer=pointer, code=code, detail=detail),))


def keep(session: Session, decision_id: int, order: Order) -> None:
    """Write the order beside its decision."""
    session.execute(
        insert(LegalOrder).values(
            decision_id=decision_id, reference=order.reference, deadline=order.deadline
        )
    )


def list_of(session: Session, decision_ids: Sequence[int]) -> dict[int, LegalOrder]:
    """The orders of those decisions that rest on one."""
    rows = session.scalars(select(LegalOrder).where(LegalOrder.decision_id.in_(decision_ids)))
    return {row.decision_id: row for row in rows}


def is_removed(session: Session, comment_id: int) -> bool:
    """Whether the comment's latest decision removed it for a legal reason."""
    last = session.execute(
        select(Decision.now, Decision.reason)
        .where(Decision.comment_id == comment_id)
        .order_by(Decision.id.desc())
        .limit(1)
    ).first()
    return last is not None and (last.now, last.reason) == (State.REJECTED, Reason.LEGAL.value)
