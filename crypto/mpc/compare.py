"""Exact comparisons of shared integers; the result is a sharing of a bit.

`not_negative`: |y| < 2^m - 1. A has c = y + 2^m + r mod p, B and C know r (module `opening`), and
the bit is bit m of c - r, taken on the low m + 1 bits only. Those are right unless the sum wrapped
round p, which changes it by one (p = 2^61 - 1), so let r' = r - p where r >= p - 2^m, else r' = r,
and X = y + 2^m, 0 < X < 2^(m+1).

- If 0 <= X + r' < p, c = X + r', and c - r' = X: bit m is [y >= 0].
- If X + r' >= p, the low bits hold X + 1. Then r' < p - 2^m, so X > 2^m, y > 0, and bit m is 1
  (X + 1 < 2^(m+1)).
- If X + r' < 0, they hold X - 1. Then r' >= -2^m, so X < 2^m, y < 0, and bit m is 0 (X > 1).

So the bit is exact in every case, and nothing is sampled again. The low bits of r' are those of
r + [r >= p - 2^m]. A truncating comparison (`activation`) has the same cases, on x = 2^f y and its
remainder; here nothing is scaled, since without a shift there is no remainder to lose.

`at_most`: y anything. A has c = y + r mod p, canonical. y is in [0, T] when c lies on the arc from
r to r2 = r + T + 1 mod p, exclusive: [c >= r] xor [c >= r2] xor [r2 wrapped].
"""

from __future__ import annotations

import numpy as np

from crypto.errors import MpcError
from crypto.kernels import Words
from crypto.mpc.carries import leading_bit
from crypto.mpc.kernels import bits, pieces
from crypto.mpc.opening import hand_over, open_to_a, sliced
from crypto.mpc.session import Program, Role, Session

_NEVER = np.uint64(2**64 - 1)
_ALL = np.uint64(2**64 - 1)
_NONE = np.uint64(0)


def not_negative(session: Session, y: Words, m: int = 38) -> Program[Words]:
    """Degree-1 shares, shape as y, of [y >= 0], exact for |y| < 2^m - 1.

    y is shared with degree 1 or 2. 5 + ceil(log2(ceil(m / 4))) rounds, nothing opened.
    Raises MpcError for m that the field has no room for.
    """
    check_room(session, 0, m)
    opened = yield from open_to_a(session, y, 1 << m)
    signs = yield from sign_bits(session, opened, 0, m)
    shares = yield from deal_bits(session, signs, y.size)
    return shares.reshape(y.shape)


def at_most(session: Session, y: Words, top: int) -> Program[Words]:
    """Degree-1 shares, shape as y, of [0 <= y <= top], for any y in F_p.

    y is shared with degree 1 or 2. Nine rounds for 61 bits, nothing opened. Raises MpcError unless
    0 <= top < p - 1.
    """
    field = session.field
    if not 0 <= top < field.modulus - 1:
        raise MpcError(f"expected an upper end from 0 to p - 2, got {top}")
    opened = yield from open_to_a(session, y, 0)
    blocks = block_count(y.size)
    if session.role is Role.A:
        slices = _slices(opened, field.bits)
        both = yield from leading_bit(session, np.tile(slices, 2), blocks, top=False)
        signs = both[:blocks] ^ both[blocks:]
    else:
        ends = opened, field.add(opened, np.full_like(opened, top + 1))
        slices = np.hstack([_slices(end, field.bits, flip=_ALL) for end in ends])
        both = yield from leading_bit(session, slices, blocks, top=False)
        wrapped = _slices((opened >= field.modulus - (top + 1)).astype(np.uint64), 1)
        signs = both[:blocks] ^ both[blocks:] ^ wrapped[0]
    shares = yield from deal_bits(session, signs, y.size)
    return shares.reshape(y.shape)


def sign_bits(session: Session, opened: Words, shift: int, m: int) -> Program[Words]:
    """b' at A and rho at B and C, bit-sliced, of the sign of what was opened with 2^(shift + m)."""
    if session.role is Role.A:
        slices = _slices(opened, m + 1, shift)
    else:
        lift = np.uint64(session.field.modulus - (1 << (shift + m)))
        slices = _slices(opened, m + 1, shift, lift, _ALL)
    return (yield from leading_bit(session, slices, block_count(opened.size)))


def deal_bits(session: Session, signs: Words, count: int) -> Program[Words]:
    """Degree-1 shares, (count,), of b' ^ rho. Two rounds.

    b = rho + (1 - 2 rho) b' is linear in b', which A hands over.
    """

    def fill(chunk: slice, words: Words) -> None:
        pieces.bit_words(signs[sliced(chunk)], words, session.bits)

    def piece(chunk: slice, words: Words, once: np.uint64, out: Words) -> None:
        pieces.bit_pieces(signs[sliced(chunk)], words, once, out, session.bits)

    return (yield from hand_over(session, count, 1, fill, piece))


def block_count(elements: int) -> int:
    """Words of 64 bits for so many elements."""
    return -(-elements // 64)


def check_room(session: Session, shift: int, m: int) -> None:
    """Raise MpcError unless 3 2^(shift + m) < p, below which wraps are told apart."""
    if m < 1 or shift < 0 or 3 << (shift + m) >= session.field.modulus:
        raise MpcError(f"expected 3 * 2^({shift} + {m}) below p")


def _slices(
    values: Words,
    width: int,
    shift: int = 0,
    lift: np.uint64 = _NEVER,
    flip: np.uint64 = _NONE,
) -> Words:
    out = np.empty((width, block_count(values.size)), dtype=np.uint64)
    bits.slice_bits(values, lift, np.uint64(shift), flip, out)
    return out
