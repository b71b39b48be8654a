"""Inference: comments in, scores with their evidence out. Imports neither torch nor transformers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from models import echo, language, quotes, relevance
from models.calibration import Platt
from models.echo import Repeat, Source
from models.encoder import Encoded, Encoder, Window, open_encoder
from models.labels import HEADS, INSIGHT_HEADS, KIND_HEADS, SPAM_HEADS, TOXICITY_HEADS
from models.lexicon import Lexicon
from models.registry import Weights, WeightsError, open_weights
from models.relevance import Article, Likeness, Passages, RelevanceModel
from models.text import LINK, NOBODY, WORD, Author, Span, facts, normalise, sentences

__all__ = [
    "Article",
    "Author",
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
# A sentence is shown as evidence if its logit comes this near to the strongest one's.
EVIDENCE_MARGIN = 0.2
MOST_EVIDENCE = 3
# From this logit of any harm on, a sentence is a suspect and read once more, by itself; so many of a comment at most.
SUSPECT, MOST_ALONE = -1.0, 8
# A sentence counts for harm by itself from so many words on: the few tokens of a scrap have read all the others.
LEAST_WORDS = 3
# One cruel sentence among kind ones counts, a little less than the whole would: if it is cruel in its place and by itself.
# Measured on tuning rows, docs/training.md.
SENTENCE_DISCOUNT = 1.0
SPAM = [HEADS.index(label) for label in SPAM_HEADS]
BY_SENTENCE = [HEADS.index(label) for label in TOXICITY_HEADS]
HARM = [HEADS.index(label) for label in (*SPAM_HEADS, *TOXICITY_HEADS)]


@dataclass(frozen=True)
class Comment:
    """A comment to be scored, with what it is scored against."""

    text: str
    passages: Passages | None = None
    parent: str | None = None
    author: Author = NOBODY
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
class Stretch:
    """What the heads are asked about, a window or a sentence: pooled tokens (768,), facts, token ids (n,)."""

    pooled: Array
    facts: Array
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Heads:
    """One linear head a label on pooled vectors and facts: weights (heads, 768 + facts), offsets (heads,)."""

    weights: Array
    offsets: Array
    lexicon: Lexicon
    calibration: tuple[Platt, ...]

    def logits(self, stretches: Sequence[Stretch]) -> Array:
        """(n, heads): what the network says, and what the words say by themselves."""
        features = np.stack([np.concatenate([each.pooled, each.facts]) for each in stretches])
        words = np.stack([self.lexicon(each.tokens) for each in stretches])
        found: Array = features @ self.weights.T + self.offsets + words
        return found

    def probabilities(self, logits: Array) -> dict[str, float]:
        """(heads,) logits of a comment as calibrated probabilities by label."""
        each = zip(HEADS, self.calibration, logits, strict=True)
        return {label: float(platt(logit)) for label, platt, logit in each}


@dataclass(frozen=True)
class Reading:
    """A comment in the making: its sentences and which stretches of it are the author's own."""

    comment: Comment
    encoded: Encoded
    sentences: list[Span]
    repeats: list[Repeat]
    links: list[Span]
    echo: float

    def own(self, window: Window) -> NDArray[np.bool_]:
        """Which tokens of a window are remark, not quote; all of them where nothing else is left."""
        if 1 - self.echo <= NOTHING_LEFT:
            return np.ones(len(window.offsets), dtype=np.bool_)
        return _outside(window, [repeat.comment for repeat in self.repeats])

    def words(self, window: Window) -> NDArray[np.bool_]:
        """The same without addresses, whose letters say nothing to any head but spam's."""
        own = self.own(window)
        spoken = own & _outside(window, self.links)
        return spoken if spoken.any() else own


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
            lexicon=Lexicon(
                weights=tensors["lexicon.weights"].astype(np.float32),
                rarity=tensors["lexicon.rarity"],
            ),
            calibration=tuple(Platt(*manifest["calibration"][label]) for label in HEADS),
        )
        self._quote = tensors["quote.weights"]
        self._likeness = Likeness(
            weights=tensors["likeness.weights"], offsets=tensors["likeness.offsets"]
        )
        self._relevance = RelevanceModel(
            weights=tensors["relevance.weights"], offsets=tensors["relevance.offsets"]
        )

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int | None = None) -> "Classifier":
        """The weights in `folder`, by default the shipped ones; raises WeightsError."""
        weights = open_weights(folder)
        encoder = open_encoder(
            weights.folder / "encoder.xml", weights.folder / "tokenizer.json", threads=threads
        )
        return cls(weights, encoder)

    def passages(self, article: Article) -> Passages:
        """Read an article once; what comes back can be stored."""
        return relevance.read_article(self._encoder, self._likeness, article, model=self.version)

    def predict(self, comments: Sequence[Comment]) -> list[Scored]:
        """Score comments, any number; each comes out the same in whatever company."""
        read = list(self._read(comments))
        judged = self._judge([reading for reading, _ in read])
        return [
            self._score(reading, parent, self._heads.probabilities(logits), parts)
            for (reading, parent), (logits, parts) in zip(read, judged, strict=True)
        ]

    def logits(self, comments: Sequence[Comment]) -> Array:
        """(n, heads): what the heads say of each comment before calibration, which is fitted on it."""
        judged = self._judge([reading for reading, _ in self._read(comments)])
        return np.stack([logits for logits, _ in judged])

    def _read(self, comments: Sequence[Comment]) -> Iterator[tuple["Reading", Array | None]]:
        texts = [normalise(comment.text) for comment in comments]
        parents = sorted({normalise(c.parent) for c in comments if c.parent})
        encoded = self._encoder.encode([*texts, *parents])
        by_parent = dict(zip(parents, encoded[len(texts) :], strict=True))
        for comment, each in zip(comments, encoded, strict=False):
            parent = by_parent[normalise(comment.parent)] if comment.parent else None
            yield _read(comment, each), self._likeness(parent.pooled) if parent else None

    def _score(
        self, reading: Reading, parent: Array | None, scores: dict[str, float], parts: Array
    ) -> Scored:
        comment = reading.comment
        if 1 - reading.echo <= NOTHING_LEFT:
            # A pure echo has no worth of its own.
            scores = {k: v for k, v in scores.items() if k not in INSIGHT_HEADS}
        if comment.passages is not None:
            scores["echo"] = reading.echo
        label = passage = None
        known = comment.passages
        if known is not None and len(known.vectors):
            vectors = [
                self._likeness(_pool_of(reading.encoded, span)) for span in reading.sentences
            ]
            whole = self._likeness(reading.encoded.pooled)
            features, passage = relevance.compare(comment.text, whole, vectors, known, parent)
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
            quote=self._best_quote(reading),
            evidence=_evidence(reading, parts),
        )

    def _judge(self, readings: list[Reading]) -> list[tuple[Array, Array]]:
        """Of each comment its logits (heads,), and those by which its sentences are evidence (sentences, heads)."""
        words = [self._judge_words(reading) for reading in readings]
        alone = self._alone(readings, [parts for _, parts in words])
        return [
            (_combined(windows, parts, by_itself), by_itself if _any_read(by_itself) else parts)
            for (windows, parts), by_itself in zip(words, alone, strict=True)
        ]

    def _judge_words(self, reading: Reading) -> tuple[Array, Array]:
        """Logits of the whole windows (windows, heads) and of the sentences in their place (sentences, heads)."""
        windows = [(window, None) for window in reading.encoded.windows]
        parts = [(reading.encoded.window_of(span), span) for span in reading.sentences]
        logits = self._heads.logits([_stretch(reading, reading.words, *e) for e in windows + parts])
        if reading.links:
            whole = [_stretch(reading, reading.own, *each) for each in windows + parts]
            logits[:, SPAM] = self._heads.logits(whole)[:, SPAM]
        return logits[: len(windows)], logits[len(windows) :]

    def _alone(self, readings: list[Reading], parts: list[Array]) -> list[Array]:
        """(sentences, heads) of each comment: what suspect sentences say by themselves; -inf for those not read so.

        Within a comment each word has read all the others: beside an insult, a harmless sentence looks cruel too.
        """
        chosen = [_suspects(*each) for each in zip(readings, parts, strict=True)]
        spans = [
            (reading, reading.sentences[i])
            for reading, some in zip(readings, chosen, strict=True)
            for i in some
        ]
        read = self._encoder.encode([normalise(r.comment.text[s.start : s.end]) for r, s in spans])
        asked = [
            Stretch(each.pooled, _facts_of(reading.comment, span), each.tokens)
            for each, (reading, span) in zip(read, spans, strict=True)
        ]
        logits = iter(self._heads.logits(asked) if asked else ())
        found = [np.full_like(each, -np.inf) for each in parts]
        for some, alone in zip(chosen, found, strict=True):
            for i in some:
                alone[i] = next(logits)
        return found

    def _best_quote(self, reading: Reading) -> Span | None:
        """The author's own stretch of one to three sentences that would stand best as a quote."""
        own = [s for s in reading.sentences if not _is_repeated(reading, s)]
        spans = quotes.candidates(reading.comment.text, own)
        if not spans:
            return None
        pooled = np.stack([_pool(reading, span) for span in spans])
        return spans[int((pooled @ self._quote).argmax())]


def _suspects(reading: Reading, parts: Array) -> list[int]:
    """The sentences that could carry harm, the worst first; none where a comment is one sentence."""
    if len(parts) < 2:
        return []
    harm = parts[:, HARM].max(axis=1)
    some = [i for i, s in enumerate(reading.sentences) if harm[i] >= SUSPECT and _tells(reading, s)]
    return sorted(some, key=lambda i: -float(harm[i]))[:MOST_ALONE]


def _tells(reading: Reading, span: Span) -> bool:
    words = WORD.findall(reading.comment.text[span.start : span.end])
    return len(words) >= LEAST_WORDS and not _is_repeated(reading, span)


def _any_read(alone: Array) -> bool:
    return bool(np.isfinite(alone).any())


def _combined(windows: Array, parts: Array, alone: Array) -> Array:
    """(heads,): the worst stretch for harm, the mean over the windows for everything else."""
    logits: Array = windows.mean(axis=0)
    logits[HARM] = windows.max(axis=0)[HARM]
    if len(parts):
        worst = np.minimum(parts, alone).max(axis=0) - SENTENCE_DISCOUNT
        logits[BY_SENTENCE] = np.maximum(logits[BY_SENTENCE], worst[BY_SENTENCE])
    return logits


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
        links=[Span(*found.span()) for found in LINK.finditer(comment.text)],
        echo=from_article,
    )


def _stretch(
    reading: Reading,
    kept: Callable[[Window], NDArray[np.bool_]],
    window: Window,
    span: Span | None,
) -> Stretch:
    """What is kept of a window, or of a span in it."""
    tokens = kept(window) if span is None else kept(window) & window.inside(span)
    text = reading.comment.text if span is None else reading.comment.text[span.start : span.end]
    return Stretch(window.pool(tokens), facts(text, reading.comment.author), window.tokens[tokens])


def _outside(window: Window, spans: Iterable[Span]) -> NDArray[np.bool_]:
    kept = np.ones(len(window.offsets), dtype=np.bool_)
    for span in spans:
        kept &= ~window.inside(span)
    return kept


def _pool(reading: Reading, span: Span) -> Array:
    """A span's own words, pooled in the window that holds most of them."""
    window = reading.encoded.window_of(span)
    return window.pool(window.inside(span) & reading.own(window))


def _pool_of(encoded: Encoded, span: Span) -> Array:
    window = encoded.window_of(span)
    return window.pool(window.inside(span))


def _facts_of(comment: Comment, span: Span) -> Array:
    return facts(comment.text[span.start : span.end], comment.author)


def _evidence(reading: Reading, parts: Array) -> dict[str, tuple[Span, ...]]:
    """For each head of harm, the sentences that speak for it most, the strongest first."""
    if not len(parts):
        return {}
    shown: dict[str, tuple[Span, ...]] = {}
    for label in (*SPAM_HEADS, *TOXICITY_HEADS, *KIND_HEADS):
        logits = parts[:, HEADS.index(label)]
        order = np.argsort(-logits, kind="stable")[:MOST_EVIDENCE]
        near = [i for i in order if logits[i] >= logits[order[0]] - EVIDENCE_MARGIN]
        shown[label] = tuple(reading.sentences[i] for i in near)
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
