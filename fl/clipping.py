"""The norm bound of updates: cutting to it, checking it, and moving it with the federation.

Adaptive clipping: Andrew, Thakkar, McMahan, Ramaswamy, "Differentially Private Learning with
Adaptive Clipping", NeurIPS 2021, arXiv 1905.03871, section 2: the bound follows the quantile gamma
of the updates' norms by geometric steps, C <- C exp(-eta (share unclipped - gamma)). Here fractions
take the place of the exponential, so that every machine moves alike.
"""

from __future__ import annotations

import math
from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from crypto.fixedpoint import SCALE
from fl.errors import SettingsError

# The quantile of norms that the bound follows, and the step. Nearly all updates of a round that is
# honest pass uncut: what the bound is for is that none is many times larger than the others.
TARGET = Fraction(4, 5)
RATE = Fraction(1, 2)
SMALLEST, LARGEST = SCALE // 16, 64 * SCALE


def clip(delta: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Return `delta`, scaled down to L2 norm `bound` where it is longer."""
    norm = float(np.linalg.norm(delta))
    # What is not finite stays as it is, and is refused by name when it is encoded.
    return delta * (bound / norm) if bound < norm < math.inf else delta


def next_bound(bound: int, unclipped: int, count: int) -> int:
    """Return the bound of the next round, in units of 2^-16.

    `unclipped` of `count` updates were within `bound`. With d the target's excess over their share,
    the bound is multiplied by 1 + RATE d, or divided by 1 + RATE |d| where d is negative: it moves
    by at most the factor 1 + RATE a round, and stays within SMALLEST and LARGEST. Raises
    SettingsError when the counts or the bound cannot be.
    """
    if not 0 <= unclipped <= count or count < 1:
        raise SettingsError(f"expected 0 to {count} of at least 1 update; got {unclipped}")
    if not SMALLEST <= bound <= LARGEST:
        raise SettingsError(f"expected a bound from {SMALLEST} to {LARGEST}; got {bound}")
    excess = TARGET - Fraction(unclipped, count)
    factor = 1 + RATE * abs(excess)
    moved = bound * factor if excess >= 0 else bound / factor
    return min(max(round(moved), SMALLEST), LARGEST)


def norm_limit(bound: int, length: int) -> int:
    """Return R = ceil(2^16 B + sqrt(L) / 2), the largest norm of an encoded vector, in 2^-16.

    `bound` is 2^16 B; the second term is what rounding L entries can add.
    """
    # sqrt(L) / 2 rounded up is the least k with 4 k^2 >= L.
    return bound + (isqrt(max(length - 1, 0)) + 2) // 2 if length else bound


def within(vector: NDArray[np.int64], bound: int) -> bool:
    """Whether an encoded vector is what the review lets pass: sum of squares at most R^2.

    Exact: an entry beyond R decides before anything is squared.
    """
    limit = norm_limit(bound, len(vector))
    if vector.size and max(int(vector.max()), -int(vector.min())) > limit:
        return False
    if limit**2 * vector.size < 1 << 62:
        return int(np.dot(vector, vector)) <= limit**2
    # In Python's integers, which do not wrap.
    squares: int = sum(entry * entry for entry in vector.tolist())
    return squares <= limit**2
