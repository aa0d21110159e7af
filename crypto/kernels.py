"""Compiled loops on words of F_p for a Mersenne prime p = 2^bits - 1, bits <= 61.

No validation, no randomness, no Python object: callers in `field`, `shamir` and `vss` check what
they hand in. Every input word is below p and every output word is below p. `bits` is an argument so
that the same machine code that serves p = 2^61 - 1 can be tried exhaustively on p = 7 and p = 31.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Words = npt.NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_64 = np.uint64(64)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)

_WORD = "uint64(uint64, uint64, uint64)"


@njit(_WORD, cache=True, inline="always")
def mulmod(a: np.uint64, b: np.uint64, bits: np.uint64) -> np.uint64:
    """a b mod p, from four 32-bit products; a, b < p."""
    a_high, a_low = a >> _32, a & _LOW
    b_high, b_low = b >> _32, b & _LOW
    low = a_low * b_low
    # a_high, b_high < 2^29, so the three terms stay below 2^63.
    middle = a_low * b_high + a_high * b_low + (low >> _32)
    high = a_high * b_high + (middle >> _32)
    low = (middle << _32) | (low & _LOW)
    p = (_ONE << bits) - _ONE
    # a b < 2^(2 bits), so both halves are at most p and one subtraction is enough.
    folded = (low & p) + ((high << (_64 - bits)) | (low >> bits))
    return folded - p if folded >= p else folded


@njit(_WORD, cache=True, inline="always")
def addmod(a: np.uint64, b: np.uint64, bits: np.uint64) -> np.uint64:
    """a + b mod p; a, b < p."""
    p = (_ONE << bits) - _ONE
    total = a + b
    return total - p if total >= p else total


@njit("void(uint64[::1], uint64[::1], uint64[::1], uint64)", cache=True)
def multiply(a: Words, b: Words, out: Words, bits: np.uint64) -> None:
    """out_k = a_k b_k."""
    for k in range(a.size):
        out[k] = mulmod(a[k], b[k], bits)


@njit("void(uint64[:, ::1], uint64, uint64[::1], uint64)", cache=True)
def evaluate(coefficients: Words, point: np.uint64, out: Words, bits: np.uint64) -> None:
    """out_k = sum_i coefficients[i, k] point^i, by Horner's rule."""
    degree = coefficients.shape[0] - 1
    for k in range(coefficients.shape[1]):
        value = coefficients[degree, k]
        for i in range(degree - 1, -1, -1):
            value = addmod(mulmod(value, point, bits), coefficients[i, k], bits)
        out[k] = value


@njit("void(uint64[:, ::1], uint64[::1], uint64[::1], uint64)", cache=True)
def combine(rows: Words, weights: Words, out: Words, bits: np.uint64) -> None:
    """out_k = sum_i weights_i rows[i, k]."""
    for k in range(rows.shape[1]):
        total = _ZERO
        for i in range(rows.shape[0]):
            total = addmod(total, mulmod(weights[i], rows[i, k], bits), bits)
        out[k] = total


@njit("uint64(uint64[::1], uint64, uint64)", cache=True)
def fingerprint(values: Words, rho: np.uint64, bits: np.uint64) -> np.uint64:
    """sum_k rho^(k+1) values_k, by Horner's rule from the last entry."""
    total = _ZERO
    for k in range(values.size - 1, -1, -1):
        total = mulmod(addmod(total, values[k], bits), rho, bits)
    return total
