"""Calibration: logits into probabilities that mean what they say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Platt:
    """p = sigmoid(slope * logit + offset), fitted on rows that the network did not learn from."""

    slope: float
    offset: float

    def __call__(self, logits: Array) -> Array:
        return sigmoid(self.slope * logits + self.offset)


@dataclass(frozen=True)
class Band:
    """Between `low` and `high` a head abstains: outside, it errs on at most the stated share of rows."""

    low: float
    high: float
    abstains: float


def abstain_band(truth: Array, given: Array, *, error: float) -> Band:
    """The narrowest band that keeps the error below `low` and above `high` to the stated share each."""
    order = np.argsort(given)
    hits, values = truth[order], given[order]
    rows = np.arange(1, len(values) + 1)
    wrong_below = np.cumsum(hits) / rows
    wrong_above = (np.cumsum(1 - hits[::-1]) / rows)[::-1]
    calm = np.flatnonzero(wrong_below <= error)
    sure = np.flatnonzero(wrong_above <= error)
    low = float(values[calm[-1]]) if len(calm) else 0.0
    high = float(values[sure[0]]) if len(sure) else 1.0
    if low >= high:
        low = high = (low + high) / 2
    inside = (given > low) & (given < high)
    return Band(low=round(low, 4), high=round(high, 4), abstains=round(float(inside.mean()), 4))


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
