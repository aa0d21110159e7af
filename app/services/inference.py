"""A patient's values as a model's row, and what a model says of rows; nothing is checked here."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from app.errors import RequestError
from fl.calibration import Calibration
from fl.datasets import Column, Statistics, Task, encode
from fl.networks import Parameters, build
from fl.plan import Plan

# By column, as stored; None where missing.
Values = Mapping[str, float | None]


class Scorer:
    """A model of columns with what scales its values and, where there is one, its curve."""

    def __init__(
        self,
        plan: Plan,
        parameters: Parameters,
        statistics: Statistics,
        curve: Calibration | None,
    ) -> None:
        self._data, self._statistics, self._curve = plan.data, statistics, curve
        self._module = build(plan.spec, parameters).double().eval()

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The model's own probability of each class, (rows, classes), of features (rows, columns),
        NaN where missing.
        """
        return _probabilities(self._module, encode(self._data, rows, self._statistics))

    def risks(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of the last class, (rows,), calibrated where there is a curve."""
        return self.calibrated(self.shares(rows)[:, -1])

    def calibrated(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Own probabilities of the last class, (rows,), by the curve where there is one."""
        return scores if self._curve is None else self._curve.apply(scores)


def features_of(task: Task, values: Values) -> NDArray[np.float64]:
    """The values as a row, (1, columns). Raises RequestError."""
    names = [column.name for column in task.columns]
    if unknown := sorted(set(values) - set(names)):
        raise RequestError(f"Expected values of {', '.join(names)}; got {', '.join(unknown)}.")
    row = [_value(column, values.get(column.name)) for column in task.columns]
    if all(math.isnan(value) for value in row):
        raise RequestError("Enter at least one value: nothing is known of this patient.")
    return np.array([row], dtype=np.float64)


def _value(column: Column, value: float | None) -> float:
    if value is None:
        return math.nan
    if column.kind == "number":
        if not column.low <= value <= column.high:
            unit = f" {column.unit}" if column.unit else ""
            raise RequestError(
                f"{column.label}: expected {column.low:g} to {column.high:g}{unit}, got {value:g}."
            )
    elif value not in range(len(column.categories)):
        allowed = ", ".join(category.label for category in column.categories)
        raise RequestError(f"{column.label}: expected one of {allowed}, got {value:g}.")
    return float(value)


def _probabilities(module: torch.nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probability of each class, (rows, classes), by a module of float64.

    In float64 the order of sums, another on each processor, counts for nothing: a doctor's own
    device finds the same (`app/services/device_model.py`).
    """
    with torch.inference_mode():
        logits = module(torch.from_numpy(inputs).double())
        shares: NDArray[np.float64] = torch.softmax(logits, dim=1).numpy()
    return shares
