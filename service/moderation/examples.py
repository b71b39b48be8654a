"""Examples: what people decided and picked, as labelled texts that a model can learn from."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from service.moderation.actor import is_somebodys
from service.moderation.policy import Reason
from service.storage.tables import (
    Article,
    ArticleRevision,
    Comment,
    CommentRevision,
    Decision,
    Pick,
    PickState,
    Site,
    State,
)

Labels = dict[str, float]

# What a decision says, in the words of the models' taxonomy. A label that is not there is no negative: whoever
# rejects an insult has not said that it is no spam. What says nothing of the text teaches nothing.
APPROVED: Labels = {"spam": 0.0, "toxicity": 0.0, "incoherent": 0.0}
REJECTED: dict[str, Labels] = {
    Reason.SPAM: {"spam": 1.0},
    Reason.OFF_TOPIC: {"relevance": 0.0},
    Reason.ABUSIVE: {"toxicity": 1.0},
    Reason.THREAT: {"toxicity": 1.0, "threat": 1.0},
    Reason.HATEFUL: {"toxicity": 1.0, "identity_attack": 1.0},
    Reason.INCOHERENT: {"incoherent": 1.0},
}
PICKED: Labels = {"insight": 1.0, "relevance": 1.0}
# Where a comment's words may still be learnt from.
STANDING = (State.APPROVED, State.REJECTED, State.HELD)
AT_ONCE = 500

Parent, ParentRevision = aliased(Comment), aliased(CommentRevision)


def each(
    session: Session, *, site_id: int | None, since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """An example for each comment that a person or a site's key decided on or that an editor picked, oldest first.

    Only the present words of comments that are there, received from `since` on; reasons that say nothing of
    a text are passed over.
    """
    after = 0
    while ids := _next_ids(session, after, site_id=site_id, since=since):
        after = ids[-1]
        decided, picked = _decided(session, ids), _picked(session, ids)
        for comment_id, known in _described(session, ids):
            decision, spans = decided.get(comment_id), picked.get(comment_id)
            labels = {**_labels(decision), **(PICKED if spans is not None else {})}
            if labels:
                yield known | {"labels": labels, "picked": spans} | _record(decision)


def _next_ids(
    session: Session, after: int, *, site_id: int | None, since: datetime | None
) -> list[int]:
    decided = select(Decision.id).where(
        Decision.comment_id == Comment.id, Decision.revision == Comment.revision, is_somebodys()
    )
    picked = select(Pick.id).where(Pick.comment_id == Comment.id, _is_pick_of_present_words())
    found = select(Comment.id).where(
        Comment.id > after,
        Comment.state.in_(STANDING),
        # What test keys did says nothing of readers.
        Comment.site_id.in_(select(Site.id).where(Site.sandbox_of.is_(None))),
        or_(decided.exists(), picked.exists()),
    )
    if site_id is not None:
        found = found.where(Comment.site_id == site_id)
    if since is not None:
        found = found.where(Comment.created_at >= since)
    return list(session.scalars(found.order_by(Comment.id).limit(AT_ONCE)))


def _decided(session: Session, comment_ids: list[int]) -> dict[int, Decision]:
    """The last decision of somebody's on each comment's present words."""
    last = (
        select(func.max(Decision.id))
        .join(
            Comment, (Comment.id == Decision.comment_id) & (Comment.revision == Decision.revision)
        )
        .where(Decision.comment_id.in_(comment_ids), is_somebodys())
        .group_by(Decision.comment_id)
    )
    rows = session.scalars(select(Decision).where(Decision.id.in_(last)))
    return {row.comment_id: row for row in rows}


def _labels(decision: Decision | None) -> Labels:
    if decision is None:
        return {}
    if decision.now is State.APPROVED:
        return APPROVED
    if decision.now is not State.REJECTED or decision.reason is None:
        return {}
    return REJECTED.get(decision.reason, {})


def _record(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {"decided": None, "reason": None, "by": None, "decided_at": None}
    return {
        "decided": decision.now.value,
        "reason": decision.reason,
        "by": "person" if decision.person_id is not None else "key",
        "decided_at": decision.at.isoformat(),
    }


def _is_pick_of_present_words() -> ColumnElement[bool]:
    """An editor's choice of a reader's own thought; an echo that was featured knowingly teaches nothing."""
    return and_(
        Pick.revision == Comment.revision,
        Pick.state == PickState.CHOSEN,
        Pick.echo_acknowledged.is_(False),
    )


def _picked(session: Session, comment_ids: list[int]) -> dict[int, list[Any]]:
    """The stretches that an editor chose of the present words, by comment."""
    rows = session.execute(
        select(Pick.comment_id, Pick.spans)
        .join(Comment, Comment.id == Pick.comment_id)
        .where(Pick.comment_id.in_(comment_ids), _is_pick_of_present_words())
    )
    return {comment_id: spans for comment_id, spans in rows}


def _described(session: Session, comment_ids: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What the models are told of each comment; its author is not among it, nor what the law had removed."""
    removed = select(Decision.id).where(
        Decision.comment_id == Parent.id, Decision.reason == Reason.LEGAL
    )
    rows = session.execute(
        select(
            Comment.id,
            Comment.public_id,
            Site.slug,
            CommentRevision.body,
            CommentRevision.language,
            Article.public_id,
            ArticleRevision.title,
            ParentRevision.body,
        )
        .join(Site, Site.id == Comment.site_id)
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
        .outerjoin(
            Parent,
            and_(Parent.id == Comment.parent_id, Parent.state.in_(STANDING), ~removed.exists()),
        )
        .outerjoin(
            ParentRevision,
            (ParentRevision.comment_id == Parent.id) & (ParentRevision.number == Parent.revision),
        )
        .where(Comment.id.in_(comment_ids))
        .order_by(Comment.id)
    )
    for row_id, public_id, site, text, language, article_id, title, parent in rows:
        yield (
            row_id,
            {
                "id": public_id,
                "site": site,
                "text": text,
                "language": language,
                "article_id": article_id,
                "article_title": title,
                "parent_text": parent,
            },
        )
