"""Matrix products in F_p, p = 2^61 - 1, with the batch innermost.

A word is split as high 2^31 + low, balanced: |low| <= 2^30, and |high| <= 2^29 since the word is
taken from (-p/2, p/2). Of four products, with 2^62 = 2 mod p,

    sum (h 2^31 + l)(h' 2^31 + l') = 2 sum h h' + 2^31 sum (h l' + l h') + sum l l',

the three sums are at most 4 2^58, 8 2^59 and 4 2^60: each fits in 64 bits with its sign, and they
are folded into one remainder before the next four. The middle one is sum (h + l)(h' + l') less the
others (Karatsuba and Ofman 1962): h + l fits in int32, and that sum may wrap round 2^64, since the
difference does not. A loop of four products for two outputs keeps all its weights in registers;
all three sums in one loop took 1.6 times as long. Loops run over slices of rows: a flat index that
might be negative keeps numba from vectorising.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types

from crypto.kernels import Words

Halves = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]

_P = np.int64((1 << 61) - 1)
_61 = np.int64(61)
_31 = np.int64(31)
_LOW31 = np.int64((1 << 31) - 1)
_HALF31 = np.int64(1 << 30)
_ONE = np.int64(1)
_WORD_P = np.uint64((1 << 61) - 1)
_WORD_61, _WORD_31, _WORD_30, _WORD_1 = np.uint64(61), np.uint64(31), np.uint64(30), np.uint64(1)
_WORD_LOW30 = np.uint64((1 << 30) - 1)
_WORD_TOP, _WORD_SECOND = np.uint64(1 << 63), np.uint64(1 << 62)
# What the lifts of a join add modulo p: 2^63 = 4, and 2^31 2^62 = 2^32.
_LIFT = np.int64((1 << 32) + 4)

_INT = types.int64
_WORD = types.uint64
_FOUR = types.Tuple((_INT, _INT, _INT, _INT))  # type: ignore[no-untyped-call]
_PLACES = types.Array(types.int64, 1, "C")
_TABLE = types.Array(types.int64, 2, "C")
_HALVES1 = types.Array(types.int32, 1, "C")
_HALVES2 = types.Array(types.int32, 2, "C")
_HALVES3 = types.Array(types.int32, 3, "C")
_WORDS1 = types.Array(types.uint64, 1, "C")
_WORDS2 = types.Array(types.uint64, 2, "C")
_WORDS3 = types.Array(types.uint64, 3, "C")
_WORDS4 = types.Array(types.uint64, 4, "C")


@njit(_INT(_INT, _INT), cache=True, inline="always")
def _rotate(x: np.int64, by: int) -> np.int64:
    """2^by x mod p, 0 <= x < p, by < 61."""
    return ((x << np.int64(by)) & _P) | (x >> (_61 - np.int64(by)))


@njit(_INT(types.uint64), cache=True, inline="always")
def _balanced(word: np.uint64) -> np.int64:
    """The representative in (-p/2, p/2)."""
    value = np.int64(word)
    return value - _P if value > (_P >> _ONE) else value


@njit(_INT(_INT), cache=True, inline="always")
def _low(value: np.int64) -> np.int64:
    """The balanced low half."""
    return ((value + _HALF31) & _LOW31) - _HALF31


@njit(types.void(_WORDS1, _HALVES1, _HALVES1), cache=True, nogil=True)
def _split_row(row: Words, high: Halves, low: Halves) -> None:
    for r in range(row.size):
        value = _balanced(row[r])
        rest = _low(value)
        low[r] = np.int32(rest)
        high[r] = np.int32((value - rest) >> _31)


@njit(types.void(_WORDS3, _HALVES3, _HALVES3), cache=True, nogil=True)
def split_weights(words: Words, high: Halves, low: Halves) -> None:
    """The halves of short rows, at the beginning of each axis; the rest becomes zero."""
    high[:] = np.int32(0)
    low[:] = np.int32(0)
    for n in range(words.shape[0]):
        for o in range(words.shape[1]):
            for t in range(words.shape[2]):
                value = _balanced(words[n, o, t])
                rest = _low(value)
                low[n, o, t] = np.int32(rest)
                high[n, o, t] = np.int32((value - rest) >> _31)


@njit(types.void(_WORDS3, _HALVES3, _HALVES3), cache=True, nogil=True)
def split_rows(words: Words, high: Halves, low: Halves) -> None:
    """The halves of long rows, at the beginning of each axis; the rest becomes zero."""
    count, columns = words.shape[1], words.shape[2]
    for n in range(words.shape[0]):
        for t in range(count):
            _split_row(words[n, t], high[n, t, :columns], low[n, t, :columns])
        high[n, count:] = np.int32(0)
        low[n, count:] = np.int32(0)
        if columns < high.shape[2]:
            high[n, :, columns:] = np.int32(0)
            low[n, :, columns:] = np.int32(0)


@njit(types.void(_WORDS4, _INT, _HALVES3, _HALVES3), cache=True, nogil=True)
def split_box_sums(images: Words, padding: int, high: Halves, low: Halves) -> None:
    """The halves of the sums of each 2 x 2 window of images (channels, height, width, rows).

    Windows start at every place of the image padded with zeros: height + 2 padding - 1 rows of
    width + 2 padding - 1; `high` and `low` are (channels, places, at least rows).
    """
    channels, height, width, rows = images.shape
    tall, wide = height + 2 * padding - 1, width + 2 * padding - 1
    total = np.empty(rows, dtype=np.uint64)
    p = np.uint64(_P)
    for channel in range(channels):
        for place in range(tall * wide):
            y, x = place // wide - padding, place % wide - padding
            total[:] = np.uint64(0)
            for yy in range(max(y, 0), min(y + 2, height)):
                for xx in range(max(x, 0), min(x + 2, width)):
                    pixel = images[channel, yy, xx]
                    for r in range(rows):
                        value = total[r] + pixel[r]
                        total[r] = value - p if value >= p else value
            _split_row(total, high[channel, place, :rows], low[channel, place, :rows])
            high[channel, place, rows:] = np.int32(0)
            low[channel, place, rows:] = np.int32(0)


@njit(types.void(_HALVES2, _HALVES2, _HALVES2), cache=True, nogil=True)
def _add_halves(high: Halves, low: Halves, out: Halves) -> None:
    for t in range(out.shape[0]):
        upper, lower, row = high[t], low[t], out[t]
        for r in range(row.size):
            row[r] = np.int32(upper[r] + lower[r])


@njit(types.void(_WORDS1, _WORDS1), cache=True, nogil=True)
def _write(out: Words, remainders: Words) -> None:
    for r in range(out.size):
        value = (remainders[r] & _WORD_P) + (remainders[r] >> _WORD_61)
        out[r] = value - _WORD_P if value >= _WORD_P else value


@njit(_FOUR(_HALVES1, _INT), cache=True, inline="always")
def _four(row: Halves, t: int) -> tuple[np.int64, np.int64, np.int64, np.int64]:
    return np.int64(row[t]), np.int64(row[t + 1]), np.int64(row[t + 2]), np.int64(row[t + 3])


@njit(
    types.void(_HALVES2, _INT, _INT, _HALVES2, _PLACES, _WORDS1, _WORDS1),
    cache=True,
    inline="always",
)
def _sum_four(
    weights: Halves, o: int, t: int, x: Halves, index: Indices, first: Words, second: Words
) -> None:
    """The sums of the products of terms t to t + 3 for outputs o and o + 1, modulo 2^64."""
    a0, a1, a2, a3 = _four(weights[o], t)
    b0, b1, b2, b3 = _four(weights[o + 1], t)
    x0, x1, x2, x3 = x[index[t]], x[index[t + 1]], x[index[t + 2]], x[index[t + 3]]
    for r in range(first.size):
        i, j, k, m = np.int64(x0[r]), np.int64(x1[r]), np.int64(x2[r]), np.int64(x3[r])
        # A signed sum must not wrap, to the compiler.
        one = np.uint64(a0 * i) + np.uint64(a1 * j)
        first[r] = one + np.uint64(a2 * k) + np.uint64(a3 * m)
        two = np.uint64(b0 * i) + np.uint64(b1 * j)
        second[r] = two + np.uint64(b2 * k) + np.uint64(b3 * m)


@njit(_WORD(_WORD, _WORD, _WORD, _WORD), cache=True, inline="always")
def _join(remainder: np.uint64, upper: np.uint64, both: np.uint64, lower: np.uint64) -> np.uint64:
    """remainder + 2 upper + 2^31 (both - upper - lower) + lower + `_LIFT`, at most p + 4.

    Lifted by 2^63 and 2^62 the signed sums are not negative, so their bits are shifted as they are:
    to shift a sign along takes three times as many instructions. What is folded is a remainder of
    at most 2 p, two terms of at most p + 7 and one of 2^34.
    """
    outer = lower + (upper << _WORD_1) + _WORD_TOP
    middle = both - upper - lower + _WORD_SECOND
    total = remainder + (outer & _WORD_P) + (outer >> _WORD_61)
    total += ((middle & _WORD_LOW30) << _WORD_31) + (middle >> _WORD_30)
    return (total & _WORD_P) + (total >> _WORD_61)


@njit(
    types.void(_WORDS2, _WORDS2, _WORDS2, _WORDS1, _WORDS1),
    cache=True,
    inline="always",
)
def _join_rows(upper: Words, both: Words, lower: Words, first: Words, second: Words) -> None:
    """Join the sums of two outputs, a row each, with their remainders."""
    u0, u1, b0, b1, l0, l1 = upper[0], upper[1], both[0], both[1], lower[0], lower[1]
    for r in range(first.size):
        first[r] = _join(first[r], u0[r], b0[r], l0[r])
        second[r] = _join(second[r], u1[r], b1[r], l1[r])


@njit(_WORD(_WORD, _INT, _INT), cache=True, inline="always")
def _begin(bias: np.uint64, shift: int, terms: int) -> np.uint64:
    """2^shift bias less the lifts of `terms` products, from 0 to 2 p."""
    lifts = (np.int64(terms) >> np.int64(2)) * _LIFT
    return np.uint64(_rotate(np.int64(bias), shift) + _P - lifts)


@njit(
    types.void(_HALVES3, _HALVES3, _WORDS2, _INT, _HALVES3, _HALVES3, _TABLE, _WORDS4),
    cache=True,
    nogil=True,
)
def gathered_products(
    weights_high: Halves,
    weights_low: Halves,
    biases: Words,
    shift: int,
    high: Halves,
    low: Halves,
    index: Indices,
    out: Words,
) -> None:
    """out[n, o, q] = 2^shift biases[n, o] + sum_t weights[n, o, t] x[n, index[q, t]].

    Rows are innermost. Halves of weights are (models, at least outputs and even, terms, a multiple
    of four), those of x (1 or models, places, at least rows); biases (models, outputs), out
    (models, outputs, places out, rows). Two outputs share what they load.
    """
    models, outputs, places, _ = out.shape
    padded, terms = high.shape[2], index.shape[1]
    first = np.empty(padded, dtype=np.uint64)
    second = np.empty(padded, dtype=np.uint64)
    upper = np.empty((2, padded), dtype=np.uint64)
    both = np.empty((2, padded), dtype=np.uint64)
    lower = np.empty((2, padded), dtype=np.uint64)
    x_both = np.empty(high.shape[1:], dtype=np.int32)
    w_both = np.empty(weights_high.shape[1:], dtype=np.int32)
    for n in range(models):
        wh, wl = weights_high[n], weights_low[n]
        source = min(n, high.shape[0] - 1)
        xh, xl = high[source], low[source]
        _add_halves(wh, wl, w_both)
        if n == source:
            _add_halves(xh, xl, x_both)
        for q in range(places):
            for o in range(0, outputs, 2):
                first[:] = _begin(biases[n, o], shift, terms)
                second[:] = _begin(biases[n, min(o + 1, outputs - 1)], shift, terms)
                for t in range(0, terms, 4):
                    _sum_four(wh, o, t, xh, index[q], upper[0], upper[1])
                    _sum_four(wl, o, t, xl, index[q], lower[0], lower[1])
                    _sum_four(w_both, o, t, x_both, index[q], both[0], both[1])
                    _join_rows(upper, both, lower, first, second)
                _write(out[n, o, q], first)
                if o + 1 < outputs:
                    _write(out[n, o + 1, q], second)
