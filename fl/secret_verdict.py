"""The verdict of `fl.verdict`, computed on shared counts: only flags and figures are opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crypto.field import F61
from crypto.kernels import Words
from crypto.mpc.compare import not_negative
from crypto.mpc.local import constant, negated, plus, scaled, sum_last, times
from crypto.mpc.multiply import open_shares
from crypto.mpc.session import Program, Session
from fl.verdict import (
    Rule,
    Ruler,
    first_round_quorum,
    half,
    lead,
    slice_ruler,
    step_thresholds,
    steps_allowed,
)


@dataclass(frozen=True, eq=False)
class Counts:
    """Shares of right answers (models + 1, slices, classes), the global model's last, degree 1.

    An update has none in its own hospital's slice, on which it is not tested. `differing` (models,)
    counts the rows that it is tested on where it predicts another class than the global model.
    """

    right: Words
    differing: Words


def below_chance(
    session: Session,
    counts: Counts,
    sizes: NDArray[np.int64],
    owners: Sequence[int],
    first_round: bool,
) -> Program[Words]:
    """Shares, (slices,), of values that are not negative for the slices below chance.

    By the global model, or in the first round by a quorum of models.
    """
    known = slice_ruler(sizes)
    scores = _weighted(counts.right, known.coefficients)  # (models + 1, slices)
    ahead = F61.subtract(scores, constant(np.broadcast_to(known.thresholds, scores.shape)))
    if not first_round:
        return plus(negated(ahead[-1]), -1)
    fine = yield from not_negative(session, np.ascontiguousarray(ahead[:-1]))
    others = np.array(owners)[:, None] != np.arange(len(sizes))  # (models, slices)
    kept = np.where(others, fine, np.uint64(0))
    number = others.sum(axis=0)
    needed = np.array([first_round_quorum(models) for models in number.tolist()])
    return F61.subtract(constant(number - needed), sum_last(kept.T))


def verdicts(
    session: Session, counts: Counts, known: Ruler, rule: Rule
) -> Program[list[tuple[bool, int, int]]]:
    """Accepted, balanced accuracy and reference in steps, of each model."""
    own = _balanced(counts.right[:-1], known)
    of_global = _balanced(np.broadcast_to(counts.right[-1], counts.right[:-1].shape), known)
    models = len(own)
    needed = F61.add(scaled(own, rule.denominator), constant(lead(known, rule)))
    against = scaled(np.concatenate([own, of_global]), rule.numerator)
    pairs = F61.subtract(
        np.repeat(needed, models), np.tile(against[:models], models)
    )  # [y_i >= p B_j], i outermost
    globals_ = F61.subtract(needed, against[models:])
    steps = np.array(step_thresholds(rule), dtype=np.int64)
    ladder = F61.subtract(
        np.repeat(np.concatenate([own, of_global]), steps.size),
        constant(np.tile(steps, 2 * models)),
    )
    bits = yield from not_negative(session, np.concatenate([pairs, globals_, ladder]))
    beaten = sum_last(bits[: models**2].reshape(models, models))
    above = bits[models**2 : models**2 + models]
    reached = bits[models**2 + models :].reshape(2, models, steps.size)
    # Above the global model and at least half of the models: one comparison for both.
    tally = plus(F61.add(beaten, scaled(above, models)), -(models + half(models)))
    accepted = yield from open_signs(session, tally)
    balanced = yield from open_shares(session, sum_last(reached[0]))
    median = int(np.sort(balanced)[half(models) - 1])
    # What exceeds the median, which is public by now: the maximum of both and no more.
    excess = np.zeros(models, dtype=np.uint64)
    if median < steps.size:
        excess = yield from open_shares(session, sum_last(reached[1][:, median:]))
    fewer = steps_allowed(known, rule)
    return [
        (bool(a), int(b), max(median + int(e) - f, 0))
        for a, b, e, f in zip(accepted, balanced, excess, fewer, strict=True)
    ]


def _balanced(right: Words, known: Ruler) -> Words:
    """Shares of B_i, (models,), from counts (models, slices, classes)."""
    models, slices, classes = right.shape
    weights = known.tested[:, :, None] * known.coefficients[:, None, :]
    return sum_last(times(right, constant(weights)).reshape(models, slices * classes))


def _weighted(right: Words, coefficients: NDArray[np.int64]) -> Words:
    """Scores (models, slices) by the public coefficients (slices, classes)."""
    return sum_last(times(right, constant(np.broadcast_to(coefficients, right.shape))))


def open_signs(session: Session, values: Words) -> Program[list[bool]]:
    """Open whether each value is at least zero."""
    bits = yield from not_negative(session, values)
    return (yield from open_bits(session, bits))


def open_bits(session: Session, bits: Words) -> Program[list[bool]]:
    """Open shared bits."""
    opened = yield from open_shares(session, bits)
    return [int(bit) == 1 for bit in opened]
