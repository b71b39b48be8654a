"""Text: what cannot stand in any, whoever sends it, and where it may be cut."""

import re

import regex

# NUL is refused by PostgreSQL's text, a surrogate without its partner by every encoder.
UNFIT = re.compile("[\x00\ud800-\udfff]")
# What readers see as one character, be it a letter with its accents or a family of emoji.
CHARACTER = regex.compile(r"\X")


def cuts(text: str) -> frozenset[int]:
    """The offsets at which a text may be cut without splitting what readers see as one character."""
    return frozenset({0, *(found.end() for found in CHARACTER.finditer(text))})
