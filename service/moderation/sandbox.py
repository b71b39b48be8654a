"""Sandbox: the site beside a site on which its test keys act, and the texts whose verdicts are certain there."""

import re
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.moderation import sites
from service.moderation.policy import JUDGED_BY, Action, Because, Reason, Ruling
from service.moderation.rules import versions
from service.moderation.scores import Span
from service.storage.tables import Comment, CommentRevision, Site

FIXED = re.compile(
    r"postbag test: (?:(?P<free>approve|later)|(?P<action>hold|reject) (?P<reason>[a-z_]+))"
)
# The verdict on `later` comes when whoever posted it has long been answered.
LATER = timedelta(seconds=12)
# What a reason that rests on a score says of it.
SCORE, THRESHOLD = 0.99, 0.5


def find(session: Session, site_id: int) -> Site | None:
    """A site's sandbox; None before the first test key."""
    return session.scalar(select(Site).where(Site.sandbox_of == site_id))


def open_for(session: Session, site: Site, *, now: datetime) -> Site:
    """The site's sandbox; a new one begins with the site's policy and rules, and goes its own way."""
    found = find(session, site.id)
    if found is not None:
        return found
    sandbox = Site(
        # No site that somebody names can be called so.
        slug=f"~{site.id}",
        name=site.name,
        timezone=site.timezone,
        sandbox_of=site.id,
        created_at=now,
    )
    session.add(sandbox)
    session.flush()  # policy and rules need the sandbox's id
    sites.set_policy(session, sandbox.id, sites.get_policy(session, site.id).to_body(), now=now)
    rules = versions.get(session, site.id)
    if rules.version:
        versions.put(session, sandbox.id, rules.book, seen=0, now=now)
    return sandbox


def is_one(session: Session, site_id: int) -> bool:
    """Whether a site is another's sandbox."""
    return session.get_one(Site, site_id).sandbox_of is not None


def find_ruling(session: Session, comment: Comment, revision: CommentRevision) -> Ruling | None:
    """The verdict that is certain for this text in a sandbox; None for other texts, and on every other site."""
    fixed = FIXED.fullmatch(revision.body.strip())
    if fixed is None or not is_one(session, comment.site_id):
        return None
    if fixed["free"]:
        return Ruling(action=Action.APPROVE, reasons=(), not_judged=(), priority=0.0)
    # A rule has a name, and a text cannot say which.
    if fixed["reason"] not in {*Reason} - {Reason.RULE}:
        return None
    code = Reason(fixed["reason"])
    has_score = code in JUDGED_BY
    because = Because(
        code=code,
        score=SCORE if has_score else None,
        threshold=THRESHOLD if has_score else None,
        evidence=(Span(start=0, end=len(revision.body)),) if has_score else (),
    )
    held = fixed["action"] == "hold"
    return Ruling(
        action=Action.HOLD if held else Action.REJECT,
        reasons=(because,),
        not_judged=(),
        priority=1.0 if held else 0.0,
    )


def not_before(session: Session, comment: Comment, revision: CommentRevision) -> datetime | None:
    """When the verdict on a text that asks for a late one may come; None for all others."""
    fixed = FIXED.fullmatch(revision.body.strip())
    if fixed is None or fixed["free"] != "later" or not is_one(session, comment.site_id):
        return None
    return revision.created_at + LATER
