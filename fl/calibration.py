"""From a model's score to a probability that comes true as often as it says.

A logistic curve over the score's log-odds, p' = sigmoid(slope x + intercept), fitted by maximum
likelihood to test rows (Platt 1999). It is temperature scaling (Guo et al. 2017, section 4.2) with
an intercept, because local training weighs classes alike, which moves every score by the odds of
the classes. What is fitted to are counts of rows by class and score bin (`fl.evaluation`), so no
row is shown; a row stands at its bin's middle, and scores beyond the outermost middles, of which
nothing is known, count as these. The slope has a normal prior around 1 with deviation
1: few rows leave the model's own odds nearly as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.evaluation import BINS

Scores = NDArray[np.float64]  # (2, BINS): rows without and with the disease by bin
Values = NDArray[np.float64]

LEAST_ROWS = 10  # of each class
GROUPS = 10
FOLDS = 5
SEED = 19_500_101
# A hospital counts as at most so many times the median of all: rows are self-declared.
MOST_MEDIANS = 2
# Half the width of a 95 % interval, in standard errors.
Z95 = 1.96
_STEPS = 100
_CLOSE = 1e-10
_MIDDLES = (np.arange(BINS) + 0.5) / BINS
_SMALLEST = 1e-9
# Scores beyond these count as these.
LOWEST, HIGHEST = float(_MIDDLES[0]), float(_MIDDLES[-1])


@dataclass(frozen=True)
class Calibration:
    """A fitted curve: `covariance` is that of (slope, intercept), `rows` what it was fitted to."""

    slope: float
    intercept: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    rows: float

    def apply(self, scores: Values) -> Values:
        """The probability for each score, of any shape."""
        return _sigmoid(self.slope * _log_odds(scores) + self.intercept)

    def interval(self, score: float) -> tuple[float, float]:
        """What the probability lies in with 95 %, by the spread of the rows (delta method)."""
        at = np.array([float(_log_odds(np.array(score))), 1.0])
        middle = at @ np.array([self.slope, self.intercept])
        spread = Z95 * float(np.sqrt(at @ np.array(self.covariance) @ at))
        low, high = _sigmoid(np.array([middle - spread, middle + spread]))
        return float(low), float(high)


@dataclass(frozen=True)
class Error:
    """How far probabilities are from what came true: `expected` is the mean distance over groups of
    like probability (ECE, Guo et al. 2017, equation 3), `brier` the mean square.
    """

    expected: float
    brier: float


@dataclass(frozen=True)
class HeldOut:
    """The errors on rows that a curve was not fitted to, before and after it was applied."""

    before: Error
    after: Error
    rows: int


@dataclass(frozen=True)
class Group:
    """Rows of probabilities from `low` to a GROUPS-th more: how many, the sum of their
    probabilities (how many were to be expected with the disease), and how many had it.
    """

    low: float
    rows: float
    expected: float
    positive: float


def pool(reports: Sequence[Sequence[Sequence[int]]]) -> Scores:
    """The hospitals' counts added up, each cut to MOST_MEDIANS times the median number of rows."""
    tables = [np.array(one, dtype=np.float64) for one in reports]
    sizes = np.array([table.sum() for table in tables])
    most = MOST_MEDIANS * float(np.median(sizes)) if len(sizes) else 0.0
    cut = [
        table * min(1.0, most / size) if size else table
        for table, size in zip(tables, sizes, strict=True)
    ]
    total: Scores = np.sum(cut, axis=0) if cut else np.zeros((2, BINS))
    return total


def fit(scores: Scores) -> Calibration | None:
    """The curve for these counts; None with fewer than LEAST_ROWS rows of a class, or where higher
    scores go with less disease, which no rising curve mends.
    """
    without, with_disease = np.asarray(scores, dtype=np.float64)
    if min(without.sum(), with_disease.sum()) < LEAST_ROWS:
        return None
    features = np.stack([_log_odds(_MIDDLES), np.ones(BINS)])  # (2, BINS)
    rows = without + with_disease
    weights = np.array([1.0, 0.0])
    prior = np.diag([1.0, 0.0])
    for _ in range(_STEPS):
        likely = _sigmoid(weights @ features)
        gradient = features @ (with_disease - rows * likely) - prior @ (weights - [1.0, 0.0])
        curved = (features * (rows * likely * (1 - likely))) @ features.T + prior
        step = np.linalg.solve(curved, gradient)
        # A long step may overshoot where the curve is flat.
        weights = weights + step * min(1.0, 2.0 / float(np.abs(step).max() + _SMALLEST))
        if float(np.abs(step).max()) < _CLOSE:
            break
    if weights[0] <= 0:
        return None
    (a, b), (_, d) = np.linalg.inv(curved)
    covariance = ((float(a), float(b)), (float(b), float(d)))
    return Calibration(float(weights[0]), float(weights[1]), covariance, float(rows.sum()))


def groups(scores: Scores, calibration: Calibration | None = None) -> list[Group]:
    """The rows in GROUPS equal ranges of (calibrated) probability; empty ranges are left out."""
    sums = _grouped(scores, _shown(calibration))
    return [Group(place / GROUPS, *map(float, row)) for place, row in enumerate(sums) if row[0]]


def error(scores: Scores, calibration: Calibration | None = None) -> Error:
    """How far the (calibrated) scores of these rows are from what came true. Needs a row."""
    shown = _shown(calibration)
    return _error(_grouped(scores, shown), _squares(scores, shown), float(scores.sum()))


def held_out(scores: NDArray[np.int64]) -> HeldOut | None:
    """The errors by cross-validation: rows are dealt to FOLDS folds, and each fold is judged by the
    curve of the others. None where a fold's others have too few rows.

    Which row of a bin goes to which fold does not matter, so counts are enough. Groups are formed
    over all folds together: of few rows each, they would show noise only.
    """
    counts = np.asarray(scores, dtype=np.int64)
    sums, squares = np.zeros((GROUPS, 3)), 0.0
    for fold in _deal(counts):
        curve = fit((counts - fold).astype(np.float64))
        if curve is None:
            return None
        shown = _shown(curve)
        sums += _grouped(fold, shown)
        squares += _squares(fold, shown)
    rows = int(counts.sum())
    return HeldOut(error(counts.astype(np.float64)), _error(sums, squares, rows), rows)


def _shown(calibration: Calibration | None) -> Values:
    return _MIDDLES if calibration is None else calibration.apply(_MIDDLES)


def _grouped(scores: NDArray[Any], shown: Values) -> NDArray[np.float64]:
    """Rows, sum of probabilities and rows with the disease of each group, (GROUPS, 3)."""
    place = np.minimum((shown * GROUPS).astype(np.int64), GROUPS - 1)
    rows = scores.sum(axis=0)
    sums = np.zeros((GROUPS, 3))
    np.add.at(sums, place, np.stack([rows, rows * shown, scores[1]], axis=1))
    return sums


def _squares(scores: NDArray[Any], shown: Values) -> float:
    return float((scores[0] * shown**2 + scores[1] * (1 - shown) ** 2).sum())


def _error(sums: NDArray[np.float64], squares: float, rows: float) -> Error:
    return Error(float(np.abs(sums[:, 1] - sums[:, 2]).sum()) / rows, squares / rows)


def _deal(counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows dealt evenly to folds, in a seeded order, class by class."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    folds = np.zeros((FOLDS, *counts.shape), dtype=np.int64)
    for label, row in enumerate(counts):
        bins = generator.permutation(np.repeat(np.arange(BINS), row))
        for place, one in enumerate(bins):
            folds[place % FOLDS, label, one] += 1
    return list(folds)


def _log_odds(scores: Values) -> Values:
    cut = np.clip(scores, LOWEST, HIGHEST)
    odds: Values = np.log(cut) - np.log1p(-cut)
    return odds


def _sigmoid(values: Values) -> Values:
    found: Values = 1 / (1 + np.exp(-np.clip(values, -700, 700)))
    return found
