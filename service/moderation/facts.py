"""Facts: what is known of a comment beside its scores, by the policy that asks; read-only."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.moderation import rates, trust
from service.moderation.policy import Facts, Hit, Policy
from service.storage.tables import Article, Comment, CommentRevision, Mode


def gather(
    session: Session,
    comment: Comment,
    revision: CommentRevision,
    in_force: Policy,
    *,
    hits: Sequence[Hit],
    rules_version: int,
    now: datetime,
) -> Facts:
    """How the article takes comments, who floods, what fell into the honeypot, and the rules that apply."""
    mode, section = session.execute(
        select(Article.mode, Article.section).where(Article.id == comment.article_id)
    ).one()
    after = in_force.trusted_after
    return Facts(
        length=len(revision.body),
        section=section,
        hold_all=mode is Mode.HOLD_ALL
        or (
            mode is Mode.TRUSTED_ONLY
            and not trust.is_trusted(session, comment, after=after, now=now)
        ),
        too_many=rates.are_exceeded(session, comment, in_force)
        and not trust.is_trusted(
            session,
            comment,
            after=after,
            posted_before=comment.posted_at - rates.NEW_FOR,
            now=now,
        ),
        honeypot=revision.honeypot,
        rules_version=rules_version,
        hits=tuple(hits),
    )
