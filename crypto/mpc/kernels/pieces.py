"""What A sends of c = x + 2^k + r mod p, and what B and C, who know r, make of it; k = f + m.

Kernels work on a chunk as it was sliced: element i blocks + q is bit i of word q. `words` holds
several words an element, the first ones of all elements, then the second ones. A's go from masks to
messages in place: value - mask, so that mask and message are additive pieces.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from crypto.kernels import Words, addmod, mulmod
from crypto.mpc.kernels.lines import READ, WORD, WORDS, submod

_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@njit(WORD(WORD, WORD, WORD), cache=True, inline="always")
def rotate(word: np.uint64, by: np.uint64, bits: np.uint64) -> np.uint64:
    """word 2^by mod p, by <= bits."""
    p = (_ONE << bits) - _ONE
    return ((word << by) & p) | (word >> (bits - by))


@njit(WORD(WORD, WORD, WORD, WORD), cache=True, inline="always")
def quotient(r: np.uint64, shift: np.uint64, lift: np.uint64, bits: np.uint64) -> np.uint64:
    """r >> shift in the field, where r >= lift stands for r - p.

    r - p is r + 1 - 2^bits, and 2^bits is a multiple of 2^shift.
    """
    p = (_ONE << bits) - _ONE
    negative = ((r + _ONE) >> shift) + p - (_ONE << (bits - shift))
    return negative if r >= lift else r >> shift


@njit(types.void(READ, READ, WORD, WORD, WORD, WORDS, WORD), cache=True, nogil=True)
def _gated_row(
    c: Words,
    signs: Words,
    bit: np.uint64,
    shift: np.uint64,
    back: np.uint64,
    words: Words,
    bits: np.uint64,
) -> None:
    """words = w b - words, b the sign's bit, w = (c >> shift) + back."""
    for q in range(c.size):
        w = addmod(c[q] >> shift, back, bits)
        value = w if (signs[q] >> bit) & _ONE == _ONE else _ZERO
        words[q] = submod(value, words[q], bits)


@njit(types.void(READ, WORD, WORDS, WORD), cache=True, nogil=True)
def _bit_row(signs: Words, bit: np.uint64, words: Words, bits: np.uint64) -> None:
    """words = b - words."""
    for q in range(words.size):
        words[q] = submod((signs[q] >> bit) & _ONE, words[q], bits)


@njit(types.void(READ, WORD, WORDS, WORD), cache=True, nogil=True)
def _zone_row(c: Words, zone: np.uint64, words: Words, bits: np.uint64) -> None:
    """words = [c < zone] - words."""
    for q in range(c.size):
        words[q] = submod(np.uint64(c[q] < zone), words[q], bits)


@njit(types.void(READ, READ, READ, WORDS, WORD, WORD, WORD), cache=True, nogil=True)
def relu_words(
    c: Words,
    signs: Words,
    turned: Words,
    words: Words,
    shift: np.uint64,
    m: np.uint64,
    bits: np.uint64,
) -> None:
    """b' w, (1 - b') w, b' and [c < 2^k], w = (c >> f) - 2^m; `turned` is not `signs`."""
    n, blocks = c.size, signs.size
    back = (_ONE << bits) - _ONE - (_ONE << m)
    for i in range((n + blocks - 1) // blocks):
        bit, at, end = np.uint64(i), i * blocks, min(n, (i + 1) * blocks)
        part, b, not_b = c[at:end], signs[: end - at], turned[: end - at]
        _gated_row(part, b, bit, shift, back, words[at:end], bits)
        _gated_row(part, not_b, bit, shift, back, words[n + at : n + end], bits)
        _bit_row(b, bit, words[2 * n + at : 2 * n + end], bits)
    _zone_row(c, _ONE << (shift + m), words[3 * n :], bits)


_PIECES = types.void(READ, READ, READ, READ, READ, READ, WORD, WORD, WORD, WORD, WORDS, WORD)


@njit(_PIECES, cache=True, nogil=True)
def _relu_row(
    r: Words,
    rho: Words,
    kept: Words,
    dropped: Words,
    b: Words,
    wrapped: Words,
    bit: np.uint64,
    shift: np.uint64,
    m: np.uint64,
    once: np.uint64,
    out: Words,
    bits: np.uint64,
) -> None:
    p = (_ONE << bits) - _ONE
    lift = p - (_ONE << (shift + m))
    zone = p - (_ONE << (shift + m + _ONE))
    for q in range(r.size):
        v = quotient(r[q], shift, lift, bits)
        vb = mulmod(v, b[q], bits)
        turned = (rho[q] >> bit) & _ONE == _ONE
        minus = submod(v * once, vb, bits) if turned else vb
        total = submod(dropped[q] if turned else kept[q], minus, bits)
        missing = rotate(wrapped[q], bits - shift, bits)
        total_wrapped = addmod(total, missing, bits)
        out[q] = total_wrapped if (r[q] >= zone) & (r[q] < lift) else total


@njit(types.void(READ, READ, READ, WORD, WORD, WORD, WORDS, WORD), cache=True, nogil=True)
def relu_pieces(
    r: Words,
    rho: Words,
    words: Words,
    shift: np.uint64,
    m: np.uint64,
    once: np.uint64,
    out: Words,
    bits: np.uint64,
) -> None:
    """Pieces of b (x >> f), b = b' ^ rho, from pieces of A's words; -rho v where `once`.

    b (w - v) + 2^(61-f) dA dB, v = r' >> f: for rho = 0 it is b' w - v b', for rho = 1 it is
    (1 - b') w + v b' - v.
    """
    n, blocks = r.size, rho.size
    for i in range((n + blocks - 1) // blocks):
        bit, at, end = np.uint64(i), i * blocks, min(n, (i + 1) * blocks)
        _relu_row(
            r[at:end],
            rho[: end - at],
            words[at:end],
            words[n + at : n + end],
            words[2 * n + at : 2 * n + end],
            words[3 * n + at : 3 * n + end],
            bit,
            shift,
            m,
            once,
            out[at:end],
            bits,
        )


@njit(types.void(READ, WORDS, WORD), cache=True, nogil=True)
def bit_words(signs: Words, words: Words, bits: np.uint64) -> None:
    """b'."""
    n, blocks = words.size, signs.size
    for i in range((n + blocks - 1) // blocks):
        bit, at, end = np.uint64(i), i * blocks, min(n, (i + 1) * blocks)
        _bit_row(signs[: end - at], bit, words[at:end], bits)


@njit(types.void(READ, READ, WORD, WORD, WORDS, WORD), cache=True, nogil=True)
def _turn_row(
    rho: Words, words: Words, bit: np.uint64, once: np.uint64, out: Words, bits: np.uint64
) -> None:
    for q in range(out.size):
        turned = submod(once, words[q], bits)
        out[q] = turned if (rho[q] >> bit) & _ONE == _ONE else words[q]


@njit(types.void(READ, READ, WORD, WORDS, WORD), cache=True, nogil=True)
def bit_pieces(rho: Words, words: Words, once: np.uint64, out: Words, bits: np.uint64) -> None:
    """Pieces of b' ^ rho = rho + (1 - 2 rho) b' from pieces of b'; rho itself where `once`."""
    n, blocks = words.size, rho.size
    for i in range((n + blocks - 1) // blocks):
        bit, at, end = np.uint64(i), i * blocks, min(n, (i + 1) * blocks)
        _turn_row(rho[: end - at], words[at:end], bit, once, out[at:end], bits)


@njit(types.void(READ, WORDS, WORD, WORD, WORD), cache=True, nogil=True)
def quotient_words(c: Words, words: Words, shift: np.uint64, m: np.uint64, bits: np.uint64) -> None:
    """(c >> f) - 2^m and [c < 2^(k+1)]."""
    n = c.size
    back = (_ONE << bits) - _ONE - (_ONE << m)
    for e in range(n):
        words[e] = submod(addmod(c[e] >> shift, back, bits), words[e], bits)
    _zone_row(c, _ONE << (shift + m + _ONE), words[n:], bits)


@njit(types.void(READ, READ, READ, WORD, WORD, WORD, WORDS, WORD), cache=True, nogil=True)
def _quotient_row(
    r: Words,
    words: Words,
    wrapped: Words,
    shift: np.uint64,
    m: np.uint64,
    once: np.uint64,
    out: Words,
    bits: np.uint64,
) -> None:
    zone = (_ONE << bits) - _ONE - (_ONE << (shift + m + _ONE))
    for e in range(r.size):
        missing = rotate(wrapped[e], bits - shift, bits) if r[e] >= zone else _ZERO
        out[e] = addmod(submod(words[e], (r[e] >> shift) * once, bits), missing, bits)


@njit(types.void(READ, READ, WORD, WORD, WORD, WORDS, WORD), cache=True, nogil=True)
def quotient_pieces(
    r: Words,
    words: Words,
    shift: np.uint64,
    m: np.uint64,
    once: np.uint64,
    out: Words,
    bits: np.uint64,
) -> None:
    """Pieces of u - 2^m - v + 2^(bits - f) dA dB from pieces of A's words; v where `once`."""
    n = r.size
    _quotient_row(r, words[:n], words[n:], shift, m, once, out, bits)
