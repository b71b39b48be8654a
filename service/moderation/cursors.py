"""Cursors: where a reader of a list that is numbered stands."""

from service.errors import Invalid

LONGEST = 18


def parse(cursor: str, *, of: str) -> int:
    """The number that a cursor stands for; raises Invalid for what the list named by `of` never gave."""
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > LONGEST:
        raise Invalid(f"this cursor did not come from this {of}", code="invalid_cursor")
    return int(cursor)
