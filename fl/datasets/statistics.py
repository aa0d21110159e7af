"""Means and deviations of a federation, from sums that hospitals add up without showing them.

Every column feeds one input of the network, a category one for each of its values. For each input
a hospital sums, over its rows where the column is present, 1, z and z^2, where
z = (value - centre) / half with the public centre and half of the column's plausible range, cut to
[-1, 1]; for one value of a category z is 1 or 0. So no entry exceeds the number of rows: with 16
fractional bits, sums of fewer than 2^40 rows stay far under 2^43.

The federation's vector is kept as it came; means and deviations are derived from it. With sums
rounded to 2^-16 at each of N hospitals, a mean is off by at most N 2^-17 / count in units of half.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.datasets.task import Column, Task
from fl.errors import StatisticsError, TableError

VERSION = 1
MOMENTS = 3  # count, sum, sum of squares
# Under this variance (in units of half^2) a column counts as constant: it is what rounding to
# 2^-16 leaves of a variance of zero, for a federation of a few dozen rows.
CONSTANT = 1e-5
MOST_ROWS = 2**40


def sums_length(task: Task) -> int:
    """Return the length of the vector of ``local_sums``."""
    return MOMENTS * task.inputs


def scaled(task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (rows, task.inputs): z without the cut to [-1, 1], NaN where missing.

    Raises TableError when the columns are not the task's, or a value is infinite.
    """
    if features.ndim != 2 or features.shape[1] != len(task.columns):
        raise TableError(
            f"expected features (rows, {len(task.columns)}) for {task.name}; got {features.shape}"
        )
    if np.isinf(features).any():
        raise TableError("expected finite or missing values; got infinity")
    parts = [
        part
        for column, values in zip(task.columns, features.T, strict=True)
        for part in _scale_column(column, values)
    ]
    return np.stack(parts, axis=1)  # (rows, inputs)


def _scale_column(column: Column, values: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    if column.kind == "category":
        for position in range(len(column.categories)):
            yield np.where(np.isnan(values), np.nan, values == position)
    else:
        with np.errstate(over="ignore"):  # both callers cut what is too large
            yield (values - (column.high + column.low) / 2) / ((column.high - column.low) / 2)


def local_sums(task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one hospital's sums, float64 (sums_length(task),): every |entry| <= rows.

    ``features`` is float64 (rows, columns), NaN where missing (``table.features``). The vector is
    the counts of all inputs, then their sums, then their sums of squares. Raises TableError when
    the columns are not the task's, or a value is infinite.
    """
    z = np.clip(scaled(task, features), -1.0, 1.0)
    present = ~np.isnan(z)
    z = np.where(present, z, 0.0)
    return np.concatenate(
        [present.sum(axis=0, dtype=np.float64), z.sum(axis=0), (z * z).sum(axis=0)]
    )


@dataclass(frozen=True)
class Statistics:
    """What a federation knows of its columns: ``sums``, the hospitals' vectors added up."""

    task: str
    sums: tuple[float, ...]

    @classmethod
    def from_sums(cls, task: Task, sums: NDArray[np.float64]) -> Statistics:
        """Check the added vector, float64 (sums_length(task),), and wrap it.

        Raises StatisticsError when its length is another, an entry is not finite, a count is
        negative, not whole or beyond 2^40, or the sums are impossible for values in [-1, 1].
        """
        if sums.shape != (sums_length(task),):
            raise StatisticsError(f"expected {sums_length(task)} sums; got shape {sums.shape}")
        if not np.isfinite(sums).all():
            raise StatisticsError("expected finite sums; got NaN or infinity")
        count, total, squares = sums.reshape(MOMENTS, -1)
        if (count < 0).any() or (count > MOST_ROWS).any() or (count != np.floor(count)).any():
            raise StatisticsError(f"expected whole counts from 0 to 2^40; got {count}")
        slack = 1.0  # rounding to 2^-16 at each of fewer than 2^16 hospitals
        if (np.abs(total) > count + slack).any() or (squares > count + slack).any():
            raise StatisticsError("expected sums of values from -1 to 1; got larger ones")
        if (total * total > (squares + slack) * (count + slack)).any():
            raise StatisticsError("expected sums of squares that fit their sums; got smaller ones")
        return cls(task.name, tuple(float(value) for value in sums))

    @property
    def count(self) -> NDArray[np.float64]:
        """Rows of the federation in which each input is present, (inputs,)."""
        count: NDArray[np.float64] = self._moments()[0]
        return count

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each input in units of half the plausible range, (inputs,); 0 without rows."""
        count, total, _ = self._moments()
        mean: NDArray[np.float64] = total / np.maximum(count, 1.0)
        return mean

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation of each input, as ``mean``; 0 where constant or never present."""
        count, _, squares = self._moments()
        variance = squares / np.maximum(count, 1.0) - self.mean**2
        deviation: NDArray[np.float64] = np.sqrt(np.where(variance > CONSTANT, variance, 0.0))
        return deviation

    def _moments(self) -> NDArray[np.float64]:
        return np.array(self.sums, dtype=np.float64).reshape(MOMENTS, -1)

    def to_json(self) -> str:
        """Return the canonical JSON: equal statistics give equal text."""
        document = {"sums": list(self.sums), "task": self.task, "version": VERSION}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, task: Task, text: str) -> Statistics:
        """Read what ``to_json`` wrote for ``task``. Raises StatisticsError for anything else."""
        try:
            document = json.loads(text)
            version, name, sums = document["version"], document["task"], document["sums"]
            vector = np.array(sums, dtype=np.float64)
        except (ValueError, KeyError, TypeError) as error:
            raise StatisticsError(f"expected the JSON of statistics; got {text[:80]!r}") from error
        if version != VERSION or name != task.name:
            raise StatisticsError(
                f"expected statistics of {task.name}, version {VERSION}; got {name}, {version}"
            )
        return cls.from_sums(task, vector)
