"""How far a patient lies from those that a federation trained on, by its public statistics alone.

Means and deviations of single columns are all that a federation knows together, so columns count as
independent: what is unusual only in combination is not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.datasets.statistics import Statistics, scaled
from fl.datasets.task import Column, Task

FAR = 3.0  # standard deviations
RARE = 0.02  # of the federation's patients
# The standard normal distribution's 99th percentile.
Z99 = 2.3263


@dataclass(frozen=True)
class Unusual:
    """A value that few of the federation's patients have.

    Of a number `deviations` from the federation's `mean` (in the column's unit); of a category
    `share` of the patients have it. The others are None.
    """

    column: Column
    value: float
    deviations: float | None = None
    mean: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Familiarity:
    """What is unusual about a patient, and how far the numbers lie from the means as a whole.

    `distance` is the root mean square of their deviations (1 for an average patient), None without
    a number that is known; `limit` is what 99 of 100 independent normal patients stay below.
    """

    unusual: tuple[Unusual, ...]
    distance: float | None
    limit: float

    @property
    def unlike(self) -> bool:
        """Whether an answer for this patient is to be taken with more care than others."""
        return bool(self.unusual) or (self.distance is not None and self.distance > self.limit)


def compare(task: Task, features: NDArray[np.float64], statistics: Statistics) -> Familiarity:
    """Compare one patient, float64 (1, columns) with NaN where missing, with the federation.

    Columns that nobody has, or that are the same everywhere, say nothing and are left out. Raises
    TableError when the columns are not the task's.
    """
    inputs = scaled(task, features)[0]
    mean, deviation = statistics.mean, statistics.deviation
    unusual: list[Unusual] = []
    squares: list[float] = []
    start = 0
    for column, value in zip(task.columns, features[0], strict=True):
        own = slice(start, start + column.inputs)
        start += column.inputs
        if math.isnan(value) or not statistics.count[own].any():
            continue
        if column.kind == "number":
            if deviation[own][0] > 0:
                far = float((inputs[own][0] - mean[own][0]) / deviation[own][0])
                squares.append(far * far)
                if abs(far) > FAR:
                    unusual.append(Unusual(column, value, far, _in_unit(column, mean[own][0])))
        elif (share := _share(column, value, mean[own])) < RARE:
            unusual.append(Unusual(column, value, share=share))
    count = len(squares)
    distance = math.sqrt(sum(squares) / count) if count else None
    return Familiarity(tuple(unusual), distance, _limit(count))


def _in_unit(column: Column, mean: float) -> float:
    return float((column.high + column.low) / 2 + mean * (column.high - column.low) / 2)


def _share(column: Column, value: float, mean: NDArray[np.float64]) -> float:
    """How many of the federation's patients have this value; see `scaled` for binary columns."""
    if column.kind == "category":
        return float(mean[int(value)])
    ones = (float(mean[0]) + 1) / 2
    return ones if value == 1 else 1 - ones


def _limit(count: int) -> float:
    """The root of chi-square's 99th percentile over its degrees (Wilson and Hilferty 1931)."""
    if not count:
        return math.inf
    spread = 2 / (9 * count)
    cubed: float = (1 - spread + Z99 * math.sqrt(spread)) ** 3
    return math.sqrt(cubed)
