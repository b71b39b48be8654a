"""A scorer that judges by words: the promise of a Scorer without weights, for tests of the service."""

import asyncio
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future

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

MODEL = "keywords-1"
SUPPORTED = {"en", "unknown"}


class KeywordScorer:
    """Words stand for scores: `casino` is spam, `idiot` abuse, `weather` off topic, `because` insight.

    It says that it cannot answer `poison`, and breaks on `garbled`.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.asked: list[Question] = []
        self.queue = 512
        # While set to a list, answers are kept back until `release`.
        self.held_back: list[tuple[Future[Answer], Question]] | None = None
        self.embedded: list[int | None] = []

    @property
    def model(self) -> str | None:
        return None if self.trouble else MODEL

    @property
    def waiting(self) -> int:
        return len(self.held_back or ())

    def make_room(self, *, promised: int) -> None:
        if promised >= self.queue:
            raise Unavailable("the queue is full", code="queue_full", headers={"Retry-After": "2"})

    def ask(self, question: Question) -> Future[Answer]:
        must_not_block_the_loop()
        future: Future[Answer] = Future()
        self.asked.append(question)
        if self.trouble or "poison" in question.text:
            future.set_exception(ScorerUnavailable(self.trouble or "poisoned"))
        elif self.held_back is not None:
            self.held_back.append((future, question))
        elif "garbled" in question.text:
            future.set_exception(ValueError("a score is no number"))
        else:
            future.set_result(answer(question))
        return future

    def release(self) -> None:
        """Answer everything that was kept back."""
        kept, self.held_back = self.held_back or [], None
        for future, question in kept:
            future.set_result(answer(question))

    def explain(self, question: Question, labels: Sequence[str]) -> Future[tuple[Explanation, ...]]:
        future: Future[tuple[Explanation, ...]] = Future()
        if self.trouble:
            future.set_exception(ScorerUnavailable(self.trouble))
            return future
        found = answer(question).evidence
        future.set_result(
            tuple(
                Explanation(
                    label=label,
                    sentence=_first_sentence(question.text),
                    words=tuple(Word(span=span, weight=1.0) for span in found[label]),
                )
                for label in labels
                if label in found
            )
        )
        return future

    def embed(self, article: ArticleText) -> Future[tuple[str, bytes]]:
        future: Future[tuple[str, bytes]] = Future()
        if self.trouble:
            future.set_exception(ScorerUnavailable(self.trouble))
        else:
            self.embedded.append(article.revision_id)
            future.set_result((MODEL, article.title.encode()))
        return future

    def close(self) -> None:
        pass


def must_not_block_the_loop() -> None:
    """A question may take its time; whoever asks on the event loop keeps every other caller waiting."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    # The browser's driver leaves a loop of its own in the main thread, where the worker is tested.
    assert threading.current_thread() is threading.main_thread(), "asked on the event loop"


def answer(question: Question) -> Answer:
    """The scores that the words of a question stand for."""
    text = question.text
    repeats = _repeats(question)
    echo = round(sum(r.comment.end - r.comment.start for r in repeats) / max(1, len(text)), 4)
    scores = {
        "spam": 0.97 if "casino" in text else 0.02,
        "toxicity": 0.95 if "idiot" in text else 0.03,
        "threat": 0.9 if "find you" in text else 0.01,
        "identity_attack": 0.01,
        "incoherent": 0.01,
        "echo": echo,
    }
    if question.article is not None:
        scores["relevance"] = 0.05 if "weather" in text else 0.93
    if echo < 1:
        scores |= {
            "insight": 0.9 if "because" in text else 0.2,
            "experience": 0.8 if "I " in text else 0.1,
            "reasons": 0.8 if "because" in text else 0.1,
            "novelty": 0.1,
        }
    evidence = {
        label: tuple(Span(start=m.start(), end=m.end()) for m in re.finditer(word, text))
        for label, word in (("spam", "casino"), ("toxicity", "idiot"))
        if word in text
    }
    return Answer(
        model=MODEL,
        scores=scores,
        relevance_label=None
        if question.article is None
        else "off"
        if "weather" in text
        else "direct",
        language="fr" if "bonjour" in text else "en",
        supported="bonjour" not in text,
        too_long=False,
        passage=repeats[0].source if repeats else None,
        repeats=repeats,
        quote=_first_sentence(text),
        evidence=evidence,
        thresholds={"spam": 0.8, "off_topic": 0.85, "abusive": 0.8, "threat": 0.7, "hateful": 0.7},
    )


def _repeats(question: Question) -> tuple[Repeat, ...]:
    at = question.article.text.find(question.text) if question.article else -1
    if at < 0 or len(question.text.split()) < 8:
        return ()
    whole = Span(start=0, end=len(question.text))
    source = Span(start=at, end=at + len(question.text))
    return (Repeat(comment=whole, source=source, origin="article"),)


def _first_sentence(text: str) -> Span:
    end = text.find(". ")
    return Span(start=0, end=end + 1 if end > 0 else len(text))
