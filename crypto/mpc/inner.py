"""Inner products of shared or public vectors: local, exact in F_p."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crypto.errors import MpcError
from crypto.field import F61
from crypto.kernels import Words
from crypto.mpc.affine import affine
from crypto.mpc.kernels.signs import LOW_BITS, signed_sums
from crypto.mpc.network import Linear, Stage


def dots(a: Words, b: Words) -> Words:
    """sum_l a[i, l] b[j, l], shape (n, m), of words a (n, L) and b (m, L) of F_p, p = 2^61 - 1.

    Of two degree-1 sharings the result has degree 2, of one and public words degree 1. Raises
    MpcError for other shapes.
    """
    _check_lists(a.shape, b.shape)
    if a.shape[0] > b.shape[0]:
        # The longer list is what the compiled loop runs along.
        return np.ascontiguousarray(dots(b, a).T)
    stage = Stage(Linear(a.shape[1], a.shape[0]), pooled=False, activated=False)
    products: Words = affine(stage, a[None], np.zeros((1, len(a)), np.uint64), b.T[None])[0]
    return products


def sign_dots(signs: NDArray[np.int8], words: Words) -> Words:
    """`dots` of public vectors (n, L) with entries -1, 0 and 1, and of words (m, L), shape (n, m).

    Raises MpcError for other shapes or entries.
    """
    _check_lists(signs.shape, words.shape)
    if signs.dtype != np.int8 or signs.min() < -1 or signs.max() > 1:
        raise MpcError("expected vectors of int8 with entries from -1 to 1")
    shape = len(signs), len(words)
    low, high = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    signed_sums(np.ascontiguousarray(signs), np.ascontiguousarray(words), low, high)
    modulus = np.int64(F61.modulus)
    lower, upper = ((part % modulus).astype(np.uint64).ravel() for part in (low, high))
    scale = np.full(upper.shape, 1 << LOW_BITS, dtype=np.uint64)
    return F61.add(lower, F61.multiply(upper, scale)).reshape(shape)


def _check_lists(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if len(a) != 2 or len(b) != 2 or a[1] != b[1] or not all((*a, *b)):
        raise MpcError(f"expected two lists of vectors, got shapes {a} and {b}")
