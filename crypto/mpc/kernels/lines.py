"""Masks, lines and parabolas over F_p, p = 2^bits - 1."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from crypto.kernels import Words, addmod, mulmod

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
# Points of committees are small; a product with one below this fits a word.
_SMALL = np.uint64(8)

WORD = types.uint64
WORDS = types.Array(types.uint64, 1, "C")
READ = types.Array(types.uint64, 1, "C", readonly=True)


@njit(WORD(WORD, WORD, WORD), cache=True, inline="always")
def submod(a: np.uint64, b: np.uint64, bits: np.uint64) -> np.uint64:
    """a - b mod p; a, b < p."""
    p = (_ONE << bits) - _ONE
    return a - b if a >= b else a + p - b


@njit(WORD(WORD, WORD, WORD), cache=True, inline="always")
def times_small(a: np.uint64, factor: np.uint64, bits: np.uint64) -> np.uint64:
    """factor a mod p, for a factor below 8: the product fits a word. Below p + 8 before folding."""
    p = (_ONE << bits) - _ONE
    product = a * factor
    folded = (product & p) + (product >> bits)
    return folded - p if folded >= p else folded


@njit(types.int64(WORDS, WORD), cache=True, nogil=True)
def mask_words(words: Words, mask: np.uint64) -> np.int64:
    """Keep the bits in `mask` of each word, in place; how many words became equal to it."""
    hits = np.int64(0)
    for k in range(words.size):
        word = words[k] & mask
        words[k] = word
        hits += np.int64(word == mask)
    return hits


@njit(WORD(READ), cache=True, nogil=True)
def largest(words: Words) -> np.uint64:
    """The largest word, 0 for none."""
    top = _ZERO
    for k in range(words.size):
        top = max(top, words[k])
    return top


@njit(types.void(READ, READ, WORDS, WORD), cache=True, nogil=True)
def add(a: Words, b: Words, out: Words, bits: np.uint64) -> None:
    """out = a + b; `out` may be one of them."""
    for k in range(a.size):
        out[k] = addmod(a[k], b[k], bits)


@njit(types.void(READ, READ, WORDS, WORD), cache=True, nogil=True)
def subtract(a: Words, b: Words, out: Words, bits: np.uint64) -> None:
    """out = a - b; `out` may be one of them."""
    for k in range(a.size):
        out[k] = submod(a[k], b[k], bits)


@njit(types.void(READ, READ, WORD, WORDS, WORD), cache=True, nogil=True)
def subtract_scaled(a: Words, b: Words, weight: np.uint64, out: Words, bits: np.uint64) -> None:
    """out = weight (a - b); `out` may be one of them."""
    for k in range(a.size):
        out[k] = mulmod(weight, submod(a[k], b[k], bits), bits)


@njit(types.void(READ, WORD, WORDS, WORDS, WORDS, WORD), cache=True, nogil=True)
def blind(
    z: Words, weight: np.uint64, mask: Words, other: Words, total: Words, bits: np.uint64
) -> None:
    """total = mask + other, and then mask += weight z."""
    for k in range(z.size):
        word = mask[k]
        total[k] = addmod(word, other[k], bits)
        mask[k] = addmod(mulmod(weight, z[k], bits), word, bits)


@njit(types.void(READ, WORD, READ, READ, WORD, WORDS, WORD), cache=True, nogil=True)
def collect(
    z: Words,
    weight: np.uint64,
    b: Words,
    c: Words,
    shift: np.uint64,
    out: Words,
    bits: np.uint64,
) -> None:
    """out = weight z + b + c + shift."""
    for k in range(z.size):
        total = addmod(mulmod(weight, z[k], bits), shift, bits)
        out[k] = addmod(total, addmod(b[k], c[k], bits), bits)


@njit(types.void(READ, WORD, WORD, WORD, WORDS, WORDS, WORD), cache=True, nogil=True)
def deal(
    secret: Words,
    inverse: np.uint64,
    own: np.uint64,
    other: np.uint64,
    word: Words,
    kept: Words,
    bits: np.uint64,
) -> None:
    """kept = q(own) and then word = q(other), of the line q with q(0) = secret and q(x) = word.

    `inverse` is 1/x.
    """
    if own < _SMALL and other < _SMALL:
        for k in range(secret.size):
            s = secret[k]
            slope = mulmod(submod(word[k], s, bits), inverse, bits)
            kept[k] = addmod(s, times_small(slope, own, bits), bits)
            word[k] = addmod(s, times_small(slope, other, bits), bits)
    else:
        for k in range(secret.size):
            s = secret[k]
            slope = mulmod(submod(word[k], s, bits), inverse, bits)
            kept[k] = addmod(s, mulmod(slope, own, bits), bits)
            word[k] = addmod(s, mulmod(slope, other, bits), bits)


@njit(types.void(READ, READ, READ, READ, WORDS, WORD), cache=True, nogil=True)
def interpolate(a: Words, b: Words, c: Words, weights: Words, out: Words, bits: np.uint64) -> None:
    """out = weights_0 a + weights_1 b + weights_2 c."""
    for k in range(a.size):
        total = addmod(mulmod(weights[0], a[k], bits), mulmod(weights[1], b[k], bits), bits)
        out[k] = addmod(total, mulmod(weights[2], c[k], bits), bits)
