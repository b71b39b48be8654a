"""Explanation: the words of a sentence that carry a score, found by covering them one by one."""

from dataclasses import dataclass

from models.inference import Classifier, Comment
from models.labels import HEADS
from models.text import WORD, Span

# A sentence of more words is explained by its first ones; each costs a pass over the sentence.
MOST_WORDS = 80
MOST_SHOWN = 8
# Shown are words that matter at least this much of what the weightiest does.
SHARE_OF_STRONGEST = 0.25


@dataclass(frozen=True)
class Word:
    """A word, and how far the score's logit falls when nobody sees it."""

    span: Span
    weight: float


@dataclass(frozen=True)
class Explanation:
    """The sentence that speaks most for a score, and its weightiest words in order of the text."""

    label: str
    sentence: Span
    words: tuple[Word, ...]


def explain(classifier: Classifier, comment: Comment, label: str) -> Explanation | None:
    """Why `label` scored as it did; None for a score that no sentence carries (relevance, insight, echo)."""
    [scored] = classifier.predict([comment])
    sentences = scored.evidence.get(label)
    if not sentences:
        return None
    sentence = sentences[0]
    text = comment.text[sentence.start : sentence.end]
    spans = [Span(m.start(), m.end()) for m in WORD.finditer(text)][:MOST_WORDS]
    texts = [text, *(_covered(text, span) for span in spans)]
    logits = classifier.logits(
        [
            Comment(text=each, author_name=comment.author_name, author_url=comment.author_url)
            for each in texts
        ]
    )[:, HEADS.index(label)]
    falls = [float(logits[0] - logit) for logit in logits[1:]]
    least = SHARE_OF_STRONGEST * max(falls, default=0.0)
    weighty = sorted((i for i, fall in enumerate(falls) if fall > 0), key=lambda i: -falls[i])
    shown = sorted(i for i in weighty[:MOST_SHOWN] if falls[i] >= least)
    return Explanation(
        label=label,
        sentence=sentence,
        words=tuple(
            Word(
                Span(sentence.start + spans[i].start, sentence.start + spans[i].end),
                round(falls[i], 4),
            )
            for i in shown
        ),
    )


def _covered(text: str, span: Span) -> str:
    return text[: span.start] + " " * (span.end - span.start) + text[span.end :]
