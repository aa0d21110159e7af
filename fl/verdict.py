"""The verdict on a model, from how many donated rows it gets right: a public rule, in integers.

Model i is tested on every kept slice but its own hospital's. With n_ic rows of class c there, r_ic
of them right, and C classes, its balanced accuracy is B_i = sum_c ceil(2^32 / (C n_ic)) r_ic, in
units of 2^-32, rounded up so that a perfect model has at least 1. B_g is the current global model's
on the same rows. With ref = max(median_j B_j, B_g) and a fraction p / q, the model is accepted when
B_i >= 1/C + p/q (ref_i - 1/C), where ref_i is ref, or less where few rows speak: with fewer than
32 / C of some class, 16 of two, a fair model misses the mark by chance, and ref_i = ref - a_i with
three times the standard deviation of a guesser's B on these rows,
a_i = 3 sqrt(sum_c 1 / (4 n_ic)) / C. Multiplied out, with
y_i = q B_i - (q - p) 2^32 / C + p a_i: at least ceil(n/2) of the n models have p B_j <= y_i, and
p B_g <= y_i. Ties accept.

Counts are arrays of int64: (slices, classes) for one model, (models, slices, classes) for several.
The encrypted review computes the same from shares with the constants of `ruler` and `slice_ruler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from fl.errors import VerdictError

UNIT = 1 << 32
LARGEST_DENOMINATOR = 16  # y_i stays below 2^37, so that a comparison has room for the difference
NOBODY = -1  # the owner index of a model whose hospital donated no slice

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """What the verdict is decided by, part of a training's plan.

    `numerator / denominator` is the share of the reference's lead over chance that a model must
    reach; a class with fewer than `fewest_rows` rows for any model counts for none; a model tested
    on fewer than `thin_rows` of one of two classes (of one of C: 2 / C times as many) is held to a
    reference that is lower by so many standard `deviations`; what is opened of a balanced accuracy
    is rounded down to 1 / `steps`. Raises VerdictError outside the ranges.
    """

    numerator: int = 1
    denominator: int = 2
    fewest_rows: int = 8
    steps: int = 20
    thin_rows: int = 16
    deviations: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.numerator <= self.denominator <= LARGEST_DENOMINATOR:
            raise VerdictError(
                f"expected a fraction above 0, at most 1, with a denominator up to "
                f"{LARGEST_DENOMINATOR}; got {self.numerator}/{self.denominator}"
            )
        if self.fewest_rows < 1 or not 1 <= self.steps <= 100:
            raise VerdictError(
                "expected fewest rows from 1 and steps from 1 to 100; "
                f"got {self.fewest_rows} and {self.steps}"
            )
        if self.thin_rows < 0 or self.deviations < 0:
            raise VerdictError(
                "expected thin rows and deviations from 0; "
                f"got {self.thin_rows} and {self.deviations}"
            )


@dataclass(frozen=True, eq=False)
class SliceRuler:
    """The public constants that judge slices.

    With `coefficients` int64 (slices, classes), a model's score on a slice is
    sum_c coefficients[s][c] right[s][c]: here simply its right answers. Below `thresholds` int64
    (slices,) it is under chance by more than a standard deviation.
    """

    coefficients: Counts
    thresholds: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ruler:
    """The public constants that judge models, once the kept slices are known.

    `coefficients` int64 (models, classes) are ceil(2^32 / (C n_ic)), 0 for a class that is left
    out; `tested` bool (models, slices) says which slices count for which model; `classes` are the
    C that remain. Under two, nothing is decided here: `decides` is false. `allowances` int64
    (models,) are what each model's reference is lowered by, in units of 2^-32.
    """

    coefficients: Counts
    tested: NDArray[np.bool_]
    classes: tuple[int, ...]
    allowances: NDArray[np.int64]

    @property
    def decides(self) -> bool:
        """Whether enough classes remain to judge by."""
        return len(self.classes) >= 2


@dataclass(frozen=True)
class Verdict:
    """The verdict on one model.

    `balanced` and `reference` are what is opened: balanced accuracy and max(median, B_g), rounded
    down to the rule's steps, the latter less the allowance's whole steps; `exact` is B_i in units
    of 2^-32, which only a simulation may look at.
    All three are None where too few classes remained.
    """

    accepted: bool
    balanced: int | None
    reference: int | None
    exact: int | None


@dataclass(frozen=True)
class Judgement:
    """All verdicts, in the order of the models, and the slices that were set aside."""

    verdicts: tuple[Verdict, ...]
    flagged: tuple[int, ...]
    classes: tuple[int, ...]


def judge(
    right: Counts,
    right_global: Counts,
    sizes: Counts,
    owners: Sequence[int],
    rule: Rule,
    first_round: bool,
) -> Judgement:
    """Judge the models that are in range from the counts themselves.

    `right` is (models, slices, classes), `right_global` and `sizes` (slices, classes); model i
    belongs to the donor of slice `owners[i]`, or of none (`NOBODY`). In the first round slices are
    judged by the models, afterwards by the global model. Raises VerdictError for counts that do not
    fit each other.
    """
    _check(right, right_global, sizes, owners)
    flagged = flag_slices(right, right_global, sizes, owners, first_round)
    known = ruler(sizes, flagged, owners, rule)
    if not known.decides:
        verdicts = (Verdict(True, None, None, None),) * len(owners)
        return Judgement(verdicts, flagged, known.classes)
    own = balanced(known, right)
    of_global = balanced(known, np.broadcast_to(right_global, right.shape))
    return Judgement(_verdicts(own, of_global, known, rule), flagged, known.classes)


def _verdicts(
    own: NDArray[np.int64], of_global: NDArray[np.int64], known: Ruler, rule: Rule
) -> tuple[Verdict, ...]:
    median = sorted(own.tolist())[half(len(own)) - 1]
    steps = step_thresholds(rule)
    verdicts = []
    needed = required(own, known, rule)
    fewer = steps_allowed(known, rule)
    for index, (mine, other) in enumerate(zip(own.tolist(), of_global.tolist(), strict=True)):
        reference = max(median, other)
        verdicts.append(
            Verdict(
                bool(rule.numerator * reference <= needed[index]),
                steps_reached(mine, steps),
                max(steps_reached(reference, steps) - fewer[index], 0),
                mine,
            )
        )
    return tuple(verdicts)


def half(models: int) -> int:
    """The rank of the median among n models, ceil(n/2), counted from the lowest."""
    return (models + 1) // 2


def required(own: Counts, known: Ruler, rule: Rule) -> Counts:
    """y_i of each B_i, int64 (models,): p ref may not exceed it."""
    return rule.denominator * own + lead(known, rule)


def lead(known: Ruler, rule: Rule) -> Counts:
    """y_i - q B_i, int64 (models,): p a_i - (q - p) 2^32 / C, that term rounded down."""
    chance = (rule.denominator - rule.numerator) * UNIT // len(known.classes)
    return rule.numerator * known.allowances - chance


def steps_allowed(known: Ruler, rule: Rule) -> list[int]:
    """The allowances in whole steps: what an opened reference is lowered by."""
    return [int(allowance) * rule.steps // UNIT for allowance in known.allowances]


def step_thresholds(rule: Rule) -> tuple[int, ...]:
    """The least B_i that opens as k / steps, for k = 1 .. steps: ceil(k 2^32 / steps)."""
    return tuple(_ceil_divide(step * UNIT, rule.steps) for step in range(1, rule.steps + 1))


def steps_reached(own: int, thresholds: Sequence[int]) -> int:
    """How many of the thresholds B_i reaches: what is opened of it."""
    return sum(own >= threshold for threshold in thresholds)


def slice_ruler(sizes: Counts) -> SliceRuler:
    """The constants that judge slices of the public `sizes`, int64 (slices, classes).

    Guessing among C classes gets n / C of n rows right, with a standard deviation of
    sqrt(n (C - 1)) / C: of two classes' rows, a share of sqrt(1 / (4 n)). All rows count alike
    here: the balanced accuracy of a slice with one row of a class hangs on that row, and did not
    see the flipped labels of such a slice.
    """
    classes = sizes.shape[1]
    thresholds = [_least_right(rows, classes) for rows in sizes.sum(axis=1).tolist()]
    return SliceRuler(np.ones_like(sizes), np.array(thresholds, dtype=np.int64))


def _least_right(rows: int, classes: int) -> int:
    """The least number of right answers that is not clearly below chance; 0 without rows.

    C right < n - sqrt(n (C - 1)) holds exactly where C right <= n - floor(sqrt(n (C - 1))) - 1.
    """
    if not rows:
        return 0
    return max((rows - isqrt(rows * (classes - 1)) - 1) // classes + 1, 0)


def first_round_quorum(models: int) -> int:
    """How many of the models must be below chance on a slice in the first round: all but one.

    Half would do while most are honest; but then five attackers in eight could put the honest
    slices aside. With fewer than three models it takes all, at least one.
    """
    return models - 1 if models >= 3 else max(models, 1)


def flag_slices(
    right: Counts,
    right_global: Counts,
    sizes: Counts,
    owners: Sequence[int],
    first_round: bool,
) -> tuple[int, ...]:
    """The slices to set aside: the global model is clearly below chance on them.

    In the first round the global model has learnt nothing; there, a `first_round_quorum` of the
    models that are not the donor's must be.
    """
    known = slice_ruler(sizes)
    below = (right_global * known.coefficients).sum(axis=1) < known.thresholds
    if first_round:
        low = (right * known.coefficients).sum(axis=2) < known.thresholds  # (models, slices)
        others = np.array(owners)[:, None] != np.arange(len(sizes))
        needed = [first_round_quorum(number) for number in others.sum(axis=0).tolist()]
        below = (low & others).sum(axis=0) >= np.array(needed)
    return tuple(np.flatnonzero(below).tolist())


def ruler(sizes: Counts, flagged: Sequence[int], owners: Sequence[int], rule: Rule) -> Ruler:
    """The constants that judge models, from public `sizes` (slices, classes) and flags.

    `owners[i]` is the slice of model i's hospital, or `NOBODY`.
    """
    slices = np.arange(len(sizes))
    kept = ~np.isin(slices, np.array(flagged, dtype=np.int64))
    tested = kept & (np.array(owners)[:, None] != slices)  # (models, slices)
    rows = tested.astype(np.int64) @ sizes  # (models, classes)
    enough = (rows >= rule.fewest_rows).all(axis=0)
    classes = tuple(np.flatnonzero(enough).tolist())
    coefficients = np.zeros_like(rows)
    for label in classes:
        coefficients[:, label] = [_ceil_divide(UNIT, len(classes) * n) for n in rows[:, label]]
    allowances = [_allowance([int(one[label]) for label in classes], rule) for one in rows]
    return Ruler(coefficients, tested, classes, np.array(allowances, dtype=np.int64))


def _allowance(rows: Sequence[int], rule: Rule) -> int:
    """a_i from the rows of each class that counts, rounded down; at most what is above chance."""
    classes = len(rows)
    # One class of many makes up little of B: with 32 / C rows it varies B no more than 16 of two.
    if not rows or min(rows) * classes >= 2 * rule.thin_rows:
        return 0
    guesses = sum(Fraction(1, 4 * count) for count in rows)
    variance = Fraction(rule.deviations * UNIT, classes) ** 2 * guesses
    return min(isqrt(int(variance)), UNIT - _ceil_divide(UNIT, classes))


def balanced(known: Ruler, right: Counts) -> NDArray[np.int64]:
    """B_i of each model, int64 (models,), from counts (models, slices, classes)."""
    hits = (right * known.tested[:, :, None]).sum(axis=1)  # (models, classes)
    total: NDArray[np.int64] = (hits * known.coefficients).sum(axis=1)
    return total


def _ceil_divide(dividend: int, divisor: int) -> int:
    return -(-dividend // int(divisor))


def _check(right: Counts, right_global: Counts, sizes: Counts, owners: Sequence[int]) -> None:
    if sizes.ndim != 2 or right_global.shape != sizes.shape or right.shape[1:] != sizes.shape:
        raise VerdictError(
            f"expected counts (models, slices, classes) that fit sizes {sizes.shape}; "
            f"got {right.shape} and {right_global.shape}"
        )
    if len(owners) != len(right) or not len(right):
        raise VerdictError(f"expected an owner for each of {len(right)} models; got {len(owners)}")
    for counts in (right, right_global, sizes):
        if counts.dtype != np.int64 or (counts < 0).any() or (counts > sizes).any():
            raise VerdictError("expected int64 counts from 0 up to the rows of the slices")
