"""The scorer: batches of what is in flight, a bounded queue, and nobody waits in vain."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from models.echo import Source
from models.inference import Article, Classifier, Comment, Passages, Scored
from service.errors import Unavailable
from service.moderation.scores import ArticleText, Question, ScorerUnavailable
from service.scoring import MOST_WANTED, BatchScorer

ANSWERED_WITHIN_S = 10
READ = ArticleText(revision_id=1, title="The quay", text="The quay is closed.")


@dataclass
class SlowModel:
    """A classifier that answers when it is told to, and breaks on the word poison."""

    version: str = "slow-1"
    thresholds: dict[str, float] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    batches: list[int] = field(default_factory=list)
    articles: list[str] = field(default_factory=list)

    def predict(self, comments: Sequence[Comment]) -> list[Scored]:
        self.started.set()
        assert self.go.wait(ANSWERED_WITHIN_S)
        self.batches.append(len(comments))
        if any("poison" in comment.text for comment in comments):
            raise RuntimeError("poison")
        return [
            Scored(
                scores={"spam": float("nan" if comment.text == "nan" else len(comment.text))},
                relevance_label=None,
                language="en",
                supported=True,
                too_long=False,
                passage=None,
                repeats=(),
                quote=None,
            )
            for comment in comments
        ]

    def passages(self, article: Article) -> Passages:
        self.articles.append(article.title)
        return Passages(
            model=self.version,
            article=article,
            spans=[None],
            vectors=np.ones((1, 384), dtype=np.float32),
            source=Source(article.text, "article"),
        )


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SlowModel:
    slow = SlowModel()
    monkeypatch.setattr(Classifier, "load", lambda *_, **__: slow)
    return slow


@pytest.fixture
def scorer(model: SlowModel) -> Iterator[BatchScorer]:
    opened = BatchScorer(None, threads=1, queue=20)
    yield opened
    model.go.set()
    opened.close()


def test_comments_in_flight_are_scored_together(scorer: BatchScorer, model: SlowModel) -> None:
    first = scorer.ask(Question(text="x"))
    assert model.started.wait(ANSWERED_WITHIN_S)
    others = [scorer.ask(Question(text="x" * n)) for n in range(2, 12)]
    model.go.set()
    assert first.result(ANSWERED_WITHIN_S).scores == {"spam": 1.0}
    answers = [other.result(ANSWERED_WITHIN_S).scores["spam"] for other in others]
    assert answers == list(range(2, 12))
    assert model.batches == [1, 10]


def test_one_text_that_breaks_the_models_takes_no_other_with_it(
    scorer: BatchScorer, model: SlowModel
) -> None:
    blocker = scorer.ask(Question(text="x"))
    assert model.started.wait(ANSWERED_WITHIN_S)
    good, bad, fine = (scorer.ask(Question(text=t)) for t in ("good", "poison", "fine"))
    model.go.set()
    assert [each.result(ANSWERED_WITHIN_S).scores["spam"] for each in (blocker, good, fine)]
    with pytest.raises(ScorerUnavailable):
        bad.result(ANSWERED_WITHIN_S)
    assert scorer.ask(Question(text="after")).result(ANSWERED_WITHIN_S).model == "slow-1"


def test_a_full_queue_says_so_before_anything_is_promised(
    scorer: BatchScorer, model: SlowModel
) -> None:
    scorer.ask(Question(text="x"))
    assert model.started.wait(ANSWERED_WITHIN_S)
    for _ in range(20):
        scorer.make_room(promised=0)
        scorer.ask(Question(text="x"))
    with pytest.raises(Unavailable) as full:
        scorer.make_room(promised=0)
    assert full.value.code == "queue_full"
    assert full.value.headers["Retry-After"]


def test_a_promise_takes_room_before_it_is_asked_about(scorer: BatchScorer) -> None:
    scorer.make_room(promised=19)
    with pytest.raises(Unavailable):
        scorer.make_room(promised=20)


def test_nobody_who_left_is_scored_and_nobody_waits_for_them(
    scorer: BatchScorer, model: SlowModel
) -> None:
    scorer.ask(Question(text="x"))
    assert model.started.wait(ANSWERED_WITHIN_S)
    assert scorer.ask(Question(text="gone")).cancel()
    model.go.set()
    scorer.ask(Question(text="here")).result(ANSWERED_WITHIN_S)
    assert sum(model.batches) == 2


def test_an_article_is_read_once(scorer: BatchScorer, model: SlowModel) -> None:
    model.go.set()
    asked = [scorer.ask(Question(text="x", article=READ)) for _ in range(5)]
    for each in asked:
        each.result(ANSWERED_WITHIN_S)
    version, stored = scorer.embed(READ).result(ANSWERED_WITHIN_S)
    assert model.articles == ["The quay"]
    assert (version, stored[:1]) == ("slow-1", b"{")


def test_passages_of_another_model_are_not_used(scorer: BatchScorer, model: SlowModel) -> None:
    model.go.set()
    old = ArticleText(
        revision_id=2, title="Old", text="Old.", passages=b"x", passages_model="older"
    )
    scorer.ask(Question(text="x", article=old)).result(ANSWERED_WITHIN_S)
    assert model.articles == ["Old"]


def test_closing_answers_whoever_still_waits(model: SlowModel) -> None:
    scorer = BatchScorer(None, threads=1, queue=20)
    first = scorer.ask(Question(text="x"))
    assert model.started.wait(ANSWERED_WITHIN_S)
    left = scorer.ask(Question(text="x"))
    closing = threading.Thread(target=scorer.close)
    closing.start()
    model.go.set()
    closing.join(ANSWERED_WITHIN_S)
    first.result(0)
    with pytest.raises(ScorerUnavailable):
        left.result(0)
    with pytest.raises(ScorerUnavailable):
        scorer.ask(Question(text="late")).result(0)


@pytest.mark.parametrize("manifest", ["[]", "{}", "null", "no json", None])
def test_weights_that_are_no_weights_are_a_trouble_and_no_crash(
    tmp_path: Path, manifest: str | None
) -> None:
    """A file where the folder should be, or a manifest of another kind."""
    folder = tmp_path / "weights"
    if manifest is None:
        folder.write_text("not a folder")
    else:
        folder.mkdir()
        (folder / "manifest.json").write_text(manifest)
    scorer = BatchScorer(folder, threads=1, queue=20)
    scorer.close()
    assert scorer.trouble


def test_a_score_that_is_no_number_is_no_answer(scorer: BatchScorer, model: SlowModel) -> None:
    model.go.set()
    with pytest.raises(ScorerUnavailable):
        scorer.ask(Question(text="nan")).result(ANSWERED_WITHIN_S)


def test_missing_weights_are_a_trouble_and_no_crash(tmp_path: Path) -> None:
    scorer = BatchScorer(tmp_path, threads=1, queue=20)
    assert scorer.model is None
    assert scorer.trouble
    with pytest.raises(ScorerUnavailable):
        scorer.ask(Question(text="x")).result(0)
    with pytest.raises(ScorerUnavailable):
        scorer.embed(READ).result(0)
    scorer.close()


def test_explanations_wait_apart_and_no_verdict_waits_for_them(
    scorer: BatchScorer, model: SlowModel
) -> None:
    explained = scorer.explain(Question(text="x", article=READ), ["spam"])
    assert model.started.wait(ANSWERED_WITHIN_S)
    assert scorer.waiting == 0
    scored = scorer.ask(Question(text="xx"))
    model.go.set()
    assert scored.result(ANSWERED_WITHIN_S).scores == {"spam": 2.0}
    assert explained.result(ANSWERED_WITHIN_S) == ()


def test_what_breaks_an_explanation_breaks_no_other(scorer: BatchScorer, model: SlowModel) -> None:
    model.go.set()
    broken = scorer.explain(Question(text="poison"), ["spam"])
    fine = scorer.explain(Question(text="x"), ["spam"])
    assert fine.result(ANSWERED_WITHIN_S) == ()
    with pytest.raises(ScorerUnavailable):
        broken.result(ANSWERED_WITHIN_S)


def test_explanations_are_refused_when_too_many_wait_and_when_the_scorer_closes(
    scorer: BatchScorer, model: SlowModel
) -> None:
    scorer.explain(Question(text="x"), ["spam"])
    assert model.started.wait(ANSWERED_WITHIN_S)
    waiting = [scorer.explain(Question(text="x"), ["spam"]) for _ in range(MOST_WANTED)]
    with pytest.raises(Unavailable):
        scorer.explain(Question(text="x"), ["spam"]).result(ANSWERED_WITHIN_S)
    assert waiting[0].cancel()
    closing = threading.Thread(target=scorer.close)
    closing.start()
    model.go.set()
    closing.join(ANSWERED_WITHIN_S)
    with pytest.raises(ScorerUnavailable):
        waiting[-1].result(ANSWERED_WITHIN_S)
