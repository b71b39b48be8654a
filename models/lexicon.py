"""The lexicon: what the words of a text say by themselves, in whatever order they stand.

A linear model on weighted word counts (TF-IDF). A small encoder blurs rare words; here each keeps a weight of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.encoder import unit

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Lexicon:
    """A weight for each token and head, (vocabulary, heads), and how rare each token is, (vocabulary,)."""

    weights: Array
    rarity: Array

    def shares(self, tokens: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
        """The different ones of token ids (n,), in order, and their weights in the text: together of unit length."""
        known, counts = np.unique(tokens, return_counts=True)
        shares = ((1.0 + np.log(counts)) * self.rarity[known]).astype(np.float32)
        return known, unit(shares)

    def __call__(self, tokens: NDArray[np.int64]) -> Array:
        """Token ids (n,) to what is added to the logits (heads,); zeros for a text without words."""
        known, shares = self.shares(tokens)
        found: Array = shares @ self.weights[known]
        return found
