"""The figures of a model's card: those of the results, each with its 95 % interval.

Results tell of single rows; a card is read by more people. So it tells nothing of fewer rows of a
class than a hospital publishes (`fl.datasets.summary.LEAST`): shares that would are kept back, and
tenths of the score are put together until each range holds enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.results import DIGITS
from fl.datasets.summary import LEAST
from fl.experiments.intervals import area_interval, mean_of_shares, wilson

WILSON = "Wilson, 1927"
MEAN = "Newcombe, 1998; Zou, Donner, 2008"
AREA = "Hanley, McNeil, 1982"

Counts = Sequence[Sequence[int]]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A figure over the test rows of all hospitals together, from `low` to `high` with 95 %.

    `method` says by whose interval; None where a bound, or how many `rows`, is not told.
    """

    name: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    rows: int | None
    method: str


@dataclass(frozen=True)
class Range:
    """Test rows with like scores: the mean score, and the share that had the disease.

    `score_low` and `score_high` bound the scores; `low` and `high` are the share's 95 % interval
    (Wilson).
    """

    score_low: float
    score_high: float
    rows: int
    mean_score: float
    came_true: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupFigures:
    """The figures of the test rows of one group, `by` sex or age; none where they are kept back."""

    by: str
    group: str
    figures: tuple[Figure, ...]


def card_figures(results: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The figures of a training's `results`; none where nobody reported."""
    test = (results.get("pooled") or {}).get("test")
    if not test:
        return ()
    counts, rows = test["confusion"], test["rows"]
    right = [(line[at], sum(line)) for at, line in enumerate(counts)]
    told = all(cell >= LEAST for line in counts for cell in line)
    whole = wilson(sum(one for one, _ in right), rows) if rows else None
    balanced = mean_of_shares(right) if told else None
    return (
        _figure("accuracy", "Right answers", test["accuracy"], whole, rows, WILSON),
        *(_by_class(results["classes"], right) if told else ()),
        _figure(
            "balanced_accuracy",
            "Right answers, balanced over the classes",
            test["balanced_accuracy"],
            balanced,
            rows,
            MEAN,
        ),
        _figure("auc", "AUC", test["auc"], _area(test["auc"], right, told), rows, AREA),
    )


def card_groups(
    classes: Sequence[str], counts: Mapping[str, Mapping[str, NDArray[np.int64]]]
) -> tuple[GroupFigures, ...]:
    """The figures of each group with rows; `counts` are by grouping, group, class and prediction.

    A group with under LEAST rows of a class is kept back, as are shares by class that would tell of
    fewer rows; and so that nothing is worked out from the total, those of a second group, too.
    """
    found = []
    for by, groups in counts.items():
        filled = {name: table for name, table in groups.items() if table.sum()}
        few = {name for name, table in filled.items() if table.sum(axis=1).min() < LEAST}
        thin = {name for name, table in filled.items() if table.min() < LEAST}
        hidden, untold = (_with_second(one, filled) for one in (few, thin))
        for name, table in filled.items():
            figures = () if name in hidden else _of_group(classes, table, name not in untold)
            found.append(GroupFigures(by, name, tuple(figures)))
    return tuple(found)


def _with_second(hidden: set[str], filled: Mapping[str, NDArray[np.int64]]) -> set[str]:
    """What is kept back, with the smallest other group where one alone would be the difference."""
    others = sorted(filled.keys() - hidden, key=lambda name: (int(filled[name].sum()), name))
    return hidden | set(others[:1]) if len(hidden) == 1 else hidden


def _of_group(classes: Sequence[str], table: NDArray[np.int64], by_class: bool) -> Iterator[Figure]:
    right = [(int(line[at]), int(line.sum())) for at, line in enumerate(table)]
    correct, rows = sum(one for one, _ in right), int(table.sum())
    share = round(correct / rows, DIGITS)
    yield _figure("accuracy", "Right answers", share, wilson(correct, rows), rows, WILSON)
    if by_class:
        yield from _by_class(classes, right)


def card_ranges(results: Mapping[str, Any]) -> tuple[Range, ...]:
    """Scores and what came true, from `results`, in ranges with LEAST rows of either class."""
    tenths = results.get("reliability") or ()
    groups: list[list[Mapping[str, Any]]] = [[]]
    for tenth in tenths:
        groups[-1].append(tenth)
        if _enough(groups[-1]):
            groups.append([])
    rest = groups.pop()
    if not groups:
        return ()
    groups[-1] += rest
    return tuple(_range(group) for group in groups)


def _by_class(classes: Sequence[str], right: Sequence[tuple[int, int]]) -> Iterator[Figure]:
    names = ("specificity", "sensitivity")
    if len(classes) != len(names):
        return
    for name, disease, (found, rows) in zip(names, classes, right, strict=True):
        title = f"{name.capitalize()}: right answers, {disease}"
        share = round(found / rows, DIGITS)
        yield _figure(name, title, share, wilson(found, rows), rows, WILSON)


def _area(
    area: float | None, right: Sequence[tuple[int, int]], told: bool
) -> tuple[float, float] | None:
    if area is None or not told:
        return None
    (_, negatives), (_, positives) = right
    return area_interval(area, negatives, positives)


def _figure(
    name: str, title: str, value: float | None, bounds: Bounds | None, rows: int, method: str
) -> Figure:
    low, high = (round(end, DIGITS) for end in bounds) if bounds else (None, None)
    return Figure(name, title, value, low, high, rows, method)


def _positive(tenth: Mapping[str, Any]) -> int:
    """How many rows had the disease; the share was rounded, the count was whole."""
    return round(float(tenth["came_true"]) * int(tenth["rows"]))


def _enough(group: Sequence[Mapping[str, Any]]) -> bool:
    ill = sum(map(_positive, group))
    rows = sum(int(one["rows"]) for one in group)
    return min(ill, rows - ill) >= LEAST


def _range(group: Sequence[Mapping[str, Any]]) -> Range:
    rows, ill = sum(one["rows"] for one in group), sum(map(_positive, group))
    low, high = wilson(ill, rows)
    said = sum(one["said"] * one["rows"] for one in group) / rows
    ends = (group[0]["low"], group[-1]["high"], low, high, said, ill / rows)
    score_low, score_high, low, high, said, share = (round(one, DIGITS) for one in ends)
    return Range(score_low, score_high, rows, said, share, low, high)
