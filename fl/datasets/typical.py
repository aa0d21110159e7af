"""What a model takes for a value that is missing: the federation's mean patient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fl.datasets.statistics import Statistics
from fl.datasets.task import Column, Task

# Of a number its mean, in the column's unit; of other kinds the share of each category.
Typical = tuple[float, ...]


def typical(task: Task, statistics: Statistics) -> Mapping[str, Typical]:
    """By column, what `fl.datasets.encode` puts in the place of a missing value.

    A column that no hospital has is left out: it is the same for everybody.
    """
    found: dict[str, Typical] = {}
    start = 0
    for column in task.columns:
        own = slice(start, start + column.inputs)
        start += column.inputs
        if statistics.count[own].any():
            found[column.name] = _of(column, statistics.mean[own])
    return found


def _of(column: Column, mean: NDArray[np.float64]) -> Typical:
    if column.kind == "category":
        return tuple(mean.tolist())
    middle, half = (column.high + column.low) / 2, (column.high - column.low) / 2
    in_unit = float(middle + mean[0] * half)
    return (in_unit,) if column.kind == "number" else (1 - in_unit, in_unit)
