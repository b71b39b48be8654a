"""Explanation: the words of a sentence that carry a score, found by covering them and by showing them alone.

Of two insults in a sentence, covering one leaves the other and changes little; shown alone, each speaks for itself. The
mean of both effects is the first and the last term of a word's Shapley value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.inference import Classifier, Comment
from models.labels import HEADS
from models.text import WORD, Span

# A longer sentence is explained by its beginning: every word costs two passes over it.
MOST_WORDS = 60
LONGEST = 600
MOST_SHOWN = 8
# Shown are words that matter at least this much of what the weightiest does.
SHARE_OF_STRONGEST = 0.25


@dataclass(frozen=True)
class Word:
    """A word, and how far it moves the score's logit."""

    span: Span
    weight: float


@dataclass(frozen=True)
class Explanation:
    """The sentence that speaks most for a score, and its weightiest words in order of the text."""

    label: str
    sentence: Span
    words: tuple[Word, ...]


def explain(
    classifier: Classifier, comment: Comment, labels: Sequence[str]
) -> tuple[Explanation, ...]:
    """Why each label scored as it did; nothing for one that no sentence carries (relevance, insight, echo)."""
    [scored] = classifier.predict([comment])
    found = [
        _carried(classifier, comment, label, scored.evidence[label][0])
        for label in labels
        if scored.evidence.get(label)
    ]
    return tuple(found)


def _carried(classifier: Classifier, comment: Comment, label: str, sentence: Span) -> Explanation:
    end = min(sentence.end, sentence.start + LONGEST)
    text = comment.text[sentence.start : end]
    spans = [Span(m.start(), m.end()) for m in WORD.finditer(text)][:MOST_WORDS]
    covered = [_covered(text, span) for span in spans]
    alone = [text[span.start : span.end] for span in spans]
    logits = classifier.logits(
        [Comment(text=each, author=comment.author) for each in (text, "", *covered, *alone)]
    )[:, HEADS.index(label)]
    whole, nothing = logits[:2]
    without, only = logits[2 : 2 + len(spans)], logits[2 + len(spans) :]
    moves = [float(move) for move in ((whole - without) + (only - nothing)) / 2]
    least = SHARE_OF_STRONGEST * max(moves, default=0.0)
    weighty = sorted((i for i, move in enumerate(moves) if move > 0), key=lambda i: -moves[i])
    shown = sorted(i for i in weighty[:MOST_SHOWN] if moves[i] >= least)
    return Explanation(
        label=label,
        sentence=sentence,
        words=tuple(
            Word(
                Span(sentence.start + spans[i].start, sentence.start + spans[i].end),
                round(moves[i], 4),
            )
            for i in shown
        ),
    )


def _covered(text: str, span: Span) -> str:
    return text[: span.start] + " " * (span.end - span.start) + text[span.end :]
