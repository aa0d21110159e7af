"""Bit-slicing, 64 elements a word.

Elements are sliced in chunks of `CHUNK`. Of a chunk of n elements in `blocks` = ceil(n / 64) words,
element i blocks + q is bit i of word q, so that every loop runs along a row.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from crypto.kernels import Words
from crypto.mpc.kernels.lines import READ, WORD, WORDS

_ZERO = np.uint64(0)
# Elements; ReLU takes four words of eight bytes for each, and all of them stay in the cache.
CHUNK = 1 << 14
_HALF = np.uint64(0xFFFFFFFF)
# Step, half of it, and the bits that stay in the upper row, for each.
_STEPS = tuple(
    (np.uint64(step), np.uint64(half), np.uint64(mask), np.uint64(mask2))
    for step, half, mask, mask2 in (
        (32, 16, 0x00000000FFFFFFFF, 0x0000FFFF0000FFFF),
        (8, 4, 0x00FF00FF00FF00FF, 0x0F0F0F0F0F0F0F0F),
        (2, 1, 0x3333333333333333, 0x5555555555555555),
    )
)
ROWS = types.Array(types.uint64, 2, "C")
READ_ROWS = types.Array(types.uint64, 2, "C", readonly=True)
_INT = types.int64
_TWO = types.UniTuple(WORD, 2)  # type: ignore[no-untyped-call]


@njit(_TWO(WORD, WORD, WORD, WORD), cache=True, inline="always")
def _exchange(
    x: np.uint64, y: np.uint64, mask: np.uint64, shift: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Exchange the bits of x outside `mask` with those of y inside it."""
    return (x & mask) | ((y & mask) << shift), ((x >> shift) & mask) | (y & ~mask)


@njit(types.void(WORDS, WORDS, WORDS, WORDS, _INT), cache=True, nogil=True)
def _swap_rows(a: Words, b: Words, c: Words, d: Words, level: int) -> None:
    """Two steps of the transposition on rows k, k + s / 2, k + s and k + 3 s / 2.

    s is the step of the level, 32, 8 or 2.
    """
    step, half, mask, mask2 = _STEPS[level]
    for q in range(a.size):
        x, z = _exchange(a[q], c[q], mask, step)
        y, w = _exchange(b[q], d[q], mask, step)
        a[q], b[q] = _exchange(x, y, mask2, half)
        c[q], d[q] = _exchange(z, w, mask2, half)


@njit(types.void(ROWS, _INT, _INT), cache=True, nogil=True)
def _swap(rows: Words, count: int, level: int) -> None:
    step = 32 >> (2 * level)
    half = step // 2
    for k in range(count):
        if k & (step + half) == 0:
            _swap_rows(rows[k], rows[k + half], rows[k + step], rows[k + step + half], level)


@njit(types.void(WORDS, WORDS), cache=True, nogil=True)
def _swap_16(upper: Words, lower: Words) -> None:
    for q in range(upper.size):
        upper[q], lower[q] = _exchange(
            upper[q], lower[q], np.uint64(0x0000FFFF0000FFFF), np.uint64(16)
        )


@njit(WORD(WORD, WORD, WORD, WORD), cache=True, inline="always")
def _shifted(x: np.uint64, lift: np.uint64, shift: np.uint64, flip: np.uint64) -> np.uint64:
    return ((x + np.uint64(x >= lift)) >> shift) ^ flip


@njit(types.void(READ, WORD, WORD, WORD, WORDS), cache=True, nogil=True)
def _take(part: Words, lift: np.uint64, shift: np.uint64, flip: np.uint64, row: Words) -> None:
    for q in range(part.size):
        row[q] = _shifted(part[q], lift, shift, flip)
    row[part.size :] = _ZERO


@njit(types.void(READ, WORD, WORD, WORD, WORDS), cache=True, nogil=True)
def _take_upper(
    part: Words, lift: np.uint64, shift: np.uint64, flip: np.uint64, row: Words
) -> None:
    """Put the lower halves of further elements above those in the row."""
    for q in range(part.size):
        row[q] = (row[q] & _HALF) | (_shifted(part[q], lift, shift, flip) << np.uint64(32))


@njit(types.void(READ, WORD, WORD, WORD, _INT, ROWS), cache=True, nogil=True)
def _slice_chunk(
    chunk: Words, lift: np.uint64, shift: np.uint64, flip: np.uint64, column: int, out: Words
) -> None:
    width, blocks = out.shape[0], (chunk.size + 63) // 64
    # The upper half of every element is not asked for when the width is below 32.
    count = 32 if width <= 32 else 64
    rows = np.empty((count, blocks), dtype=np.uint64)
    for i in range(64):
        start, end = min(chunk.size, i * blocks), min(chunk.size, (i + 1) * blocks)
        if i < count:
            _take(chunk[start:end], lift, shift, flip, rows[i])
        else:
            _take_upper(chunk[start:end], lift, shift, flip, rows[i - count])
    if count == 64:
        _swap(rows, count, 0)
    else:
        for k in range(16):
            _swap_16(rows[k], rows[k + 16])
    _swap(rows, count, 1)
    _swap(rows, count, 2)
    for t in range(width):
        out[t, column : column + blocks] = rows[t]


@njit(types.void(READ, WORD, WORD, WORD, ROWS), cache=True, nogil=True)
def slice_bits(
    values: Words, lift: np.uint64, shift: np.uint64, flip: np.uint64, out: Words
) -> None:
    """out[t] = bit t of ((x + [x >= lift]) >> shift) ^ flip for all elements x of `values`."""
    for start in range(0, values.size, CHUNK):
        end = min(values.size, start + CHUNK)
        _slice_chunk(values[start:end], lift, shift, flip, start // 64, out)
