"""What the models say of a revision: the question, the answer, and the promise of a scorer."""

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.errors import ServiceError


class ScorerUnavailable(ServiceError):
    """The models cannot answer: weights are missing or altered, or the scorer broke."""

    status, code, title = 503, "model_unavailable", "The models are not available"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of text, in code points; `end` is exclusive."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Words of a comment that stand in its article or parent too."""

    comment: Span
    source: Span
    origin: str


@dataclass(frozen=True, kw_only=True)
class ArticleText:
    """An article as the models read it; `revision_id` lets them keep its passages at hand."""

    revision_id: int | None
    title: str
    text: str
    description: str = ""
    passages: bytes | None = None
    passages_model: str | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """One comment to be judged, with everything it is judged against."""

    text: str
    article: ArticleText | None = None
    parent: str | None = None
    author_name: str | None = None
    author_url: str | None = None
    author_email_domain: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the models say; a score without ground is absent from `scores`."""

    model: str
    scores: dict[str, float]
    relevance_label: str | None
    language: str
    supported: bool
    too_long: bool
    passage: Span | None = None
    repeats: tuple[Repeat, ...] = ()
    quote: Span | None = None
    evidence: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    # Hold thresholds that the model's own test data suggest, by reason.
    thresholds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # No threshold is ever reached by what is no number: the comment would pass unjudged.
        if not all(map(math.isfinite, self.scores.values())):
            raise ValueError("a score is no number")

    @property
    def echo(self) -> float:
        return self.scores.get("echo", 0.0)


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word, and how far it moves a score's logit."""

    span: Span
    weight: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The sentence that speaks most for a score, and its weightiest words."""

    label: str
    sentence: Span
    words: tuple[Word, ...]


class Scorer(Protocol):
    """Whoever answers questions: in this process, or elsewhere."""

    @property
    def model(self) -> str | None:
        """The version that answers; None while there is none."""

    @property
    def trouble(self) -> str | None:
        """Why it cannot answer, in a sentence; None when all is well."""

    @property
    def waiting(self) -> int:
        """How many questions are not answered yet."""

    def make_room(self, *, promised: int) -> None:
        """Raise Unavailable (503) when so many comments wait, or are promised an answer, that one
        more would wait too long."""

    def ask(self, question: Question) -> Future[Answer]:
        """Answer soon, together with whatever else is in flight; fails with ScorerUnavailable."""

    def explain(self, question: Question, labels: Sequence[str]) -> Future[tuple[Explanation, ...]]:
        """What carried these scores, for those that a sentence carries; fails with ScorerUnavailable."""

    def embed(self, article: ArticleText) -> Future[tuple[str, bytes]]:
        """The model's version and the article's passages, ready to be stored."""

    def close(self) -> None:
        """Stop; whoever still waits hears ScorerUnavailable."""


def to_json(answer: Answer) -> dict[str, Any]:
    """An answer as it is stored."""
    return {
        "scores": answer.scores,
        "relevance_label": answer.relevance_label,
        "language": answer.language,
        "supported": answer.supported,
        "too_long": answer.too_long,
        "passage": _pair(answer.passage),
        "repeats": [[*_must(r.comment), *_must(r.source), r.origin] for r in answer.repeats],
        "quote": _pair(answer.quote),
        "evidence": {
            label: [_must(span) for span in spans] for label, spans in answer.evidence.items()
        },
        "thresholds": answer.thresholds,
    }


def from_json(model: str, stored: dict[str, Any]) -> Answer:
    """A stored answer, as it was given."""
    return Answer(
        model=model,
        scores=stored["scores"],
        relevance_label=stored["relevance_label"],
        language=stored["language"],
        supported=stored["supported"],
        too_long=stored["too_long"],
        passage=_span(stored["passage"]),
        repeats=tuple(
            Repeat(comment=Span(start=a, end=b), source=Span(start=c, end=d), origin=origin)
            for a, b, c, d, origin in stored["repeats"]
        ),
        quote=_span(stored["quote"]),
        evidence={
            label: tuple(Span(start=a, end=b) for a, b in spans)
            for label, spans in stored["evidence"].items()
        },
        thresholds=stored["thresholds"],
    )


def _must(span: Span) -> list[int]:
    return [span.start, span.end]


def _pair(span: Span | None) -> list[int] | None:
    return None if span is None else _must(span)


def _span(pair: Sequence[int] | None) -> Span | None:
    return None if pair is None else Span(start=pair[0], end=pair[1])
