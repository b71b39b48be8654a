"""Baselines: what length, a bag of words and the encoder as it was released achieve on the same rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from models.data.sets import Example
from models.encoder import open_encoder
from models.network import convert, encoder_folder, load_encoder
from models.text import normalise

Array = NDArray[np.float64]
# Rows a baseline learns from at most: more changes its figure in the third decimal.
MOST_ROWS = 5000
CHUNK = 512


def lengths(texts: Sequence[str]) -> Array:
    """Characters."""
    return np.array([float(len(text)) for text in texts])


class Baselines:
    """Simple models of a label, each fitted once and asked about many rows."""

    def __init__(self, cache: Path) -> None:
        model = cache / "released.xml"
        if not model.exists():
            convert(load_encoder(), model)
        self._encoder = open_encoder(model, encoder_folder() / "tokenizer.json", threads=None)
        self._means: dict[str, Array] = {}
        self._words: dict[str, Pipeline] = {}
        self._frozen: dict[str, LogisticRegression] = {}

    def scores(
        self, key: str, learn: list[Example], label: str, texts: Sequence[str]
    ) -> dict[str, Array]:
        """TF-IDF and the encoder as it was released; none where there is nothing to learn from."""
        if key not in self._words:
            rows, truth = _rows(learn, label)
            if len(set(truth)) < 2:
                return {}
            own = [e.text for e in rows]
            words = TfidfVectorizer(
                sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=60_000
            )
            self._words[key] = make_pipeline(words, _regression()).fit(own, truth)
            self._frozen[key] = _regression().fit(self.means(own), truth)
        return {
            "TF-IDF": self._words[key].decision_function(list(texts)),
            "frozen": self._frozen[key].decision_function(self.means(texts)),
        }

    def means(self, texts: Sequence[str]) -> Array:
        """(n, 384): each text as one unit vector of the encoder as it was released."""
        new = sorted(set(texts) - set(self._means))
        for start in range(0, len(new), CHUNK):
            some = new[start : start + CHUNK]
            encoded = self._encoder.encode([normalise(text) for text in some])
            self._means |= {
                text: each.mean.astype(np.float64) for text, each in zip(some, encoded, strict=True)
            }
        return np.stack([self._means[text] for text in texts])


def _regression() -> LogisticRegression:
    return LogisticRegression(max_iter=400, class_weight="balanced")


def _rows(learn: list[Example], label: str) -> tuple[list[Example], list[int]]:
    rows = [e for e in learn if label in e.labels]
    step = max(1, len(rows) // MOST_ROWS)
    rows = rows[::step]
    return rows, [round(e.labels[label]) for e in rows]
