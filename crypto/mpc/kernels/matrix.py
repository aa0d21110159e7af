"""Matrix products in F_p, p = 2^61 - 1, with the batch innermost.

A word is split as high 2^31 + low, balanced: |low| <= 2^30, and |high| <= 2^29 since the word is
taken from (-p/2, p/2). Of four products, with 2^62 = 2 mod p,

    sum (h 2^31 + l)(h' 2^31 + l') = 2 sum h h' + 2^31 sum (h l' + l h') + sum l l',

the three sums are at most 4 2^58, 8 2^59 and 4 2^60: each fits in int64, and they are folded into
one remainder before the next four. Loops run over slices of rows: a flat index that might be
negative keeps numba from vectorising.
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
_30 = np.int64(30)
_LOW30 = np.int64((1 << 30) - 1)
_LOW31 = np.int64((1 << 31) - 1)
_HALF31 = np.int64(1 << 30)
_ONE = np.int64(1)

_INT = types.int64
_FOUR = types.Tuple((_INT, _INT, _INT, _INT))  # type: ignore[no-untyped-call]
_ROW = types.Array(types.int64, 1, "C")
_HALVES1 = types.Array(types.int32, 1, "C")
_HALVES2 = types.Array(types.int32, 2, "C")
_HALVES3 = types.Array(types.int32, 3, "C")
_WORDS1 = types.Array(types.uint64, 1, "C")
_WORDS2 = types.Array(types.uint64, 2, "C")
_WORDS3 = types.Array(types.uint64, 3, "C")
_WORDS4 = types.Array(types.uint64, 4, "C")


@njit(_INT(_INT), cache=True, inline="always")
def _fold(x: np.int64) -> np.int64:
    """A representative of x in [-4, p + 4]."""
    return (x & _P) + (x >> _61)


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


@njit(types.void(_WORDS1, _ROW), cache=True, nogil=True)
def _write(out: Words, remainders: npt.NDArray[np.int64]) -> None:
    for r in range(out.size):
        value = _fold(remainders[r])
        value = value + _P if value < 0 else value
        out[r] = np.uint64(value - _P if value >= _P else value)


@njit(_FOUR(_HALVES1, _INT), cache=True, inline="always")
def _four(row: Halves, t: int) -> tuple[np.int64, np.int64, np.int64, np.int64]:
    return np.int64(row[t]), np.int64(row[t + 1]), np.int64(row[t + 2]), np.int64(row[t + 3])


@njit(_INT(_INT, _INT, _INT, _INT), cache=True, inline="always")
def _join(remainder: np.int64, high: np.int64, middle: np.int64, low: np.int64) -> np.int64:
    """remainder + 2 high + 2^31 middle + low, folded.

    Below 2^62 + 2^61 before the first fold; then at most three terms up to p and one of 2^33.
    """
    outer = _fold(low + (high << _ONE))
    return _fold(remainder + outer + ((middle & _LOW30) << _31) + (middle >> _30))


@njit(
    types.void(_HALVES2, _HALVES2, _INT, _INT, _HALVES2, _HALVES2, _ROW, _ROW, _ROW),
    cache=True,
    inline="always",
)
def _add_four(
    weights_high: Halves,
    weights_low: Halves,
    o: int,
    t: int,
    high: Halves,
    low: Halves,
    index: Indices,
    acc0: npt.NDArray[np.int64],
    acc1: npt.NDArray[np.int64],
) -> None:
    """Add the products of terms t to t + 3 to the remainders of outputs o and o + 1."""
    a0, a1, a2, a3 = _four(weights_high[o], t)
    b0, b1, b2, b3 = _four(weights_low[o], t)
    c0, c1, c2, c3 = _four(weights_high[o + 1], t)
    d0, d1, d2, d3 = _four(weights_low[o + 1], t)
    h0, h1, h2, h3 = high[index[t]], high[index[t + 1]], high[index[t + 2]], high[index[t + 3]]
    l0, l1, l2, l3 = low[index[t]], low[index[t + 1]], low[index[t + 2]], low[index[t + 3]]
    for r in range(acc0.size):
        h, i, j, k = np.int64(h0[r]), np.int64(h1[r]), np.int64(h2[r]), np.int64(h3[r])
        s, x, u, v = np.int64(l0[r]), np.int64(l1[r]), np.int64(l2[r]), np.int64(l3[r])
        middle = a0 * s + a1 * x + a2 * u + a3 * v + b0 * h + b1 * i + b2 * j + b3 * k
        upper = a0 * h + a1 * i + a2 * j + a3 * k
        acc0[r] = _join(acc0[r], upper, middle, b0 * s + b1 * x + b2 * u + b3 * v)
        middle = c0 * s + c1 * x + c2 * u + c3 * v + d0 * h + d1 * i + d2 * j + d3 * k
        upper = c0 * h + c1 * i + c2 * j + c3 * k
        acc1[r] = _join(acc1[r], upper, middle, d0 * s + d1 * x + d2 * u + d3 * v)


@njit(
    types.void(
        _HALVES3, _HALVES3, _WORDS2, _INT, _HALVES3, _HALVES3, types.Array(_INT, 2, "C"), _WORDS4
    ),
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
    acc0 = np.empty(padded, dtype=np.int64)
    acc1 = np.empty(padded, dtype=np.int64)
    for n in range(models):
        wh, wl = weights_high[n], weights_low[n]
        source = min(n, high.shape[0] - 1)
        xh, xl = high[source], low[source]
        for q in range(places):
            for o in range(0, outputs, 2):
                acc0[:] = _rotate(np.int64(biases[n, o]), shift)
                acc1[:] = _rotate(np.int64(biases[n, min(o + 1, outputs - 1)]), shift)
                for t in range(0, terms, 4):
                    _add_four(wh, wl, o, t, xh, xl, index[q], acc0, acc1)
                _write(out[n, o, q], acc0)
                if o + 1 < outputs:
                    _write(out[n, o + 1, q], acc1)
