"""Inference: comments in, scores with their evidence out. Imports neither torch nor transformers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from models import echo, language, relevance
from models.calibration import Platt
from models.echo import Repeat, Source
from models.encoder import Encoded, Encoder, Window
from models.labels import HEADS, INSIGHT_HEADS, SPAM_HEADS, TOXICITY_HEADS
from models.registry import Weights, WeightsError, open_weights
from models.relevance import Article, Passages, RelevanceModel
from models.text import Span, facts, normalise, sentences

__all__ = [
    "Article",
    "Classifier",
    "Comment",
    "Passages",
    "Repeat",
    "Scored",
    "Span",
    "WeightsError",
]

Array = NDArray[np.float32]

# A comment is an echo and nothing else when less than this is left of it.
NOTHING_LEFT = 0.03
QUOTE_LENGTH = (40, 240)
QUOTE_SENTENCES = 3
# A sentence is shown as evidence if it comes this near to the strongest one.
EVIDENCE_SHARE = 0.8
# One cruel sentence among kind ones counts, a little less than alone. Measured on held-out rows: undiscounted
# it doubles the false alarms on civil comments; at 1 they stay and the ranking is as good or better.
SENTENCE_DISCOUNT = 1.0
ABUSE = [HEADS.index(label) for label in TOXICITY_HEADS]


@dataclass(frozen=True)
class Comment:
    """A comment to be scored, with what it is scored against."""

    text: str
    passages: Passages | None = None
    parent: str | None = None
    author_name: str | None = None
    author_url: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Scored:
    """What the models say; a score without ground is absent from `scores`."""

    scores: dict[str, float]
    relevance_label: str | None
    language: str
    supported: bool
    too_long: bool
    passage: Span | None
    repeats: tuple[Repeat, ...]
    quote: Span | None
    evidence: dict[str, tuple[Span, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Heads:
    """One linear head a label on pooled vectors and facts: weights (heads, 768 + facts), offsets (heads,)."""

    weights: Array
    offsets: Array
    calibration: tuple[Platt, ...]

    def logits(self, features: Array) -> Array:
        """(n, features) to (n, heads)."""
        found: Array = features @ self.weights.T + self.offsets
        return found

    def probabilities(self, logits: Array) -> Array:
        """Calibrated, the same shape."""
        columns = [platt(logits[:, i]) for i, platt in enumerate(self.calibration)]
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Reading:
    """A comment in the making: its sentences and which stretches of it are the author's own."""

    comment: Comment
    encoded: Encoded
    sentences: list[Span]
    repeats: list[Repeat]
    echo: float

    def own(self, window: Window) -> NDArray[np.bool_]:
        """Which tokens of a window are remark, not quote; all of them where nothing else is left."""
        kept = np.ones(len(window.offsets), dtype=np.bool_)
        if 1 - self.echo > NOTHING_LEFT:
            for repeat in self.repeats:
                kept &= ~window.inside(repeat.comment)
        return kept


class Classifier:
    """The shipped network and heads; may be asked from several threads at once."""

    def __init__(self, weights: Weights, encoder: Encoder) -> None:
        manifest = weights.manifest
        tensors = load_file(weights.folder / "heads.safetensors")
        self.version = weights.version
        self.thresholds: Mapping[str, float] = manifest["thresholds"]
        self._encoder = encoder
        self._heads = Heads(
            weights=tensors["heads.weights"],
            offsets=tensors["heads.offsets"],
            calibration=tuple(Platt(*manifest["calibration"][label]) for label in HEADS),
        )
        self._relevance = RelevanceModel(
            weights=tensors["relevance.weights"], offsets=tensors["relevance.offsets"]
        )

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int | None = None) -> "Classifier":
        """The weights in `folder`, by default the shipped ones; raises WeightsError."""
        weights = open_weights(folder)
        encoder = Encoder(
            weights.folder / "encoder.xml", weights.folder / "tokenizer.json", threads=threads
        )
        return cls(weights, encoder)

    def passages(self, article: Article) -> Passages:
        """Read an article once; what comes back can be stored."""
        parts = relevance.split_passages(article)
        encoded = self._encoder.encode([normalise(text) for text, _ in parts])
        vectors = [each.mean for each in encoded]
        return Passages(
            model=self.version,
            article=article,
            spans=[span for _, span in parts],
            vectors=np.stack(vectors) if vectors else np.zeros((0, 384), dtype=np.float32),
            source=Source(article.text, "article"),
        )

    def predict(self, comments: Sequence[Comment]) -> list[Scored]:
        """Score comments, any number; each comes out the same in whatever company."""
        texts = [normalise(comment.text) for comment in comments]
        parents = sorted({normalise(c.parent) for c in comments if c.parent})
        encoded = self._encoder.encode([*texts, *parents])
        by_parent = dict(zip(parents, encoded[len(texts) :], strict=True))
        scored = []
        for comment, each in zip(comments, encoded, strict=False):
            parent = by_parent[normalise(comment.parent)].mean if comment.parent else None
            scored.append(self._score(_read(comment, each), parent))
        return scored

    def _score(self, reading: Reading, parent: Array | None) -> Scored:
        comment = reading.comment
        per_window, per_sentence = self._judge_words(reading)
        scores = self._combine(reading, per_window, per_sentence)
        label = passage = None
        known = comment.passages
        if known is not None and len(known.vectors):
            vectors = [_mean_of(reading.encoded, span) for span in reading.sentences]
            features, passage = relevance.compare(
                comment.text, reading.encoded.mean, vectors, known, parent
            )
            judged = self._relevance.judge(features, passage)
            scores["relevance"], label = judged.score, judged.label
            passage = _repeated_passage(reading) or judged.passage
        spoken, supported = language.detect(comment.text, comment.language)
        return Scored(
            scores=scores,
            relevance_label=label,
            language=spoken,
            supported=supported,
            too_long=reading.encoded.too_long,
            passage=passage,
            repeats=tuple(reading.repeats),
            quote=self._quote(reading),
            evidence=_evidence(reading, per_sentence),
        )

    def _judge_words(self, reading: Reading) -> tuple[Array, Array]:
        """Logits of the whole windows (windows, heads) and of the sentences (sentences, heads)."""
        comment = reading.comment
        seen = facts(comment.text, comment.author_name, comment.author_url)
        windows = [np.concatenate([w.pool(reading.own(w)), seen]) for w in reading.encoded.windows]
        parts = [
            np.concatenate([_pool(reading, span), _facts_of(comment, span)])
            for span in reading.sentences
        ]
        logits = self._heads.logits(np.stack([*windows, *parts]))
        return logits[: len(windows)], logits[len(windows) :]

    def _combine(self, reading: Reading, windows: Array, parts: Array) -> dict[str, float]:
        """The worst stretch for harm, the mean for worth; a pure echo has no worth of its own."""
        harm = windows.max(axis=0)
        if len(parts):
            harm[ABUSE] = np.maximum(harm[ABUSE], parts.max(axis=0)[ABUSE] - SENTENCE_DISCOUNT)
        strongest = self._heads.probabilities(harm[None])[0]
        usual = self._heads.probabilities(windows.mean(axis=0, keepdims=True))[0]
        scores = {
            label: float(strongest[HEADS.index(label)]) for label in (*SPAM_HEADS, *TOXICITY_HEADS)
        }
        if 1 - reading.echo > NOTHING_LEFT:
            scores |= {label: float(usual[HEADS.index(label)]) for label in INSIGHT_HEADS}
        if reading.comment.passages is not None:
            scores["echo"] = reading.echo
        return scores

    def _quote(self, reading: Reading) -> Span | None:
        """The stretch of one to three sentences with the most insight, of a printable length."""
        spans, features = [], []
        own = [s for s in reading.sentences if not _is_repeated(reading, s)]
        for first in range(len(own)):
            for last in range(first, min(first + QUOTE_SENTENCES, len(own))):
                span = Span(own[first].start, own[last].end)
                if QUOTE_LENGTH[0] <= span.end - span.start <= QUOTE_LENGTH[1]:
                    spans.append(span)
                    features.append(
                        np.concatenate([_pool(reading, span), _facts_of(reading.comment, span)])
                    )
        if not spans:
            return None
        logits = self._heads.logits(np.stack(features))[:, HEADS.index("insight")]
        return spans[int(logits.argmax())]


def _read(comment: Comment, encoded: Encoded) -> Reading:
    repeats: list[Repeat] = []
    if comment.passages is not None:
        repeats += echo.find_repeats(comment.text, comment.passages.source)
    from_article = echo.share(comment.text, repeats)
    if comment.parent:
        again = echo.find_repeats(comment.text, Source(comment.parent, "parent"))
        repeats += [r for r in again if not any(_overlap(r.comment, k.comment) for k in repeats)]
    return Reading(
        comment=comment,
        encoded=encoded,
        sentences=sentences(comment.text),
        repeats=repeats,
        echo=from_article,
    )


def _pool(reading: Reading, span: Span) -> Array:
    """A span's own words, pooled in the window that holds most of them."""
    window = max(reading.encoded.windows, key=lambda w: int(w.inside(span).sum()))
    return window.pool(window.inside(span) & reading.own(window))


def _mean_of(encoded: Encoded, span: Span) -> Array:
    window = max(encoded.windows, key=lambda w: int(w.inside(span).sum()))
    return window.pool(window.inside(span))[: window.vectors.shape[1]]


def _facts_of(comment: Comment, span: Span) -> Array:
    return facts(comment.text[span.start : span.end], comment.author_name, comment.author_url)


def _evidence(reading: Reading, parts: Array) -> dict[str, tuple[Span, ...]]:
    """For each head of harm, the sentences that speak for it most."""
    if not len(parts):
        return {}
    shown: dict[str, tuple[Span, ...]] = {}
    for label in (*SPAM_HEADS, *TOXICITY_HEADS):
        logits = parts[:, HEADS.index(label)]
        strongest = float(logits.max())
        near = [i for i in range(len(parts)) if logits[i] >= strongest - (1 - EVIDENCE_SHARE)]
        shown[label] = tuple(reading.sentences[i] for i in near[:3])
    return shown


def _repeated_passage(reading: Reading) -> Span | None:
    from_article = [r for r in reading.repeats if r.origin == "article"]
    if not from_article:
        return None
    return max(from_article, key=lambda r: r.source.end - r.source.start).source


def _is_repeated(reading: Reading, span: Span) -> bool:
    return any(_overlap(span, repeat.comment) for repeat in reading.repeats)


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
