"""Scoring: the one door to the models. Comments in flight together are scored together."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from models import explanation, inference, scorefile
from models.registry import WeightsError, open_weights
from service import metrics
from service.errors import Unavailable
from service.moderation.scores import (
    Answer,
    ArticleText,
    Explanation,
    Question,
    Repeat,
    ScorerUnavailable,
    Span,
    Word,
)

__all__ = ["BatchScorer", "find_trouble", "score_file"]

log = structlog.get_logger()
T = TypeVar("T")

# A batch may hold this many comments; the classifier packs them by padded tokens itself.
LARGEST_BATCH = 64
# Articles whose passages stay in memory; a passage set of a long article is about 200 kB.
ARTICLES_AT_HAND = 256
CLOSING_TAKES_S = 10
# Explanations that may wait: each takes a good part of a second.
MOST_WANTED = 16


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A question on its way, and who waits for the answer."""

    question: Question
    passages: inference.Passages | None
    answer: Future[Answer]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An explanation that somebody asked for."""

    question: Question
    labels: Sequence[str]
    explained: Future[tuple[Explanation, ...]]


@dataclass(frozen=True, kw_only=True)
class Unread:
    """An article whose passages are wanted: by a question, or to be stored."""

    article: ArticleText
    question: Question | None = None
    answer: Future[Answer] | None = None
    stored: Future[tuple[str, bytes]] | None = None


class BatchScorer:
    """A classifier behind a bounded queue: one thread scores batches, one reads articles.

    Long articles are read beside the batches, so that nobody else's comment waits for them.
    """

    def __init__(self, weights: Path | None, *, threads: int, queue: int) -> None:
        self.trouble: str | None = None
        self._queue = queue
        self._waiting: deque[Waiting] = deque()
        self._unread: deque[Unread] = deque()
        self._wanted: deque[Wanted] = deque()
        self._at_hand: OrderedDict[int, inference.Passages] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._classifier: inference.Classifier | None = None
        try:
            self._classifier = inference.Classifier.load(weights, threads=threads or None)
        except WeightsError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with them, the service starts
            log.error("scoring.not_loaded", error=type(error).__name__)
            self.trouble = f"the weights cannot be loaded ({type(error).__name__}): get them again"
        self._threads = [
            threading.Thread(target=self._score, name="scorer", daemon=True),
            threading.Thread(target=self._read, name="scorer-articles", daemon=True),
            threading.Thread(target=self._explain, name="scorer-explanations", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def model(self) -> str | None:
        return self._classifier.version if self._classifier else None

    @property
    def waiting(self) -> int:
        """How many questions are not answered yet."""
        return len(self._waiting) + len(self._unread)

    def make_room(self, *, promised: int) -> None:
        """Raise Unavailable (503) when the queue is full, or will be by what is `promised`."""
        if max(self.waiting, promised) >= self._queue:
            raise Unavailable(
                "more comments wait for the models than the queue holds",
                code="queue_full",
                headers={"Retry-After": "2"},
            )

    def ask(self, question: Question) -> Future[Answer]:
        """Answer soon; fails with ScorerUnavailable."""
        answer: Future[Answer] = Future()
        passages = self._find_passages(question.article)
        with self._changed:
            if self._refuses(answer):
                return answer
            if question.article is not None and passages is None:
                self._unread.append(
                    Unread(article=question.article, question=question, answer=answer)
                )
            else:
                self._waiting.append(Waiting(question=question, passages=passages, answer=answer))
            self._changed.notify_all()
        return answer

    def explain(self, question: Question, labels: Sequence[str]) -> Future[tuple[Explanation, ...]]:
        """What carried these scores; reckoned apart, so that no verdict waits for it."""
        explained: Future[tuple[Explanation, ...]] = Future()
        with self._changed:
            if len(self._wanted) >= MOST_WANTED:
                explained.set_exception(
                    Unavailable("too many explanations are asked for", code="queue_full")
                )
            elif not self._refuses(explained):
                self._wanted.append(Wanted(question=question, labels=labels, explained=explained))
                self._changed.notify_all()
        return explained

    def embed(self, article: ArticleText) -> Future[tuple[str, bytes]]:
        """The model's version and the article's passages; fails with ScorerUnavailable."""
        stored: Future[tuple[str, bytes]] = Future()
        with self._changed:
            if not self._refuses(stored):
                self._unread.append(Unread(article=article, stored=stored))
                self._changed.notify_all()
        return stored

    def close(self) -> None:
        """Finish the batch in hand; whoever still waits hears ScorerUnavailable."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CLOSING_TAKES_S)
        stopping = ScorerUnavailable("the service is stopping")
        for one in self._waiting:
            _fail(one.answer, stopping)
        for unread in self._unread:
            _fail(unread.answer, stopping)
            _fail(unread.stored, stopping)
        for wanted in self._wanted:
            _fail(wanted.explained, stopping)

    def _refuses(self, future: "Future[T]") -> bool:
        if self.trouble is None and not self._closing:
            return False
        future.set_exception(ScorerUnavailable(self.trouble or "the service is stopping"))
        return True

    def _find_passages(self, article: ArticleText | None) -> inference.Passages | None:
        if article is None:
            return None
        with self._changed:
            known = self._at_hand.get(article.revision_id or -1)
            if known is not None and article.revision_id is not None:
                self._at_hand.move_to_end(article.revision_id)
                return known
        if article.passages is None or article.passages_model != self.model:
            return None
        passages = inference.Passages.from_bytes(article.passages, _as_read(article))
        self._keep(article, passages)
        return passages

    def _keep(self, article: ArticleText, passages: inference.Passages) -> None:
        if article.revision_id is None:
            return
        with self._changed:
            self._at_hand[article.revision_id] = passages
            while len(self._at_hand) > ARTICLES_AT_HAND:
                self._at_hand.popitem(last=False)

    def _score(self) -> None:
        while batch := self._take_batch():
            metrics.batch_comments.observe(len(batch))
            with metrics.batch_seconds.time():
                self._answer(batch)

    def _take_batch(self) -> list[Waiting]:
        """The next comments in flight; empty when the scorer closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return []
            return [self._waiting.popleft() for _ in range(min(LARGEST_BATCH, len(self._waiting)))]

    def _answer(self, batch: list[Waiting]) -> None:
        """Answer a batch; if it breaks, each alone, so that one text cannot take others with it."""
        wanted = [one for one in batch if not one.answer.cancelled()]
        if not wanted:
            return
        try:
            answers = self._predict(wanted)
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave everybody waiting
            if len(wanted) > 1:
                for one in wanted:
                    self._answer([one])
                return
            log.error("scoring.failed", error=type(error).__name__)
            _fail(wanted[0].answer, ScorerUnavailable("the models failed on this comment"))
            return
        for one, answer in zip(wanted, answers, strict=True):
            _give(one.answer, answer)

    def _predict(self, batch: Sequence[Waiting]) -> list[Answer]:
        classifier = self._ready()
        scored = classifier.predict([_as_asked(one.question, one.passages) for one in batch])
        return [_as_answered(classifier, each) for each in scored]

    def _read(self) -> None:
        """Read articles, shortest wait first; each is read once, whoever asks."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unread or self._closing)
                if self._closing:
                    return
                unread = self._unread.popleft()
            try:
                passages = self._passages(unread.article)
            except Exception as error:  # noqa: BLE001 - as above
                log.error("scoring.article_failed", error=type(error).__name__)
                trouble = ScorerUnavailable("the models failed on this article")
                _fail(unread.answer, trouble)
                _fail(unread.stored, trouble)
                continue
            self._hand_over(unread, passages)

    def _passages(self, article: ArticleText) -> inference.Passages:
        """An article's passages, from wherever they are; read if nowhere."""
        passages = self._find_passages(article)
        if passages is None:
            passages = self._ready().passages(_as_read(article))
            self._keep(article, passages)
        return passages

    def _explain(self) -> None:
        """Explain, one after the other; what nobody waits for any more is left."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    return
                wanted = self._wanted.popleft()
            if wanted.explained.cancelled():
                continue
            try:
                article = wanted.question.article
                passages = None if article is None else self._passages(article)
                asked = _as_asked(wanted.question, passages)
                found = explanation.explain(self._ready(), asked, wanted.labels)
            except Exception as error:  # noqa: BLE001 - as above
                log.error("scoring.explanation_failed", error=type(error).__name__)
                _fail(wanted.explained, ScorerUnavailable("the models failed on this comment"))
                continue
            _give(wanted.explained, tuple(map(_as_explained, found)))

    def _hand_over(self, unread: Unread, passages: inference.Passages) -> None:
        if unread.stored is not None:
            _give(unread.stored, (self._ready().version, passages.to_bytes()))
        if unread.question is not None and unread.answer is not None:
            with self._changed:
                self._waiting.append(
                    Waiting(question=unread.question, passages=passages, answer=unread.answer)
                )
                self._changed.notify_all()

    def _ready(self) -> inference.Classifier:
        if self._classifier is None:
            raise ScorerUnavailable(self.trouble or "no weights are loaded")
        return self._classifier


def find_trouble(weights: Path | None) -> str | None:
    """What is wrong with the files of the weights, without loading them; None where they are whole."""
    try:
        open_weights(weights)
    except WeightsError as error:
        return str(error)
    return None


def score_file(
    source: Path,
    out: Path,
    *,
    articles: Path | None,
    weights: Path | None,
    threads: int,
    progress: "scorefile.Progress",
) -> int:
    """Score a JSON Lines file through the classifier that serves; returns how many lines it had.

    Raises ScorerUnavailable for missing or altered weights, ValueError naming a line that is wrong.
    """
    try:
        classifier = inference.Classifier.load(weights, threads=threads or None)
    except WeightsError as error:
        raise ScorerUnavailable(str(error)) from error
    lines: int = scorefile.score_file(source, out, articles, classifier, progress)
    return lines


def _give(future: "Future[T]", value: T) -> None:
    try:
        future.set_result(value)
    except InvalidStateError:
        log.debug("scoring.nobody_waits")


def _fail(future: "Future[T] | None", error: Exception) -> None:
    if future is None:
        return
    try:
        future.set_exception(error)
    except InvalidStateError:
        log.debug("scoring.nobody_waits")


def _as_explained(found: explanation.Explanation) -> Explanation:
    return Explanation(
        label=found.label,
        sentence=_must(found.sentence),
        words=tuple(Word(span=_must(word.span), weight=word.weight) for word in found.words),
    )


def _as_read(article: ArticleText) -> inference.Article:
    return inference.Article(
        title=article.title, description=article.description, text=article.text
    )


def _as_asked(asked: Question, passages: inference.Passages | None) -> inference.Comment:
    return inference.Comment(
        text=asked.text,
        passages=passages,
        parent=asked.parent,
        author=inference.Author(
            name=asked.author_name,
            url=asked.author_url,
            email_domain=asked.author_email_domain,
        ),
        language=asked.language,
    )


def _as_answered(classifier: inference.Classifier, scored: inference.Scored) -> Answer:
    return Answer(
        model=classifier.version,
        scores=dict(scored.scores),
        relevance_label=scored.relevance_label,
        language=scored.language,
        supported=scored.supported,
        too_long=scored.too_long,
        passage=_span(scored.passage),
        repeats=tuple(
            Repeat(comment=_must(r.comment), source=_must(r.source), origin=r.origin)
            for r in scored.repeats
        ),
        quote=_span(scored.quote),
        evidence={label: tuple(map(_must, spans)) for label, spans in scored.evidence.items()},
        thresholds=dict(classifier.thresholds),
    )


def _must(span: inference.Span) -> Span:
    return Span(start=span.start, end=span.end)


def _span(span: inference.Span | None) -> Span | None:
    return None if span is None else _must(span)
