"""Why a model answers as it does for one patient, and how unusual that patient is to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.datasets import Column, Statistics, Task
from fl.explanation import Coalitions, attribute
from fl.familiarity import Familiarity, compare

# The risk, (rows,), of patients with these features, (rows, columns), NaN where missing.
Risks = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Reason:
    """What one known value adds to the risk: `effect`, a probability's difference, give or take
    `error` (a standard error; 0 where nothing was sampled).
    """

    column: Column
    value: float
    effect: float
    error: float


@dataclass(frozen=True)
class Explanation:
    """The reasons, the strongest first; with `baseline`, the risk of the federation's average
    patient, their effects add up to `risk`. `unknown` are the columns without a value.
    """

    baseline: float
    risk: float
    reasons: tuple[Reason, ...]
    unknown: tuple[Column, ...]
    exact: bool
    familiarity: Familiarity


def explain(
    task: Task, statistics: Statistics, risks: Risks, features: NDArray[np.float64]
) -> Explanation:
    """Explain the risk of one patient, float64 (1, columns) with NaN where missing."""
    known = np.flatnonzero(~np.isnan(features[0]))

    def payoff(coalitions: Coalitions) -> NDArray[np.float64]:
        rows = np.full((len(coalitions), len(task.columns)), np.nan)
        rows[:, known] = np.where(coalitions, features[0, known], np.nan)
        return risks(rows)

    found = attribute(payoff, len(known))
    reasons = [
        Reason(task.columns[at], float(features[0, at]), float(part), float(error))
        for at, part, error in zip(known, found.parts, found.error, strict=True)
    ]
    return Explanation(
        baseline=found.baseline,
        risk=found.full,
        reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.effect))),
        unknown=tuple(column for at, column in enumerate(task.columns) if at not in known),
        exact=found.exact,
        familiarity=compare(task, features, statistics),
    )
