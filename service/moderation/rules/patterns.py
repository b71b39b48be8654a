"""Patterns: a site's regular expressions, run by RE2 in time linear in the text, never by backtracking. Pure."""

from collections.abc import Sequence
from functools import lru_cache

import re2

from service.moderation.scores import Span

LONGEST = 500
# Steps of the compiled pattern. RE2 needs as much time as steps times characters where it must keep every
# way open, so this bounds the worst pattern there is.
LARGEST = 1000
MOST_SPANS = 20


@lru_cache(maxsize=2048)
def compiled(pattern: str) -> re2._Regexp:
    """The pattern, without regard to case; raises re2.error."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False  # it would write the pattern to stderr
    options.never_capture = True
    return re2.compile(pattern, options)


def trouble_of(pattern: str) -> str | None:
    """Why a pattern cannot be used, in a sentence; None when it can."""
    try:
        engine = compiled(pattern)
    except re2.error as error:
        [said, *_] = error.args
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return f"RE2 does not take this pattern: {reason}."
    if engine.programsize > LARGEST:
        return f"The pattern is too large: {engine.programsize} steps, {LARGEST} at most."
    if engine.search("") is not None:
        return "The pattern matches where nothing stands."
    return None


def size_of(pattern: str) -> int:
    """The steps of a pattern that is known to be in order."""
    return int(compiled(pattern).programsize)


def find(pattern: str, seen: str, at: Sequence[int]) -> tuple[Span, ...]:
    """Where a pattern matches the visible text `seen`, whose code points stood `at` these places."""
    spans: list[Span] = []
    for found in compiled(pattern).finditer(seen):
        if found.end() > found.start():
            spans.append(Span(start=at[found.start()], end=at[found.end() - 1] + 1))
        if len(spans) == MOST_SPANS:
            break
    return tuple(spans)
