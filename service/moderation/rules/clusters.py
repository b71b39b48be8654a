"""Clusters: comments of a site that say almost the same, across authors and articles, kept as they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from service.moderation.rules import likeness
from service.moderation.scores import Span
from service.storage.db import serialize_feed
from service.storage.rule_tables import Likeness, LikenessBand
from service.storage.tables import Comment, CommentRevision, Score

# How long after the last comment of its kind another is still found to be alike.
REMEMBERED = timedelta(days=30)
# Comments that share bands are compared, those that share most of them first.
MOST_COMPARED = 20
FORGOTTEN = 200


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Comments that are alike: how many, by how many authors, from when to when."""

    id: int
    count: int
    authors: int
    first: datetime
    last: datetime


def place(
    session: Session,
    comment: Comment,
    revision: CommentRevision,
    *,
    quoted: Sequence[Span] = (),
    now: datetime,
) -> None:
    """Put a comment's present words among those that are alike.

    `quoted` are stretches that it repeats from the article or its parent: who quotes the same is not alike.
    """
    forget(session, comment.id)
    at = revision.created_at
    found = _pairs(revision.body, quoted)
    bands = likeness.bands(found)
    # Two alike that come at once would not see each other; the decision takes this lock anyway.
    serialize_feed(session, comment.site_id)
    _sweep(session, comment.site_id, now=now)
    alike = _alike(session, comment, found, bands, at)
    clusters = sorted({row.cluster for row in alike if row.cluster is not None})
    cluster = clusters[0] if clusters else (alike[0].comment_id if alike else None)
    if cluster is not None:
        _join(session, comment.site_id, cluster, alike, clusters)
    session.execute(
        insert(Likeness).values(
            comment_id=comment.id,
            site_id=comment.site_id,
            fingerprint=likeness.fingerprint(revision.body),
            cluster=cluster,
            at=at,
        )
    )
    if bands:
        rows = [
            {"site_id": comment.site_id, "band": band, "comment_id": comment.id, "at": at}
            for band in set(bands)
        ]
        session.execute(insert(LikenessBand), rows)


def forget(session: Session, comment_id: int) -> None:
    """Take a comment's words out of the index; whoever erases a comment calls it."""
    session.execute(delete(LikenessBand).where(LikenessBand.comment_id == comment_id))
    session.execute(delete(Likeness).where(Likeness.comment_id == comment_id))


def find(session: Session, comment_id: int) -> Cluster | None:
    """The cluster a comment belongs to; None for one like no other."""
    author = case((Comment.author_id.is_(None), -Comment.id), else_=Comment.author_id)
    own = select(Likeness.site_id, Likeness.cluster).where(Likeness.comment_id == comment_id).cte()
    row = session.execute(
        select(
            Likeness.cluster,
            func.count(),
            func.count(author.distinct()),
            func.min(Likeness.at),
            func.max(Likeness.at),
        )
        .join(own, (own.c.site_id == Likeness.site_id) & (own.c.cluster == Likeness.cluster))
        .join(Comment, Comment.id == Likeness.comment_id)
        .group_by(Likeness.cluster)
    ).first()
    if row is None or row[0] is None:
        return None
    return Cluster(id=row[0], count=row[1], authors=row[2], first=row[3], last=row[4])


def _sweep(session: Session, site_id: int, *, now: datetime) -> None:
    """Drop some of the bands that can find nothing any more: more than a comment brings."""
    past = (LikenessBand.site_id == site_id, LikenessBand.at < now - REMEMBERED)
    old = select(LikenessBand.comment_id).where(*past).order_by(LikenessBand.at).limit(FORGOTTEN)
    session.execute(
        delete(LikenessBand)
        .where(*past, LikenessBand.comment_id.in_(old.scalar_subquery()))
        .execution_options(synchronize_session=False)
    )


def _alike(
    session: Session, comment: Comment, found: frozenset[str], bands: list[int], at: datetime
) -> list[Likeness]:
    """The comments of the index that are alike for sure, the likest first."""
    if not bands:
        return []
    near = (
        select(LikenessBand.comment_id)
        .where(
            LikenessBand.site_id == comment.site_id,
            LikenessBand.band.in_(bands),
            LikenessBand.at >= at - REMEMBERED,
        )
        .group_by(LikenessBand.comment_id)
        .order_by(func.count().desc(), LikenessBand.comment_id.desc())
        .limit(MOST_COMPARED)
    )
    rows = session.execute(
        select(Likeness, CommentRevision.body, Score.answer)
        .join(Comment, Comment.id == Likeness.comment_id)
        .join(
            CommentRevision,
            (CommentRevision.comment_id == Comment.id)
            & (CommentRevision.number == Comment.revision),
        )
        .outerjoin(Score, Score.id == Comment.score_id)
        .where(Likeness.comment_id.in_(near.scalar_subquery()))
    )
    compared = [
        (likeness.similarity(found, _pairs(body, _quoted(answer))), row)
        for row, body, answer in rows
    ]
    compared.sort(key=lambda pair: (-pair[0], pair[1].comment_id))
    return [row for share, row in compared if share >= likeness.ALIKE]


def _join(
    session: Session, site_id: int, cluster: int, alike: list[Likeness], clusters: list[int]
) -> None:
    """Let those that were alone, and the clusters that turn out to be one, be of this cluster."""
    alone = [row.comment_id for row in alike if row.cluster is None]
    change = update(Likeness).values(cluster=cluster).execution_options(synchronize_session=False)
    if alone:
        session.execute(change.where(Likeness.comment_id.in_(alone)))
    if len(clusters) > 1:
        others = clusters[1:]
        session.execute(change.where(Likeness.site_id == site_id, Likeness.cluster.in_(others)))


def _pairs(text: str, quoted: Sequence[Span]) -> frozenset[str]:
    return likeness.pairs(likeness.words_of_weight(_without(text, quoted)))


def _quoted(answer: dict[str, Any] | None) -> list[Span]:
    """What a comment that was judged before repeats from the article or its parent."""
    return [Span(start=r[0], end=r[1]) for r in answer["repeats"]] if answer else []


def _without(text: str, quoted: Sequence[Span]) -> str:
    """A text without these stretches."""
    kept, at = [], 0
    for span in sorted(quoted, key=lambda s: s.start):
        kept.append(text[at : max(at, span.start)])
        at = max(at, span.end)
    return "".join([*kept, text[at:]])
