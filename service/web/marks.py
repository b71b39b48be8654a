"""Marks: a text cut where its evidence and its repeated words begin and end."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.moderation.scores import Span


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of text, and what it is marked as: any of `evidence` and `repeat`, or nothing."""

    text: str
    marks: tuple[str, ...]


def cut(text: str, *, evidence: Iterable[Span], repeats: Iterable[Span]) -> list[Piece]:
    """The text in pieces; together they are the text."""
    kinds = (("evidence", _inside(evidence, text)), ("repeat", _inside(repeats, text)))
    edges = {0, len(text)}
    edges |= {edge for _, spans in kinds for span in spans for edge in (span.start, span.end)}
    ordered = sorted(edges)
    return [
        Piece(
            text=text[start:end],
            marks=tuple(
                kind
                for kind, spans in kinds
                if any(span.start <= start and end <= span.end for span in spans)
            ),
        )
        for start, end in itertools.pairwise(ordered)
    ]


def _inside(spans: Iterable[Span], text: str) -> Sequence[Span]:
    # A mark around everything says nothing.
    return [s for s in spans if 0 <= s.start < s.end <= len(text) and s.end - s.start < len(text)]
