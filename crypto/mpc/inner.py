"""Inner products of shared or public vectors: local, exact in F_p."""

from __future__ import annotations

import numpy as np

from crypto.errors import MpcError
from crypto.kernels import Words
from crypto.mpc.affine import affine
from crypto.mpc.network import Linear, Stage


def dots(a: Words, b: Words) -> Words:
    """sum_l a[i, l] b[j, l], shape (n, m), of words a (n, L) and b (m, L) of F_p, p = 2^61 - 1.

    Of two degree-1 sharings the result has degree 2, of one and public words degree 1. Raises
    MpcError for other shapes.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.size or not b.size:
        raise MpcError(f"expected two lists of vectors, got shapes {a.shape} and {b.shape}")
    if a.shape[0] > b.shape[0]:
        # The longer list is what the compiled loop runs along.
        return np.ascontiguousarray(dots(b, a).T)
    stage = Stage(Linear(a.shape[1], a.shape[0]), pooled=False, activated=False)
    products: Words = affine(stage, a[None], np.zeros((1, len(a)), np.uint64), b.T[None])[0]
    return products
