"""What a hospital publishes of its rows: counts, none of which tells of fewer than five patients.

A count under LEAST is published as "fewer than LEAST". What a total and its other parts would give
away by subtraction is kept back, too: of a group of cells with a known total, as many are
suppressed as it takes until those suppressed hold LEAST patients together. Small hospitals publish
coarser distributions, and from under FEW_ROWS on none. Edges of bins are those of a column's
plausible range, which is public: extremes would be single patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fl.datasets.table import Table
from fl.datasets.task import Column, Task

LEAST = 5
# Under FEW_ROWS patients no distribution is published, under MANY_ROWS one of half the bins.
FEW_ROWS, MANY_ROWS = 20, 150
BINS = 10

# A count, or None where it is suppressed.
Cell = int | None


@dataclass(frozen=True)
class Distribution:
    """One column's values: for each class, patients by bin or category."""

    column: Column
    labels: tuple[str, ...]
    counts: Mapping[str, tuple[Cell, ...]]
    missing: Cell

    @property
    def suppressed(self) -> int:
        """How many cells are kept back."""
        return sum(cell is None for cells in self.counts.values() for cell in cells)


@dataclass(frozen=True)
class Summary:
    """What one hospital publishes: its patients, how many by class, and each column's values.

    `distributions` is in the order of the task's columns; their `counts` are empty for a hospital
    that is too small to publish them.
    """

    hospital: str
    rows: int
    classes: Mapping[str, Cell]
    distributions: tuple[Distribution, ...]

    @property
    def coarse(self) -> bool:
        """Whether the hospital publishes fewer bins than large ones, or none."""
        return self.rows < MANY_ROWS


def summarise(task: Task, hospital: str, table: Table) -> Summary:
    """Return what `hospital` publishes of its `table`."""
    sizes = [int((table.labels == label).sum()) for label in range(len(task.classes))]
    distributions = tuple(
        _distribution(task, column, values, table.labels)
        for column, values in zip(task.columns, table.features.T, strict=True)
    )
    classes = dict(zip(task.classes, suppressed(sizes), strict=True))
    return Summary(hospital, len(table), classes, distributions)


def suppressed(counts: Sequence[int]) -> tuple[Cell, ...]:
    """Return the counts of a group whose total is known, without those that must not be told."""
    hidden = {at for at, count in enumerate(counts) if count < LEAST}
    by_size = sorted(set(range(len(counts))) - hidden, key=counts.__getitem__)
    while hidden and by_size and sum(counts[at] for at in hidden) < LEAST:
        hidden.add(by_size.pop(0))
    if len(hidden) == 1 and by_size:
        hidden.add(by_size.pop(0))
    return tuple(None if at in hidden else count for at, count in enumerate(counts))


def _distribution(
    task: Task, column: Column, values: NDArray[np.float64], labels: NDArray[np.int64]
) -> Distribution:
    absent = np.isnan(values)
    gaps = [int(absent[labels == label].sum()) for label in range(len(task.classes))]
    sizes = [int((labels == label).sum()) for label in range(len(task.classes))]
    # A class's gaps are what its size and its cells leave, so a few of them hide the total.
    few = any(0 < g < LEAST or 0 < n - g < LEAST for g, n in zip(gaps, sizes, strict=True))
    missing = None if few else sum(gaps)
    if len(values) < FEW_ROWS or absent.all():
        return Distribution(column, (), {}, missing)
    positions, words = _cells(column, values, BINS if len(values) >= MANY_ROWS else BINS // 2)
    counts = {}
    for label, name in enumerate(task.classes):
        cells = _counted(positions[labels == label], len(words))
        group = [*cells, gaps[label]] if gaps[label] else cells
        counts[name] = suppressed(group)[: len(words)]
    return Distribution(column, words, counts, missing)


def _counted(positions: NDArray[np.float64], cells: int) -> list[int]:
    known = positions[~np.isnan(positions)].astype(np.int64)
    counted: list[int] = np.bincount(known, minlength=cells).tolist()
    return counted


def _cells(
    column: Column, values: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The cell of each value, NaN where missing, and what the cells are called."""
    if column.kind != "number":
        return values, tuple(category.label for category in column.categories)
    edges = np.linspace(column.low, column.high, bins + 1)
    inner = np.searchsorted(edges[1:-1], values, side="right").astype(np.float64)
    digits = _digits(float(edges[1] - edges[0]))
    texts = [f"{edge:.{digits}f}" for edge in edges]
    words = tuple(f"{low} to {high}" for low, high in pairwise(texts))
    return np.where(np.isnan(values), np.nan, inner), words


def _digits(width: float) -> int:
    """Digits behind the point with which edges this far apart are told exactly, at most four."""
    return next((d for d in range(5) if abs(round(width, d) - width) < 1e-9 * width), 4)
