"""Preview: what rules would have done to a site's last comments; read-only, and nothing is kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.moderation.actor import is_somebodys
from service.moderation.policy import Hit
from service.moderation.rules import history
from service.moderation.rules.book import Book, Rule
from service.moderation.rules.matching import Matcher
from service.moderation.scores import Span
from service.storage.tables import Comment, CommentRevision, Decision, State

LOOKED_AT = 1000
# A thousand comments of the greatest length would take a minute: the look ends here.
MOST_CHARACTERS = 2_000_000
MOST_SAMPLES = 20
GONE = (State.WITHDRAWN, State.ERASED)
UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A comment that a rule applies to: where, never what it says."""

    comment_id: str
    revision: int
    state: State
    decided: str
    spans: tuple[Span, ...]


@dataclass(kw_only=True)
class Tally:
    """What one rule would have done."""

    rule: Rule
    count: int = 0
    # approved, held, rejected: by the latest decision of a person or a key on these words; or undecided.
    decided: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How many comments were looked at, what people decided on them, and each rule's tally."""

    comments: int
    decided: Mapping[str, int]
    tallies: Sequence[Tally]


def look(session: Session, site_id: int, book: Book) -> Preview:
    """Apply a book to the newest comments as if it had been in force when each of them was written."""
    matcher = Matcher(book.must_fit().rules)
    tallies = {rule.id: Tally(rule=rule) for rule in book.rules}
    rows = session.execute(
        select(Comment, CommentRevision)
        .join(
            CommentRevision,
            (CommentRevision.comment_id == Comment.id)
            & (CommentRevision.number == Comment.revision),
        )
        .where(Comment.site_id == site_id, Comment.state.not_in(GONE))
        .order_by(Comment.id.desc())
        .limit(LOOKED_AT)
    ).all()
    decided = decided_on(session, [comment.id for comment, _ in rows])
    looked, characters, sum_decided = 0, 0, Counter[str]()
    for comment, revision in rows:
        characters += len(revision.body)
        if characters > MOST_CHARACTERS:
            break
        looked += 1
        ruling = said(decided.get((comment.id, comment.revision)))
        sum_decided[ruling] += 1
        for hit in history.apply(session, matcher, comment, revision):
            _count(tallies[hit.rule], hit, comment, ruling)
    return Preview(comments=looked, decided=sum_decided, tallies=list(tallies.values()))


def _count(tally: Tally, hit: Hit, comment: Comment, ruling: str) -> None:
    tally.count += 1
    tally.decided[ruling] += 1
    if len(tally.samples) < MOST_SAMPLES:
        tally.samples.append(
            Sample(
                comment_id=comment.public_id,
                revision=comment.revision,
                state=comment.state,
                decided=ruling,
                spans=hit.evidence,
            )
        )


def decided_on(session: Session, comment_ids: Sequence[int]) -> dict[tuple[int, int], Decision]:
    """(comment, revision) → how a person or a key moved it last; an edit decides nothing."""
    last = (
        select(func.max(Decision.id))
        .where(
            Decision.comment_id.in_(comment_ids),
            is_somebodys(),
            Decision.now.in_((State.APPROVED, State.HELD, State.REJECTED)),
        )
        .group_by(Decision.comment_id, Decision.revision)
    )
    rows = session.scalars(select(Decision).where(Decision.id.in_(last)))
    return {(row.comment_id, row.revision): row for row in rows}


def said(decision: Decision | None) -> str:
    """Where a decision left a comment, or that there was none."""
    return UNDECIDED if decision is None else decision.now.value
