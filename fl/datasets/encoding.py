"""From a patient's values to a network's inputs: imputed, standardised, bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl.datasets.statistics import Statistics, scaled
from fl.datasets.task import Task
from fl.errors import StatisticsError

# Public: the range analysis of the encrypted review starts from it.
INPUT_BOUND = 8.0


def encode(
    task: Task, features: NDArray[np.float64], statistics: Statistics
) -> NDArray[np.float32]:
    """Return float32 (rows, task.inputs) within +-INPUT_BOUND.

    ``features`` is float64 (rows, columns), NaN where missing. An input is (z - mean) / deviation
    with the federation's mean and deviation; a category is one input a value, standardised alike.
    A missing value becomes 0: the federation's mean, for a category its frequencies. An input that
    no hospital has, or that is the same everywhere, is 0 for everybody: a network learns nothing
    from it. Raises TableError when the columns are not the task's or a value is infinite, and
    StatisticsError when the statistics are another task's.
    """
    if statistics.task != task.name:
        raise StatisticsError(f"expected statistics of {task.name}; got {statistics.task}")
    deviation = statistics.deviation
    known = deviation > 0
    standard = (scaled(task, features) - statistics.mean) / np.where(known, deviation, 1.0)
    standard = np.where(known & ~np.isnan(standard), standard, 0.0)
    return np.clip(standard, -INPUT_BOUND, INPUT_BOUND).astype(np.float32)
