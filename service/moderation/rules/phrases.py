"""Phrases: thousands of words and phrases found in one walk over a folded text. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.moderation.rules.folding import Folded, words
from service.moderation.scores import Span

# Between two words of a phrase: a comma and a space, a line's end; not a paragraph's.
WIDEST_GAP = 4
# A word may be read in several ways; this many are followed at once, so that time stays linear.
MOST_WAYS = 64
# A rule that applies a thousand times is shown with its first places.
MOST_SPANS = 20


@dataclass(kw_only=True)
class _Node:
    """Where a walk stands after some words of a phrase; `ends` are the owners of those that end here."""

    next: dict[str, "_Node"] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)


class PhraseIndex:
    """Phrases, each with a number of its owner."""

    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        self._root = _Node()
        for owner, phrase in phrases:
            node = self._root
            for word in words(phrase):
                node = node.next.setdefault(word, _Node())
            if node is not self._root and owner not in node.ends:
                node.ends.append(owner)

    def find(self, text: Folded) -> Mapping[int, tuple[Span, ...]]:
        """Owner → where its phrases stand, whole words only, in code points of the text as stored."""
        found: dict[int, list[Span]] = {}
        if not self._root.next:
            return {}
        for unit in text.units:
            begins = unit.text in self._root.next
            if begins or unit.first in text.readings:
                self._walk(text, unit.first, found)
        return {owner: tuple(spans) for owner, spans in found.items()}

    def _walk(self, text: Folded, first: int, found: dict[int, list[Span]]) -> None:
        """Follow every phrase that begins at a unit, in every way its words can be read."""
        # Unit to come, start and end so far in the folded text, node.
        ways: list[tuple[int, int, int, _Node]] = [(first, -1, -1, self._root)]
        while ways:
            longer: list[tuple[int, int, int, _Node]] = []
            for at, start, end, node in ways:
                if at >= len(text.units):
                    continue
                for word in (text.units[at], *text.readings.get(at, ())):
                    further = node.next.get(word.text)
                    if further is None or (end >= 0 and word.start - end > WIDEST_GAP):
                        continue
                    begun = word.start if start < 0 else start
                    for owner in further.ends:
                        _note(found, owner, text.span(begun, word.end))
                    longer.append((word.after, begun, word.end, further))
            ways = longer[:MOST_WAYS]


def _note(found: dict[int, list[Span]], owner: int, span: Span) -> None:
    spans = found.setdefault(owner, [])
    if len(spans) < MOST_SPANS and span not in spans:
        spans.append(span)
