"""Relevance: a comment against the passages of its article."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import sigmoid
from models.echo import Source, split_words
from models.encoder import WIDTH, Encoder, unit
from models.labels import RELEVANCE_LABELS
from models.text import Span, normalise, sentences

Array = NDArray[np.float32]

# A passage is about what a comment answers: some sentences, not a chapter.
PASSAGE_WORDS = 45
# Beyond this an article is read no further: 1,500 passages are a short book.
MOST_PASSAGES = 1500
FEATURES = ("best", "heading", "mean_sentence", "overlap", "short")
# From so many content words on, a comment says enough for its likeness to count in full.
ENOUGH_WORDS = 12
# Words this short are mostly grammar.
CONTENT_WORD = 4


@dataclass(frozen=True)
class Article:
    """An article as it is known: any of the three may be empty."""

    title: str
    description: str
    text: str

    @property
    def is_empty(self) -> bool:
        return not (self.title.strip() or self.description.strip() or self.text.strip())


@dataclass(frozen=True)
class Passages:
    """An article, read: unit vectors (n, 384) of its passages, and its words for echoes.

    Spans point into the article's text; title and description have none.
    """

    model: str
    article: Article
    spans: list[Span | None]
    vectors: Array
    source: Source

    def to_bytes(self) -> bytes:
        """For storage beside the article: a line of JSON, then half-precision vectors."""
        spans = [None if span is None else [span.start, span.end] for span in self.spans]
        head = json.dumps({"model": self.model, "spans": spans})
        return head.encode() + b"\n" + self.vectors.astype(np.float16).tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes, article: Article) -> "Passages":
        """What `to_bytes` gave, with the article it was made from."""
        head, _, body = stored.partition(b"\n")
        kept = json.loads(head)
        vectors = np.frombuffer(body, dtype=np.float16).astype(np.float32)
        return cls(
            model=kept["model"],
            article=article,
            spans=[None if span is None else Span(*span) for span in kept["spans"]],
            vectors=vectors.reshape(len(kept["spans"]), -1),
            source=Source(article.text, "article"),
        )


def split_passages(article: Article) -> list[tuple[str, Span | None]]:
    """The heading, title and description also each by itself, then the text in groups of whole sentences."""
    heading = [part for part in (article.title, article.description) if part.strip()]
    parts = [". ".join(heading), *heading] if len(heading) > 1 else heading
    passages: list[tuple[str, Span | None]] = [(part, None) for part in parts]
    start, words = None, 0
    for sentence in sentences(article.text):
        start = sentence.start if start is None else start
        words += len(article.text[sentence.start : sentence.end].split())
        if words >= PASSAGE_WORDS:
            passages.append((article.text[start : sentence.end], Span(start, sentence.end)))
            start, words = None, 0
    if start is not None:
        passages.append((article.text[start:], Span(start, len(article.text.rstrip()))))
    return passages[:MOST_PASSAGES]


@dataclass(frozen=True)
class Likeness:
    """A linear reading of pooled tokens (768,) as a vector to compare: weights (384, 768), offsets (384,).

    Fine-tuning bends the encoder's own mean towards manner; this reads out what texts are about.
    """

    weights: Array
    offsets: Array

    def __call__(self, pooled: Array) -> Array:
        """A unit vector; zeros for a text without words."""
        if not pooled.any():
            return np.zeros(len(self.offsets), dtype=np.float32)
        return unit(self.weights @ pooled + self.offsets)


def read_article(encoder: Encoder, likeness: Likeness, article: Article, *, model: str) -> Passages:
    """An article as comments are compared with it."""
    parts = split_passages(article)
    encoded = encoder.encode([normalise(text) for text, _ in parts])
    vectors = [likeness(each.pooled) for each in encoded]
    return Passages(
        model=model,
        article=article,
        spans=[span for _, span in parts],
        vectors=np.stack(vectors) if vectors else np.zeros((0, WIDTH), dtype=np.float32),
        source=Source(article.text, "article"),
    )


@dataclass(frozen=True)
class Judgement:
    """How relevant, in which of the four words, and to which passage."""

    score: float
    label: str
    passage: Span | None


@dataclass(frozen=True)
class RelevanceModel:
    """Three cumulative logistic models, P(rating >= 1, 2, 3): weights (3, features), offsets (3,)."""

    weights: Array
    offsets: Array

    def judge(self, features: Array, passage: Span | None) -> Judgement:
        """The probability of rating 2 or more, and the likeliest label."""
        above = np.minimum.accumulate(sigmoid(self.weights @ features + self.offsets))
        label = RELEVANCE_LABELS[int((above > 0.5).sum())]
        return Judgement(score=float(above[1]), label=label, passage=passage)


def compare(
    text: str,
    vector: Array,
    sentence_vectors: Sequence[Array],
    passages: Passages,
    parent: Array | None,
) -> tuple[Array, Span | None]:
    """The features of a comment against an article, (len(FEATURES),), and the passage it is nearest to.

    A reply is near what its parent is near: the parent counts as one more passage.
    """
    likeness = passages.vectors @ vector
    best = int(likeness.argmax())
    if parent is not None:
        likeness = np.append(likeness, np.float32(parent @ vector))
    by_sentence = (
        (np.stack(sentence_vectors) @ passages.vectors.T).max(axis=1)
        if sentence_vectors
        else np.zeros(1, dtype=np.float32)
    )
    words = [word for word in split_words(text)[0] if len(word) >= CONTENT_WORD]
    features = np.array(
        [
            likeness.max(),
            likeness[0],
            by_sentence.mean(),
            _overlap(words, passages, best),
            max(0.0, 1 - len(words) / ENOUGH_WORDS),
        ],
        dtype=np.float32,
    )
    return features, _nearest_span(passages, likeness)


def _overlap(words: list[str], passages: Passages, best: int) -> float:
    """The share of a comment's content words that stand in the title or the best passage."""
    if not words:
        return 0.0
    span = passages.spans[best]
    text = passages.article.text[span.start : span.end] if span else passages.article.description
    theirs = set(split_words(f"{passages.article.title} {text}")[0])
    return sum(word in theirs for word in words) / len(words)


def _nearest_span(passages: Passages, likeness: Array) -> Span | None:
    with_span = [i for i, span in enumerate(passages.spans) if span is not None]
    if not with_span:
        return None
    return passages.spans[max(with_span, key=lambda i: float(likeness[i]))]
