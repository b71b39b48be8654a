"""Judging: what the models are asked about a comment, and what their answer, or its absence, does."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, aliased, defer

from service import metrics
from service.moderation import (
    articles,
    comments,
    decisions,
    feed,
    leases,
    policy,
    reading,
    sandbox,
    scores,
    sites,
)
from service.moderation.actor import MACHINE
from service.moderation.comments import LEASE
from service.moderation.facts import gather
from service.moderation.policy import Because, Facts, FailPolicy, Hit, Policy, Reason, Ruling
from service.moderation.rules import clusters, history, versions
from service.moderation.scores import Answer, Question, Span
from service.storage import db
from service.storage.db import not_locked
from service.storage.tables import (
    Article,
    ArticleRevision,
    Comment,
    CommentRevision,
    EventKind,
    Score,
    State,
    Verdict,
)

# One text that breaks the scorer is tried this often; then the site's fail policy rules for good.
ATTEMPTS = 3
AGAIN_AFTER = timedelta(seconds=30)
# Why a comment passes that the policy would have held, on a site that observes.
OBSERVED = "observed"
# Where a comment's scores still matter.
JUDGED = (State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED)


Parent, ParentRevision = aliased(Comment), aliased(CommentRevision)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A revision to be judged, ready for the scorer."""

    comment_id: int
    revision: int
    article_revision_id: int
    question: Question


def new_owner() -> str:
    """A name under which one process leases comments."""
    return uuid.uuid4().hex


def find_task(session: Session, comment_id: int) -> Task | None:
    """The comment's present revision as a task; None if there is nothing left to judge."""
    return next(iter(list_tasks(session, [comment_id])), None)


def list_tasks(session: Session, comment_ids: Sequence[int]) -> list[Task]:
    """The present revisions of those comments that are still to be judged."""
    rows = session.execute(
        select(Comment, CommentRevision, ArticleRevision, ParentRevision.body)
        .join(
            CommentRevision,
            (CommentRevision.comment_id == Comment.id)
            & (CommentRevision.number == Comment.revision),
        )
        .join(Article, Article.id == Comment.article_id)
        .join(
            ArticleRevision,
            (ArticleRevision.article_id == Article.id)
            & (ArticleRevision.number == Article.revision),
        )
        .outerjoin(Parent, Parent.id == Comment.parent_id)
        .outerjoin(
            ParentRevision,
            (ParentRevision.comment_id == Parent.id) & (ParentRevision.number == Parent.revision),
        )
        .where(Comment.id.in_(comment_ids), Comment.state.in_(JUDGED))
        .order_by(Comment.id)
        .options(defer(ArticleRevision.body))
    )
    return [
        Task(
            comment_id=comment.id,
            revision=comment.revision,
            article_revision_id=article.id,
            question=Question(
                text=revision.body,
                article=articles.as_models_read(article),
                parent=parent or None,  # an erased one has no words
                author_name=revision.author_name,
                author_url=revision.author_url,
                author_email_domain=revision.author_email_domain,
                language=revision.language or article.language,
            ),
        )
        for comment, revision, article, parent in rows
    ]


def judge(session: Session, task: Task, answer: Answer, *, now: datetime) -> None:
    """Store the answer and let the policy rule; scores of a superseded revision change nothing."""
    comment = _still_there(session, task)
    if comment is None:
        return
    revision = comments.get_revision(session, comment)
    if _comes_later(session, comment, revision, now=now):
        return
    score_id = session.scalar(
        insert(Score)
        .values(
            comment_revision_id=revision.id,
            article_revision_id=task.article_revision_id,
            model=answer.model,
            answer=scores.to_json(answer),
            insight=answer.scores.get("insight"),
            relevance=answer.scores.get("relevance"),
            echo=answer.scores.get("echo"),
            created_at=now,
        )
        .returning(Score.id)
    )
    in_force = sites.get_policy(session, comment.site_id)
    quoted = [repeat.comment for repeat in answer.repeats]
    facts = _facts(session, comment, revision, in_force, quoted=quoted, now=now)
    fixed = sandbox.find_ruling(session, comment, revision)
    ruling = fixed or policy.decide(answer, facts, in_force)
    comment.score_id = score_id
    _rest(comment)
    if _article_moved_on(session, comment, task):
        comment.score_after = now  # the article was edited meanwhile: judged again, by and by
    _rule(
        session,
        comment,
        revision,
        ruling,
        in_force,
        facts=facts,
        model=answer.model,
        now=now,
    )


def give_up(session: Session, task: Task, *, model_down: bool, now: datetime) -> None:
    """The models did not answer: the site's fail policy says what becomes of the comment.

    While they answer nobody, the comment is not to blame: it stays due, however long that takes.
    """
    comment = _still_there(session, task)
    if comment is None:
        return
    if not model_down:
        comment.attempts += 1
    for_good = comment.attempts >= ATTEMPTS
    comment.lease_until = comment.lease_owner = None
    in_force = sites.get_policy(session, comment.site_id)
    revision = comments.get_revision(session, comment)
    if _comes_later(session, comment, revision, now=now):
        return
    fixed = sandbox.find_ruling(session, comment, revision)
    deadline = revision.created_at + timedelta(seconds=in_force.wait_for_model_s)
    waits = in_force.fail is FailPolicy.WAIT_FOR_MODEL and now < deadline
    comment.score_after = None if for_good and not waits else now + AGAIN_AFTER
    # What was published unjudged and cannot be judged is for a person.
    to_be_seen = for_good and _was_published_unjudged(session, comment)
    if comment.state is not State.RECEIVED and not to_be_seen:
        return
    facts = _facts(session, comment, revision, in_force, now=now)
    # Rules need no model: what they hold or reject does not wait for one.
    if waits and not facts.rule_on_it and fixed is None:
        return
    ruling = fixed or policy.without_model(in_force, facts, for_good=for_good)
    _rule(session, comment, revision, ruling, in_force, facts=facts, model=None, now=now)


def take_due(
    session: Session,
    *,
    owner: str,
    now: datetime,
    limit: int,
    states: Collection[State] = JUDGED,
) -> list[int]:
    """Lease comments that nobody is judging: never tried, tried in vain, or left by a process that died."""
    free = leases.is_over(Comment.lease_until, now, lasts=LEASE)
    due = (
        select(Comment.id)
        .where(
            leases.is_due(Comment.score_after, now, put_off=AGAIN_AFTER),
            Comment.state.in_(states),
            free,
        )
        .order_by(Comment.score_after, Comment.id)
        .limit(limit)
    )
    taken = session.scalars(
        update(Comment)
        .where(Comment.id.in_(not_locked(due)), free)
        .values(lease_owner=owner, lease_until=now + LEASE)
        .returning(Comment.id)
        .execution_options(synchronize_session=False)
    ).all()
    return sorted(taken)


def free(session: Session, *, owner: str) -> None:
    """Let go of every comment this owner leases, for whoever judges next."""
    session.execute(
        update(Comment)
        .where(Comment.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def count_waiting(session: Session) -> int:
    """How many comments are still to be judged."""
    return session.scalar(select(func.count()).where(Comment.score_after.is_not(None))) or 0


def _rule(
    session: Session,
    comment: Comment,
    revision: CommentRevision,
    ruling: Ruling,
    in_force: Policy,
    *,
    facts: Facts,
    model: str | None,
    now: datetime,
) -> None:
    """Keep the verdict, and move the comment where the machine may."""
    verdict_id = session.scalar(
        insert(Verdict)
        .values(
            comment_revision_id=revision.id,
            score_id=comment.score_id,
            policy_version=in_force.version,
            model=model,
            action=ruling.action.value,
            reasons=[_reason_row(because) for because in ruling.reasons],
            not_judged=[reason.value for reason in ruling.not_judged],
            rules_version=facts.rules_version,
            hits=[_hit_row(hit) for hit in facts.hits],
            created_at=now,
        )
        .returning(Verdict.id)
    )
    comment.verdict_id = verdict_id
    if not sandbox.is_one(session, comment.site_id):
        db.once_committed(session, partial(_count, ruling))
    flagged = reading.count_flags(session, [comment.id])[comment.id]
    comment.priority = round(ruling.priority + policy.urgency(flagged), 4)
    because = ruling.reasons[0].code.value if ruling.reasons else None
    observed = in_force.observe and ruling.action is not policy.Action.APPROVE
    to = State.APPROVED if observed else decisions.BECOMES[ruling.action]
    session.flush()  # the guarded move reads the row
    if not _machine_may_move(session, comment, to):
        if to is not comment.state:
            _tell(session, comment, ruling, now=now)
        return
    decisions.move(
        session,
        comment,
        revision=comment.revision,
        to=to,
        actor=MACHINE,
        reason=OBSERVED if observed else because,
        verdict_id=verdict_id,
        now=now,
    )


def _count(ruling: Ruling) -> None:
    metrics.verdicts.labels(ruling.action.value).inc()
    for code in {because.code.value for because in ruling.reasons}:
        metrics.verdict_reasons.labels(code).inc()


def _tell(session: Session, comment: Comment, ruling: Ruling, *, now: datetime) -> None:
    """A verdict that moves nothing is an event all the same."""
    feed.append(
        session,
        comment.site_id,
        EventKind.FLAG,
        article_id=comment.article_id,
        comment_id=comment.id,
        body={
            "verdict": ruling.action.value,
            "state": comment.state.value,
            "revision": comment.revision,
        },
        now=now,
    )


def _machine_may_move(session: Session, comment: Comment, to: State) -> bool:
    """A first verdict moves; a later one only takes down what was published unjudged."""
    if decisions.belongs_to_a_person(session, comment.id, revision=comment.revision):
        return False
    if comment.state is State.RECEIVED:
        return True
    return to is not State.APPROVED and _was_published_unjudged(session, comment)


def _was_published_unjudged(session: Session, comment: Comment) -> bool:
    if comment.state is not State.APPROVED:
        return False
    last = decisions.latest(session, comment.id)
    return last is not None and last.reason == Reason.MODEL_UNAVAILABLE


def _still_there(session: Session, task: Task) -> Comment | None:
    comment = session.get(Comment, task.comment_id, populate_existing=True, with_for_update=True)
    if comment is None or comment.revision != task.revision or comment.state not in JUDGED:
        return None
    return comment


def _article_moved_on(session: Session, comment: Comment, task: Task) -> bool:
    article = session.get_one(Article, comment.article_id, populate_existing=True)
    return articles.get_revision(session, article).id != task.article_revision_id


def _comes_later(
    session: Session, comment: Comment, revision: CommentRevision, *, now: datetime
) -> bool:
    """Whether a sandbox's text asks for its verdict later; then the comment is left to the worker."""
    later = sandbox.not_before(session, comment, revision)
    if later is None or later <= now:
        return False
    comment.score_after, comment.lease_until, comment.lease_owner = later, None, None
    return True


def _rest(comment: Comment) -> None:
    comment.score_after = comment.lease_until = comment.lease_owner = None
    comment.attempts = 0


def _facts(
    session: Session,
    comment: Comment,
    revision: CommentRevision,
    in_force: Policy,
    *,
    quoted: Sequence[Span] = (),
    now: datetime,
) -> Facts:
    """What is known beside the scores; the comment takes its place among those that are alike."""
    clusters.place(session, comment, revision, quoted=quoted, now=now)
    rules = versions.in_force(session, comment.site_id)
    hits = history.apply(session, rules.matcher, comment, revision)
    return gather(
        session, comment, revision, in_force, hits=hits, rules_version=rules.version, now=now
    )


def _reason_row(because: Because) -> dict[str, Any]:
    row: dict[str, Any] = {"code": because.code.value}
    if because.rule is not None:
        row |= {"rule": because.rule, "name": because.name}
    if because.score is not None and because.threshold is not None:
        row |= {"score": round(because.score, 4), "threshold": round(because.threshold, 4)}
    return row | {"evidence": _spans(because.evidence)}


def _hit_row(hit: Hit) -> dict[str, Any]:
    row: dict[str, Any] = {"rule": hit.rule, "name": hit.name, "action": hit.action.value}
    row |= {"urgent": hit.urgent, "shadow": hit.shadow, "evidence": _spans(hit.evidence)}
    return row | ({"about": dict(hit.about)} if hit.about else {})


def _spans(spans: Sequence[Span]) -> list[dict[str, int]]:
    return [{"start": span.start, "end": span.end} for span in spans]
