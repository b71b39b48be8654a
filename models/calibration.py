"""Calibration: logits into probabilities that mean what they say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Platt:
    """p = sigmoid(slope * logit + offset), fitted on rows that the head did not learn from."""

    slope: float
    offset: float

    def __call__(self, logits: Array) -> Array:
        return sigmoid(self.slope * logits + self.offset)


def sigmoid(x: Array) -> Array:
    """The logistic function, safe for large arguments."""
    return (1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0)))).astype(np.float32)


def expected_calibration_error(truth: Array, given: Array, bins: int = 10) -> float:
    """Mean gap between promised and found frequency, over bins of equal width, weighted by rows."""
    which = np.minimum((given * bins).astype(int), bins - 1)
    gaps = [
        abs(float(given[which == b].mean()) - float(truth[which == b].mean()))
        * float((which == b).mean())
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))
