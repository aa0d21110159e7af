"""Sums of words with signs, in two halves that need no reduction on the way."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from crypto.kernels import Words

LOW_BITS = 31
_LOW = np.uint64((1 << LOW_BITS) - 1)
_SHIFT = np.uint64(LOW_BITS)
_SIGNS = types.Array(types.int8, 2, "C", readonly=True)
_WORDS = types.Array(types.uint64, 2, "C", readonly=True)
_SUMS = types.Array(types.int64, 2, "C")


@njit(types.void(_SIGNS, _WORDS, _SUMS, _SUMS), cache=True, nogil=True)
def signed_sums(
    signs: NDArray[np.int8], words: Words, low: NDArray[np.int64], high: NDArray[np.int64]
) -> None:
    """high[i, j] 2^31 + low[i, j] = sum_l signs[i, l] words[j, l], words below 2^61.

    With signs of -1, 0 and 1 neither half leaves int64 for vectors shorter than 2^32.
    """
    for i in range(signs.shape[0]):
        for j in range(words.shape[0]):
            lower, upper = np.int64(0), np.int64(0)
            for at in range(signs.shape[1]):
                sign, word = np.int64(signs[i, at]), words[j, at]
                lower += sign * np.int64(word & _LOW)
                upper += sign * np.int64(word >> _SHIFT)
            low[i, j], high[i, j] = lower, upper
