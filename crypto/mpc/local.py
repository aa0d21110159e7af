"""What a party computes on its own shares alone: sums, and products with public numbers.

Each function takes and returns words of F_p; an array keeps its shape unless the text says so.
Adding a public number to a share of every party adds it to the secret, as a constant polynomial.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crypto.field import F61
from crypto.kernels import Words


def constant(values: NDArray[np.int64]) -> Words:
    """Public integers in (-p/2, p/2) as words: every party's share of them."""
    flat = np.ascontiguousarray(values, dtype=np.int64).ravel()
    return F61.from_signed(flat).reshape(np.shape(values))


def plus(values: Words, number: int) -> Words:
    """The values plus a public integer."""
    return F61.add(values, np.array(number % F61.modulus, dtype=np.uint64))


def scaled(values: Words, factor: int) -> Words:
    """The values times a public integer."""
    return times(values, np.full(values.shape, factor % F61.modulus, dtype=np.uint64))


def negated(values: Words) -> Words:
    """The values with the other sign."""
    return F61.subtract(np.zeros_like(values), values)


def times(a: Words, b: Words) -> Words:
    """Products entry by entry; of two sharings of degree 1, a sharing of degree 2."""
    return F61.multiply(_flat(a), _flat(b)).reshape(a.shape)


def sum_last(values: Words) -> Words:
    """The sums over the last axis, which is gone from the result."""
    rows = _flat(np.moveaxis(values, -1, 0)).reshape(values.shape[-1], -1)
    total = F61.combine(rows, np.ones(values.shape[-1], dtype=np.uint64))
    return total.reshape(values.shape[:-1])


def total(values: Words) -> Words:
    """The sum of all entries, shape (1,)."""
    return sum_last(values.reshape(1, -1))


def _flat(values: Words) -> Words:
    """The values as one contiguous vector that compiled loops take: a broadcast one is copied."""
    flat = np.ascontiguousarray(values).ravel()
    return flat if flat.flags.writeable else flat.copy()
