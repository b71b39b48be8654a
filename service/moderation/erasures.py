"""Erasures: a comment's words and person gone for good, with all that was made of them; and the record of it."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from service.errors import Invalid
from service.moderation import decisions
from service.moderation.actor import MACHINE, Actor
from service.moderation.rules import clusters
from service.storage.db import leave_no_trace
from service.storage.flags import Flag
from service.storage.limit_tables import Arrival
from service.storage.privacy_tables import AuthorEmail, Erasure
from service.storage.tables import (
    Author,
    Comment,
    CommentRevision,
    Decision,
    Note,
    Pick,
    Score,
    Site,
    State,
    Verdict,
)

# What a decision and an event say of it, when somebody asked for it and when the site keeps things so long.
ON_REQUEST, RETENTION = "erased", "retention"


def erase(
    session: Session, row_ids: Sequence[int], *, actor: Actor, because: str, now: datetime
) -> int:
    """Erase comments; returns how many were not erased before.

    A tombstone stays of each: its id, its place in the thread, and a record of states.
    """
    found = session.scalars(
        select(Comment)
        .where(Comment.id.in_(row_ids), Comment.state != State.ERASED)
        .order_by(Comment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not found:
        return 0
    for comment in found:
        decisions.move(
            session,
            comment,
            revision=comment.revision,
            to=State.ERASED,
            actor=actor,
            reason=because,
            now=now,
        )
    _empty(session, [comment.id for comment in found])
    author_ids = {comment.author_id for comment in found if comment.author_id is not None}
    for comment in found:
        comment.author_id = comment.url = comment.reactions = None
        comment.score_id = comment.verdict_id = None
        comment.score_after = comment.lease_until = comment.lease_owner = None
        comment.priority = 0.0
    session.flush()  # an author is nobody's any more when the rows say so
    forget_authors(session, author_ids)
    session.execute(
        insert(Erasure),
        [{"site_id": c.site_id, "public_id": c.public_id, "at": now} for c in found],
    )
    leave_no_trace(session)
    return len(found)


def forget_authors(session: Session, author_ids: Iterable[int]) -> None:
    """Delete those of the authors who have no comment any more."""
    theirs = select(Comment.id).where(Comment.author_id == Author.id)
    alone = select(Author.id).where(Author.id.in_(author_ids), ~theirs.exists())
    gone = session.scalars(alone.with_for_update()).all()
    session.execute(delete(AuthorEmail).where(AuthorEmail.author_id.in_(gone)))
    session.execute(
        delete(Author).where(Author.id.in_(gone)).execution_options(synchronize_session=False)
    )
    leave_no_trace(session)


def forget_reporter(session: Session, site_id: int, reporter: str, *, now: datetime) -> int:
    """Make a reader's reports nobody's, and take their words; how many readers reported a comment stays true.

    `reporter` is the keyed hash that flags have. Returns how many reports there were.
    """
    of_site = select(Comment.id).where(Comment.site_id == site_id)
    reports = session.scalars(
        select(Flag.id).where(Flag.reporter == reporter, Flag.comment_id.in_(of_site))
    ).all()
    if not reports:
        return 0
    nobody = [{"id": row_id, "reporter": secrets.token_hex(32), "note": None} for row_id in reports]
    session.execute(update(Flag), nobody)
    again = (
        update(Erasure)
        .where(Erasure.site_id == site_id, Erasure.reporter == reporter)
        .values(at=now)
        .returning(Erasure.id)
    )
    if session.scalar(again.execution_options(synchronize_session=False)) is None:
        session.execute(insert(Erasure).values(site_id=site_id, reporter=reporter, at=now))
    leave_no_trace(session)
    return len(reports)


def is_recorded(session: Session, site_id: int, public_id: str) -> bool:
    """Whether a comment of this id was erased, be it from this database or from one that was lost."""
    found = select(Erasure.id).where(Erasure.site_id == site_id, Erasure.public_id == public_id)
    return session.scalar(found) is not None


def listed(session: Session, *, since: datetime | None) -> list[dict[str, object]]:
    """The record of erasures from a moment on, oldest first, ready for JSON: what `reapply` takes."""
    statement = select(Site.slug, Erasure).join(Site, Site.id == Erasure.site_id)
    if since is not None:
        statement = statement.where(Erasure.at >= since)
    return [
        {
            "site": site,
            "comment_id": row.public_id,
            "reporter": row.reporter,
            "at": row.at.isoformat(),
        }
        for site, row in session.execute(statement.order_by(Erasure.id))
    ]


def reapply(session: Session, rows: Iterable[Mapping[str, object]]) -> int:
    """Erase again, after an older backup was restored, what `listed` names; returns how many comments it erased.

    What the backup does not have is recorded all the same, so that it is not taken in again. Doing it
    twice changes nothing; a site that is not here is passed over. Raises Invalid for what is no such row.
    """
    sites = {slug: site_id for slug, site_id in session.execute(select(Site.slug, Site.id))}
    erased = 0
    for row in rows:
        try:
            at = datetime.fromisoformat(str(row["at"]))
            site_id = sites.get(str(row["site"]))
            public_id, reporter = row["comment_id"], row["reporter"]
        except (KeyError, ValueError) as error:
            raise Invalid("this is no row of a record of erasures") from error
        if site_id is None:
            continue
        if isinstance(public_id, str):
            erased += _erase_again(session, site_id, public_id, at=at)
        if isinstance(reporter, str):
            forget_reporter(session, site_id, reporter, now=at)
    return erased


def _erase_again(session: Session, site_id: int, public_id: str, *, at: datetime) -> int:
    if is_recorded(session, site_id, public_id):
        return 0
    row_id = session.scalar(
        select(Comment.id).where(Comment.site_id == site_id, Comment.public_id == public_id)
    )
    if row_id is not None:
        return erase(session, [row_id], actor=MACHINE, because=ON_REQUEST, now=at)
    session.execute(insert(Erasure).values(site_id=site_id, public_id=public_id, at=at))
    return 0


def _empty(session: Session, comment_ids: Sequence[int]) -> None:
    """Take the words, and all that was made of them, from the rows around these comments."""
    revisions = select(CommentRevision.id).where(CommentRevision.comment_id.in_(comment_ids))
    verdicts = session.execute(
        select(Verdict.id, Verdict.reasons).where(Verdict.comment_revision_id.in_(revisions))
    ).all()
    if verdicts:
        bare = [
            {
                "id": row_id,
                "reasons": [{"code": reason["code"], "evidence": []} for reason in reasons],
                "hits": [],
                "score_id": None,
            }
            for row_id, reasons in verdicts
        ]
        session.execute(update(Verdict), bare)
    no_words = {"body": "", "author_name": "", "author_url": None, "author_email_domain": None}
    no_quote: dict[str, object] = {"quote": "", "author_name": "", "note": None, "spans": []}
    decided = select(Decision.id).where(Decision.comment_id.in_(comment_ids))
    for statement in (
        delete(Score).where(Score.comment_revision_id.in_(revisions)),
        update(CommentRevision)
        .where(CommentRevision.comment_id.in_(comment_ids))
        .values(**no_words, language=None, honeypot=False, fingerprint=""),
        delete(Flag).where(Flag.comment_id.in_(comment_ids)),
        delete(Note).where(Note.decision_id.in_(decided)),
        update(Pick).where(Pick.comment_id.in_(comment_ids)).values(**no_quote),
        delete(Arrival).where(Arrival.comment_id.in_(comment_ids)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    for comment_id in comment_ids:
        clusters.forget(session, comment_id)
