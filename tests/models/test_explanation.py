"""Explanations are faithful: without the words that are named, the score falls."""

import random

import pytest

from models.explanation import explain
from models.inference import Classifier, Comment
from models.text import WORD

pytestmark = pytest.mark.weights

CALM = "The bollards on Quay Street are fine by me, and the bus stops where it always did."
COMMENTS = (
    ("toxicity", f"{CALM} What a stupid idiot you are, shut up."),
    ("toxicity", f"What a pathetic moron the author must be. {CALM}"),
    ("spam", f"{CALM} I earned $4,200 a week with my mentor, text him on WhatsApp now."),
    ("spam", "Get cheap essays written by experts at www.essay-kings.shop, 50% off today!"),
)


@pytest.mark.parametrize(("label", "text"), COMMENTS)
def test_the_words_named_carry_the_score(classifier: Classifier, label: str, text: str) -> None:
    [found] = explain(classifier, Comment(text=text), [label])
    assert found.words
    assert all(
        found.sentence.start <= w.span.start and w.span.end <= found.sentence.end
        for w in found.words
    )
    named = [w.span for w in found.words]
    others = [
        m.span()
        for m in WORD.finditer(text, found.sentence.start, found.sentence.end)
        if m.span() not in [(s.start, s.end) for s in named]
    ]
    chance = random.Random(1)
    as_many = chance.sample(others, min(len(named), len(others)))
    without = covered(text, [(s.start, s.end) for s in named])
    control = covered(text, as_many)
    whole, less, same = classifier.predict([Comment(text=t) for t in (text, without, control)])
    assert less.scores[label] < whole.scores[label]
    assert less.scores[label] < same.scores[label]


def covered(text: str, spans: list[tuple[int, int]]) -> str:
    letters = list(text)
    for start, end in spans:
        letters[start:end] = " " * (end - start)
    return "".join(letters)


def test_what_no_sentence_carries_is_not_explained(classifier: Classifier) -> None:
    assert explain(classifier, Comment(text=CALM), ["insight"]) == ()
    assert explain(classifier, Comment(text=""), ["spam"]) == ()


def test_a_sentence_without_end_is_explained_by_its_beginning(classifier: Classifier) -> None:
    endless = "you stupid idiot " * 3000
    [found] = explain(classifier, Comment(text=endless), ["toxicity"])
    assert found.words
    assert max(word.span.end for word in found.words) <= found.sentence.start + 600
