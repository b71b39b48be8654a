"""Rates: whether a comment's author, or the address it came from, sent more than their share before it."""

import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from service.moderation.people import keyed_hash
from service.moderation.policy import Policy, Rate
from service.storage.limit_tables import Arrival
from service.storage.tables import Comment

# A comment that is older than this when it arrives was taken over from elsewhere: nobody floods with it.
NEW_FOR = timedelta(days=1)
# No window of a policy is longer.
KEPT = timedelta(days=1)
SWEPT = 200
# Whoever has one address of IPv6 has all of its network.
IPV6_NETWORK = 64


def hashed_address(ip: str, *, secret: str) -> str | None:
    """An address as it is kept, keyed; None for what is none. Of IPv6 the network counts."""
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        network = ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False)
        return keyed_hash(f"address:{mapped or network}", secret=secret)
    return keyed_hash(f"address:{address}", secret=secret)


def note(session: Session, comment: Comment, *, address: str, now: datetime) -> None:
    """Keep for a day from which address a comment came."""
    sweep(session, now=now)
    if _is_new(comment):
        at = min(comment.posted_at, now)
        session.execute(
            insert(Arrival).values(
                comment_id=comment.id, site_id=comment.site_id, address=address, at=at
            )
        )


def sweep(session: Session, *, now: datetime) -> bool:
    """Drop some of the rows that no window reaches any more: more than a comment brings. True if there may be more."""
    old = select(Arrival.comment_id).where(Arrival.at < now - KEPT).limit(SWEPT)
    swept = session.scalars(
        delete(Arrival)
        .where(Arrival.comment_id.in_(old.scalar_subquery()))
        .returning(Arrival.comment_id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(swept) == SWEPT


def are_exceeded(session: Session, comment: Comment, in_force: Policy) -> bool:
    """Whether as many as the policy allows came before this comment, from its author or address."""
    if not _is_new(comment):
        return False
    by_author = in_force.author_rate is not None and _author_sent(
        session, comment, in_force.author_rate
    )
    return by_author or (
        in_force.address_rate is not None and _address_sent(session, comment, in_force.address_rate)
    )


def _author_sent(session: Session, comment: Comment, rate: Rate) -> bool:
    if comment.author_id is None:
        return False
    since = comment.posted_at - timedelta(minutes=rate.minutes)
    before = select(Comment.id).where(
        Comment.author_id == comment.author_id,
        Comment.posted_at > since,
        Comment.posted_at <= comment.posted_at,
        Comment.id < comment.id,
    )
    # Not counted to the end: of a flood it is enough to know that there are so many.
    return session.scalar(before.offset(rate.comments - 1).limit(1)) is not None


def _address_sent(session: Session, comment: Comment, rate: Rate) -> bool:
    own = session.get(Arrival, comment.id)
    if own is None:
        return False
    before = select(Arrival.comment_id).where(
        Arrival.site_id == own.site_id,
        Arrival.address == own.address,
        Arrival.at > own.at - timedelta(minutes=rate.minutes),
        Arrival.at <= own.at,
        Arrival.comment_id < own.comment_id,
    )
    return session.scalar(before.offset(rate.comments - 1).limit(1)) is not None


def _is_new(comment: Comment) -> bool:
    return comment.posted_at > comment.created_at - NEW_FOR
