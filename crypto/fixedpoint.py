"""Reals as integers with 16 fractional bits, checked on the way in.

A value x becomes round(x 2^16), ties to even, so one value is off by at most 2^-17. NaN, infinity
and values beyond the stated bound are errors here, before anything is shared: inside the field they
would wrap without a trace.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

import numpy as np
import numpy.typing as npt

from crypto.errors import RangeError
from crypto.field import F61, Field

FRACTION_BITS = 16
SCALE = 1 << FRACTION_BITS

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def encode(values: Reals, bound: float) -> Integers:
    """Fixed-point integers, shape as given, of reals with |x| <= bound.

    Raises RangeError when an entry is NaN, infinite or beyond the bound, or when the bound itself
    is none that `check_capacity` lets through.
    """
    check_capacity([1], bound)
    if values.size and not np.isfinite(values).all():
        raise RangeError(
            f"expected finite values, got {int((~np.isfinite(values)).sum())} NaN or infinite"
        )
    largest = float(np.abs(values).max()) if values.size else 0.0
    if largest > bound:
        raise RangeError(f"expected values of magnitude up to {bound}, got larger ones")
    return np.rint(values * SCALE).astype(np.int64)


def decode_mean(total: Integers, weight: int) -> Reals:
    """The reals of a weighted sum of encoded values, divided by the sum of weights.

    Raises RangeError unless the weight is positive.
    """
    if weight <= 0:
        raise RangeError(f"expected a positive sum of weights, got {weight}")
    return total.astype(np.float64) / float(weight) / SCALE


def check_capacity(weights: list[int], bound: float, field: Field = F61) -> None:
    """Refuse a round whose weighted sum could leave the field: sum_i w_i (B 2^16 + 1) < p / 2.

    The 1 is the rounding of an entry at the bound. Raises RangeError, also for a negative weight or
    a bound that is not a positive number.
    """
    if not (isfinite(bound) and bound > 0):
        raise RangeError(f"expected a positive bound, got {bound}")
    if any(weight < 0 for weight in weights):
        raise RangeError(f"expected weights of at least 0, got {min(weights)}")
    # In fractions: a product of floats near p / 2 would be off by more than 1.
    largest = sum(weights) * (Fraction(bound) * SCALE + 1)
    if 2 * largest >= field.modulus:
        raise RangeError(
            f"expected a weighted sum below 2^{field.bits - 1}, got up to {float(largest):.3g}: "
            f"fewer samples or a smaller norm bound than {bound} is needed"
        )
