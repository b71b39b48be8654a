"""Leases: until when a row is somebody's, by a clock that may be set back."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

# So far the clocks of two hosts may differ.
CLOCKS_DIFFER = timedelta(minutes=5)


def is_over(
    until: InstrumentedAttribute[datetime | None], now: datetime, *, lasts: timedelta
) -> ColumnElement[bool]:
    """Whether nobody holds the row: it was let go, the time ran out, or the clock has been set back since."""
    return or_(until.is_(None), until <= now, until > now + lasts + CLOCKS_DIFFER)


def is_due(
    at: InstrumentedAttribute[datetime | None], now: datetime, *, put_off: timedelta
) -> ColumnElement[bool]:
    """Whether the moment has come, or lies further ahead than anything is put off by this clock."""
    return or_(at <= now, at > now + put_off + CLOCKS_DIFFER)
