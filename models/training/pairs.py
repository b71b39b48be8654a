"""Pairs: comments beside true and false articles, and the ordinal relevance model fitted on them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.data.sets import Example
from models.encoder import Encoder
from models.relevance import FEATURES, Article, Likeness, Passages, compare, read_article
from models.text import normalise, sentences

Array = NDArray[np.float32]
# A comment beside the nearest other debate is hard; it is weighted like one that a rater saw.
NEAREST = 3
# Two in three pairs are made: counted in full, they would make relevance look rarer than it is.
MADE_COUNTS = 0.1


@dataclass(frozen=True)
class Pair:
    """A comment's row beside an article, with the rating it has or would have."""

    example: Example
    article_id: str
    rating: float

    @property
    def is_rated(self) -> bool:
        """Whether a rater saw them together; else the comment was put beside another article."""
        return self.article_id == str(self.example.row["article_id"])


def fit_relevance(
    encoder: Encoder, likeness: Likeness, rated: list[Example], *, seed: int, negatives: int = 2
) -> tuple[Array, Array]:
    """Weights (3, features) and offsets (3,) of P(rating >= 1), P(>= 2), P(>= 3), on rows the encoder did not learn from."""
    passages = read_articles(encoder, likeness, rated)
    pairs = make_pairs(rated, passages, seed=seed, negatives=negatives)
    pairs += shortened(pairs, seed=seed)
    features = pair_features(encoder, likeness, pairs, passages)
    ratings = np.array([pair.rating for pair in pairs])
    counts = [1.0 if pair.is_rated else MADE_COUNTS for pair in pairs]
    weights, offsets = [], []
    for step in (1, 2, 3):
        model = LogisticRegression(C=10.0, max_iter=1000)
        model.fit(features, ratings >= step - 0.25, sample_weight=counts)
        weights.append(model.coef_[0])
        offsets.append(model.intercept_[0])
    print("relevance", len(pairs), "pairs", dict(zip(FEATURES, weights[1].round(2), strict=True)))
    return np.array(weights, dtype=np.float32), np.array(offsets, dtype=np.float32)


def read_articles(
    encoder: Encoder, likeness: Likeness, examples: list[Example]
) -> dict[str, Passages]:
    """Title and description of every article that the examples stand under, read."""
    found: dict[str, dict[str, Any]] = {e.row["article_id"]: e.row for e in examples}
    return {
        article_id: read_article(
            encoder,
            likeness,
            Article(row["article_title"], row["article_desc"] or "", ""),
            model="training",
        )
        for article_id, row in found.items()
    }


def make_pairs(
    examples: list[Example], passages: dict[str, Passages], *, seed: int, negatives: int
) -> list[Pair]:
    """Rated pairs as they are; and each well-placed comment beside other debates, near and far."""
    chance = np.random.default_rng(seed)
    ids = sorted(passages)
    centres = np.stack([passages[i].vectors.mean(axis=0) for i in ids])
    likeness = centres @ centres.T
    pairs = []
    for example in examples:
        here = example.row["article_id"]
        pairs.append(Pair(example, here, float(example.row["x_rel"])))
        if example.row["x_rel"] < 2:
            continue
        row = likeness[ids.index(here)].copy()
        row[ids.index(here)] = -1.0
        # The very nearest may be the same subject; its neighbours in rank are hard and safely other.
        near = np.argsort(-row)[1 : 1 + NEAREST]
        others = [int(chance.choice(near)), *chance.integers(0, len(ids), negatives - 1)]
        pairs += [Pair(example, ids[i], 0.0) for i in others if ids[i] != here]
    return pairs


def shortened(pairs: list[Pair], *, seed: int) -> list[Pair]:
    """The same pairs by a sentence of the comment alone: real comments are shorter than rated ones.

    A sentence keeps the rating of its comment. That is not always true, and just so the model learns
    how little a few words tell.
    """
    chance = np.random.default_rng(seed)
    found = []
    for pair in pairs:
        text = pair.example.text
        parts = sentences(text)
        if len(parts) > 1:
            part = parts[int(chance.integers(0, len(parts)))]
            alone = replace(pair.example, text=text[part.start : part.end])
            found.append(replace(pair, example=alone))
    return found


def pair_features(
    encoder: Encoder, likeness: Likeness, pairs: list[Pair], passages: dict[str, Passages]
) -> Array:
    """(pairs, features), each comment encoded once."""
    texts = sorted({pair.example.text for pair in pairs})
    encoded = dict(zip(texts, encoder.encode([normalise(t) for t in texts]), strict=True))
    rows = []
    for pair in pairs:
        text = pair.example.text
        vectors = []
        for span in sentences(text):
            window = encoded[text].window_of(span)
            vectors.append(likeness(window.pool(window.inside(span))))
        whole = likeness(encoded[text].pooled)
        features, _ = compare(text, whole, vectors, passages[pair.article_id], None)
        rows.append(features)
    return np.stack(rows)
