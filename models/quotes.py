"""Quotes: the stretches of a comment that could stand under its author's name."""

from models.text import Span

# Shorter says little, longer is no quote.
LENGTH = (40, 240)
MOST_SENTENCES = 3


def candidates(text: str, sentences: list[Span]) -> list[Span]:
    """Every run of one to three whole sentences of a printable length, in order."""
    found = []
    for first in range(len(sentences)):
        for last in range(first, min(first + MOST_SENTENCES, len(sentences))):
            span = Span(sentences[first].start, sentences[last].end)
            if LENGTH[0] <= span.end - span.start <= LENGTH[1]:
                found.append(span)
    return found
