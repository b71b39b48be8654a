"""The lexicon: words count wherever they stand, rare ones more, and it learns what they say."""

import numpy as np
import pytest

from models.data.sets import Example
from models.encoder import open_tokenizer
from models.labels import HEADS
from models.lexicon import Lexicon
from models.network import encoder_folder
from models.training.lexicon import fit_lexicon

TOXICITY, INCOHERENT = HEADS.index("toxicity"), HEADS.index("incoherent")


def ids(*tokens: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(tokens, dtype=np.int64)


def test_order_is_nothing_and_rarity_counts() -> None:
    lexicon = Lexicon(
        weights=np.array([[0.0], [1.0], [1.0]], dtype=np.float32),
        rarity=np.array([1.0, 1.0, 9.0], dtype=np.float32),
    )
    assert lexicon(ids(0, 1)) == lexicon(ids(1, 0))
    assert lexicon(ids(0, 2)) > lexicon(ids(0, 1)) > lexicon(ids(0, 0, 0))
    assert lexicon(ids(1)) == pytest.approx(1.0)  # of unit length, however rare
    assert lexicon(ids(0, 1, 1)) > lexicon(ids(0, 1))
    assert lexicon(ids()) == 0


def test_it_learns_the_words_that_tell() -> None:
    def row(text: str, label: float) -> Example:
        labels = {"toxicity": label, "incoherent": label}
        return Example(text=text, labels=labels, source="a", group=text, split="train")

    rows = [row(f"what a muppet, number {n}", 1.0) for n in range(30)]
    rows += [row(f"what a morning, number {n}", 0.0) for n in range(30)]
    rows += [row(f"what a river, number {n}", 0.5) for n in range(30)]  # raters at odds
    tokenizer = open_tokenizer(encoder_folder() / "tokenizer.json")
    lexicon = fit_lexicon(rows, tokenizer, {})
    said = [
        float(lexicon(np.array(tokenizer.encode(text).ids[1:-1]))[TOXICITY])
        for text in ("morning", "river", "muppet")
    ]
    assert said[0] < said[1] < said[2]
    assert abs(said[1]) < 0.2 * said[2]
    assert not lexicon.weights[:, INCOHERENT].any()  # salad has the words of sense


def test_a_set_can_be_made_to_count_less() -> None:
    def row(source: str, label: float) -> Example:
        return Example("a muppet", {"toxicity": label}, source, group="g", split="train")

    rows = [row("trusted", 1.0)] * 20 + [row("doubted", 0.0)] * 30
    tokenizer = open_tokenizer(encoder_folder() / "tokenizer.json")
    tokens = np.array(tokenizer.encode("muppet").ids[1:-1])
    even, weighed = (fit_lexicon(rows, tokenizer, w)(tokens) for w in ({}, {"doubted": 0.1}))
    assert weighed[TOXICITY] > even[TOXICITY]
