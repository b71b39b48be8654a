"""Reading: a comment as every door shows it, with its latest scores and verdict."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from service.errors import NotFound
from service.moderation import scores
from service.moderation.actor import MACHINE, Actor, sees_article
from service.moderation.policy import Because, Reason, RuleAction
from service.moderation.scores import Answer, Span
from service.storage.flags import Flag
from service.storage.tables import (
    Article,
    ArticleRevision,
    Comment,
    CommentRevision,
    Decision,
    Score,
    State,
    Verdict,
)

Parent = aliased(Comment)


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The words of the article that a comment answers or repeats."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class View:
    """A comment with all that is known of its present revision."""

    row_id: int
    id: str
    article_id: str
    article_title: str
    parent_id: str | None
    state: State
    revision: int
    body: str
    author_name: str
    author_url: str | None
    posted_at: datetime
    priority: float
    claim_person_id: int | None
    claim_key_id: int | None
    claim_until: datetime | None
    flags: int
    answer: Answer | None
    passage: Passage | None
    verdict: Verdict | None

    @property
    def reasons(self) -> tuple[Because, ...]:
        """Why the verdict holds or rejects it."""
        return tuple(_because(row) for row in self.verdict.reasons) if self.verdict else ()

    @property
    def rule_flags(self) -> tuple[Because, ...]:
        """The rules that flag it, which holds nothing."""
        rows = (self.verdict.hits or []) if self.verdict else []
        return tuple(
            _because({"code": Reason.RULE, **row})
            for row in rows
            if row["action"] == RuleAction.FLAG and not row["shadow"]
        )


def statement(site_id: int, *, actor: Actor = MACHINE) -> Select[Any]:
    """The comments of a site that an actor sees, with everything a view needs; callers add what they look for."""
    found: Select[Any] = (
        select(  # type: ignore[assignment] # nobody wants to spell this tuple twice
            Comment,
            CommentRevision,
            Article.public_id,
            # Not the article's words and vectors: they would come again with every comment.
            ArticleRevision.id,
            ArticleRevision.title,
            Score,
            Verdict,
            Parent.public_id,
        )
        .join(
            CommentRevision,
            (CommentRevision.comment_id == Comment.id)
            & (CommentRevision.number == Comment.revision),
        )
        .join(Article, Article.id == Comment.article_id)
        .outerjoin(Score, Score.id == Comment.score_id)
        .outerjoin(Verdict, Verdict.id == Comment.verdict_id)
        # Offsets of a passage count the words of the revision that was scored.
        .join(
            ArticleRevision,
            (ArticleRevision.id == Score.article_revision_id)
            | (
                Score.id.is_(None)
                & (ArticleRevision.article_id == Article.id)
                & (ArticleRevision.number == Article.revision)
            ),
        )
        .outerjoin(Parent, Parent.id == Comment.parent_id)
        .where(Comment.site_id == site_id, sees_article(actor))
    )
    return found


def views(session: Session, found: Select[Any]) -> list[View]:
    """Run a statement made from `statement` and shape its rows."""
    rows = session.execute(found).all()
    texts = _texts(session, {row[3] for row in rows})
    flags = count_flags(session, [row[0].id for row in rows])
    return [_view(row, texts, flags) for row in rows]


def get(session: Session, site_id: int, public_id: str) -> View:
    """One comment; raises NotFound where the site has none of this id."""
    found = views(session, statement(site_id).where(Comment.public_id == public_id))
    if not found:
        raise NotFound("there is no such comment on this site")
    return found[0]


def list_by_ids(session: Session, site_id: int, public_ids: Sequence[str]) -> dict[str, View]:
    """Those of the comments that the site has, by their ids."""
    found = statement(site_id).where(Comment.public_id.in_(public_ids))
    return {view.id: view for view in views(session, found)} if public_ids else {}


def list_decisions(session: Session, view: View) -> Sequence[Decision]:
    """The record of one comment, oldest first."""
    return session.scalars(
        select(Decision).where(Decision.comment_id == view.row_id).order_by(Decision.id)
    ).all()


def count_flags(session: Session, row_ids: Sequence[int]) -> dict[int, int]:
    """How many readers have reported each of these comments."""
    asked = select(Flag.comment_id, func.count()).where(Flag.comment_id.in_(row_ids))
    found = session.execute(asked.group_by(Flag.comment_id)) if row_ids else ()
    return dict.fromkeys(row_ids, 0) | {row_id: count for row_id, count in found}


def _texts(session: Session, revision_ids: Collection[int]) -> dict[int, str]:
    """The words of articles, each once."""
    if not revision_ids:
        return {}
    asked = select(ArticleRevision.id, ArticleRevision.text)
    found = session.execute(asked.where(ArticleRevision.id.in_(revision_ids)))
    return {revision_id: text for revision_id, text in found}


def _because(row: dict[str, Any]) -> Because:
    return Because(
        code=Reason(row["code"]),
        score=row.get("score"),
        threshold=row.get("threshold"),
        evidence=tuple(Span(start=s["start"], end=s["end"]) for s in row.get("evidence", [])),
        rule=row.get("rule"),
        name=row.get("name"),
    )


def _view(row: Any, texts: Mapping[int, str], flags: Mapping[int, int]) -> View:
    comment, revision, article_id, read, title, score, verdict, parent_id = row
    answer = scores.from_json(score.model, score.answer) if score else None
    span = answer.passage if answer else None
    passage = (
        Passage(start=span.start, end=span.end, text=texts[read][span.start : span.end])
        if span
        else None
    )
    return View(
        row_id=comment.id,
        id=comment.public_id,
        article_id=article_id,
        article_title=title,
        parent_id=parent_id or comment.awaited_parent,
        state=comment.state,
        revision=comment.revision,
        body=revision.body,
        author_name=revision.author_name,
        author_url=revision.author_url,
        posted_at=comment.posted_at,
        priority=comment.priority,
        claim_person_id=comment.claim_person_id,
        claim_key_id=comment.claim_key_id,
        claim_until=comment.claim_until,
        flags=flags[comment.id],
        answer=answer,
        passage=passage,
        verdict=verdict,
    )
