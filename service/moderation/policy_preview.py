"""Policy preview: what another policy would have made of a site's last comments; read-only, nothing is kept."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.moderation import facts, policy, scores, sites
from service.moderation.policy import Action, Policy, Reason, Ruling, Terms
from service.moderation.rules import history, versions
from service.moderation.rules.preview import (
    GONE,
    LOOKED_AT,
    MOST_CHARACTERS,
    MOST_SAMPLES,
    decided_on,
    said,
)
from service.moderation.rules.versions import InForce
from service.storage.tables import Comment, CommentRevision, Score, State


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A comment that would fare otherwise: where it stands and its scores, never what it says."""

    comment_id: str
    revision: int
    state: State
    decided: str
    scores: Mapping[str, float]


@dataclass(kw_only=True)
class Change:
    """Comments that one policy acts on in one way, and the other in another."""

    was: Action
    now: Action
    count: int = 0
    # approved, held, rejected: by the latest decision of a person or a key on these words; or undecided.
    decided: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How often a policy acts in each way, and for which reasons; a comment may have several."""

    actions: Counter[Action] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)

    def count(self, ruling: Ruling) -> None:
        self.actions[ruling.action] += 1
        self.reasons.update({because.code for because in ruling.reasons})


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The policy in force and the one proposed, on the same comments with the same facts and scores."""

    version: int
    comments: int
    before: Outcome
    after: Outcome
    changes: Sequence[Change]


def look(session: Session, site_id: int, terms: Terms, *, now: datetime) -> Preview:
    """Decide on the newest scored comments anew, by both policies and the rules as they stand."""
    in_force = sites.get_policy(session, site_id)
    proposed = policy.from_body(in_force.version + 1, terms.model_dump(exclude_unset=True))
    rules = versions.in_force(session, site_id)
    before, after = Outcome(), Outcome()
    changes: dict[tuple[Action, Action], Change] = {}
    rows = list(_newest(session, site_id))
    decided = decided_on(session, [comment.id for comment, _, _ in rows])
    for comment, revision, score in rows:
        answer = scores.from_json(score.model, score.answer)
        was, becomes = (
            policy.decide(answer, known, each)
            for known, each in zip(
                _facts(session, comment, revision, (in_force, proposed), rules, now=now),
                (in_force, proposed),
                strict=True,
            )
        )
        before.count(was)
        after.count(becomes)
        if was.action is becomes.action:
            continue
        change = changes.setdefault(
            (was.action, becomes.action), Change(was=was.action, now=becomes.action)
        )
        ruling = said(decided.get((comment.id, comment.revision)))
        change.count += 1
        change.decided[ruling] += 1
        if len(change.samples) < MOST_SAMPLES:
            change.samples.append(
                Sample(
                    comment_id=comment.public_id,
                    revision=comment.revision,
                    state=comment.state,
                    decided=ruling,
                    scores=answer.scores,
                )
            )
    return Preview(
        version=in_force.version,
        comments=len(rows),
        before=before,
        after=after,
        changes=list(changes.values()),
    )


def _newest(session: Session, site_id: int) -> Iterator[tuple[Comment, CommentRevision, Score]]:
    """The newest comments whose present words were scored, as many as can be looked at in time."""
    rows = session.execute(
        select(Comment, CommentRevision, Score)
        .join(
            CommentRevision,
            (CommentRevision.comment_id == Comment.id)
            & (CommentRevision.number == Comment.revision),
        )
        .join(Score, Score.id == Comment.score_id)
        .where(Comment.site_id == site_id, Comment.state.not_in(GONE))
        .order_by(Comment.id.desc())
        .limit(LOOKED_AT)
    ).all()
    characters = 0
    for comment, revision, score in rows:
        characters += len(revision.body)
        if characters > MOST_CHARACTERS:
            return
        yield comment, revision, score


def _facts(
    session: Session,
    comment: Comment,
    revision: CommentRevision,
    both: tuple[Policy, Policy],
    rules: InForce,
    *,
    now: datetime,
) -> list[policy.Facts]:
    """What each of two policies knows of a comment; asked once where they ask for the same."""
    hits = history.apply(session, rules.matcher, comment, revision)
    found: dict[tuple[object, ...], policy.Facts] = {}
    for each in both:
        asked = (each.trusted_after, each.author_rate, each.address_rate)
        if asked not in found:
            found[asked] = facts.gather(
                session, comment, revision, each, hits=hits, rules_version=rules.version, now=now
            )
    return [found[each.trusted_after, each.author_rate, each.address_rate] for each in both]
