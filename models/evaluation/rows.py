"""Rows: which of them a figure is about, and the share of them of which something is true."""

from collections.abc import Callable
from typing import Any

from models.evaluation import measures
from models.evaluation.bench import Figure, Row

# At most this many rows of a foreign set: the whole run stays within half an hour on two cores.
MOST = 10_000


def share_of(task: str, rows_from: str, measure: str, hits: Any, reach: float | None) -> Figure:
    """The share of rows of which something is true."""

    def mean(t: Any, g: Any, _: Any) -> float:
        return float(t.mean())

    interval = measures.measured(mean, hits, hits, measures.row_numbers(len(hits)), by_group=False)
    return Figure(task, rows_from, measure, len(hits), interval, {}, reach)


def has(column: str) -> Callable[[Row], bool]:
    return lambda row: row.data.get(column) is not None


def is_(column: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row.data[column] == value


def known(column: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get(column) is not None


def labelled(label: str) -> Callable[[Row], bool]:
    return lambda row: row.example is not None and label in row.example.labels
