"""Measures: how well scores order and promise, each with its bootstrap interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

Array = NDArray[np.float64]
# A measure of truth and scores; rows that belong together (a debate) carry one group number.
Measure = Callable[[Array, Array, NDArray[np.int64]], float]
RESAMPLES = 300
# In a debate with fewer comments, five picks are most of it.
ENOUGH_COMMENTS = 8
PICKS = 5


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def measured(
    measure: Measure, truth: Array, given: Array, groups: NDArray[np.int64], *, by_group: bool
) -> Interval:
    """The measure and its interval; whole groups are drawn where rows of one are not independent."""
    chance = np.random.default_rng(0)
    names = np.unique(groups)
    members = [np.flatnonzero(groups == name) for name in names] if by_group else []
    found = []
    for _ in range(RESAMPLES):
        if by_group:
            drawn = chance.integers(0, len(names), len(names))
            rows = np.concatenate([members[i] for i in drawn])
            marks = np.concatenate([np.full(len(members[i]), n) for n, i in enumerate(drawn)])
        else:
            rows = chance.integers(0, len(truth), len(truth))
            marks = groups[rows]
        value = measure(truth[rows], given[rows], marks)
        if not np.isnan(value):
            found.append(value)
    low, high = np.quantile(found, [0.025, 0.975]) if found else (np.nan, np.nan)
    return Interval(measure(truth, given, groups), float(low), float(high))


def auc(truth: Array, given: Array, groups: NDArray[np.int64]) -> float:
    """Area under the ROC curve; nan where one class is missing."""
    if not 0 < truth.sum() < len(truth):
        return float("nan")
    return float(roc_auc_score(truth, given))


AUC = ("AUC", auc)


def f1(truth: Array, given: Array, groups: NDArray[np.int64]) -> float:
    """F1 of the positives at probability one half."""
    said = given >= 0.5
    hits = float((truth[said] == 1).sum())
    return 2 * hits / max(1.0, float(said.sum() + truth.sum()))


def recall_at_one_percent(truth: Array, given: Array, groups: NDArray[np.int64]) -> float:
    """The share of positives above the score that 1 % of the negatives reach."""
    negatives, positives = given[truth == 0], given[truth == 1]
    if not len(negatives) or not len(positives):
        return float("nan")
    allowed = int(len(negatives) * 0.01)
    limit = np.sort(negatives)[::-1][allowed]
    return float((positives > limit).mean())


def spearman(truth: Array, given: Array, groups: NDArray[np.int64]) -> float:
    """Rank correlation."""
    return float(spearmanr(truth, given).statistic)


def ndcg(truth: Array, given: Array, groups: NDArray[np.int64]) -> float:
    """Mean NDCG@5 over groups of enough rows, gain 2^rating - 1."""
    values = []
    for group in np.unique(groups):
        rows = groups == group
        if rows.sum() < ENOUGH_COMMENTS:
            continue
        gains = 2.0 ** truth[rows] - 1
        weights = 1 / np.log2(np.arange(2, PICKS + 2))
        best = float((np.sort(gains)[::-1][:PICKS] * weights).sum())
        if best > 0:
            got = float((gains[np.argsort(-given[rows], kind="stable")][:PICKS] * weights).sum())
            values.append(got / best)
    return float(np.mean(values)) if values else float("nan")


def mean(values: Sequence[float]) -> float:
    """Their arithmetic mean."""
    return float(np.mean(values))


def within(
    measure: Measure,
    lengths: Array,
    bands: int,
    *,
    over: Callable[[Sequence[float]], float] = mean,
) -> Measure:
    """The mean of a measure over bands of equal length (or what `over` makes of them), so that length cannot carry it.

    `groups` of the measure that comes back must be row numbers: they find each row's length again.
    """
    edges = np.quantile(lengths, np.linspace(0, 1, bands + 1)[1:-1])
    band = np.searchsorted(edges, lengths, side="right")

    def banded(truth: Array, given: Array, rows: NDArray[np.int64]) -> float:
        values = [
            measure(truth[here], given[here], rows[here])
            for here in (band[rows] == b for b in range(bands))
            if here.sum() > 1
        ]
        known = [v for v in values if not np.isnan(v)]
        return over(known) if known else float("nan")

    return banded


def row_numbers(count: int) -> NDArray[np.int64]:
    """Each row a group of its own."""
    return np.arange(count, dtype=np.int64)


def group_numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """Names as numbers, equal names alike."""
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
