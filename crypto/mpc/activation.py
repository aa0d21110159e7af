"""ReLU of a shared value with truncation: b (x >> f), b the sign of x, as a fresh degree-1 sharing.

|x| < 2^k - 2^f with k = f + m. A has c = x + 2^k + r mod p, B and C know r (module `opening`); let
r' = r - p where r >= p - 2^k, else r' = r, and X = x + 2^k, 2^f < X < 2^(k+1) - 2^f. Then
u = c >> f at A and v = r' >> f at B and C give both the sign and the quotient:

- 0 <= X + r' < p: u - v = (X + r' mod 2^f) >> f, so u - v - 2^m is x >> f or one more, and b, bit m
  of u - v, is [x + (r' mod 2^f) >= 0]: 1 for x >= 0, 0 for x <= -2^f, either between. Between, the
  quotient is 0 whenever b is 1.
- X + r' >= p: then r' < p - 2^k, so X > 2^k, x > 0. The low bits hold X + 1 and b is 1. u lacks
  2^(61-f). This is so exactly when dA = [c < 2^k] and dB = [p - 2^(k+1) <= r < p - 2^k]: if r is in
  that zone, c < 2^k after a wrap and c > p - 2^(k+1) > 2^k without one.
- X + r' < 0: then x < -2^k - r' <= 0. The low bits hold X - 1, and with s = r' + 2^k >= r' mod 2^f
  (k >= f) we have x < -s, so x - 1 + (r' mod 2^f) < 0: b is 0. u is off by 2^(61-f), which b drops.

The result is therefore x >> f or one more for x >= 0, and 0 for x < 0, in every case.

b = b' ^ rho with b' known to A, rho to B and C (module `carries`). With w = u - 2^m the result is
b' w - b' v for rho = 0, (1 - b') w + b' v - v for rho = 1, plus 2^(61-f) dA dB: linear in what A
knows, b' w, (1 - b') w, b' and dA, which it hands over to B and C.
"""

from __future__ import annotations

import numpy as np

from crypto.kernels import Words
from crypto.mpc.compare import check_room, sign_bits
from crypto.mpc.kernels import pieces
from crypto.mpc.multiply import flat
from crypto.mpc.opening import hand_over, open_to_a, sliced
from crypto.mpc.session import Program, Session

# Elements at a time. The longest message of a batch, 32 bytes an element, stays below what the C
# library maps anew each time, and in the processor's cache: all at once took 1.7 times as long for
# five million elements (`python -m bench.image_round`, digits of ten classes).
BATCH = 1 << 19


def relu(session: Session, z: Words, m: int, fraction_bits: int = 16) -> Program[Words]:
    """max(0, z >> f) within one unit, fresh degree-1 shares, for |z| < 2^(f + m) - 2^f.

    z is shared with degree 1 or 2. 5 + ceil(log2(ceil(m / 4))) rounds for each `BATCH` elements,
    nothing opened. Raises MpcError for m and f that the field has no room for.
    """
    check_room(session, fraction_bits, m)
    values = flat(z)
    if values.size <= BATCH:
        return (yield from _relu(session, values, m, fraction_bits)).reshape(z.shape)
    found = np.empty(values.size, dtype=np.uint64)
    for start in range(0, values.size, BATCH):
        batch = slice(start, start + BATCH)
        found[batch] = yield from _relu(session, values[batch], m, fraction_bits)
    return found.reshape(z.shape)


def _relu(session: Session, z: Words, m: int, fraction_bits: int) -> Program[Words]:
    """One batch, (n,)."""
    opened = yield from open_to_a(session, z, 1 << (fraction_bits + m))
    signs = yield from sign_bits(session, opened, fraction_bits, m)
    turned = ~signs
    sizes = np.uint64(fraction_bits), np.uint64(m)

    def fill(chunk: slice, words: Words) -> None:
        b, not_b = signs[sliced(chunk)], turned[sliced(chunk)]
        pieces.relu_words(opened[chunk], b, not_b, words, *sizes, session.bits)

    def piece(chunk: slice, words: Words, once: np.uint64, out: Words) -> None:
        r, rho = opened[chunk], signs[sliced(chunk)]
        pieces.relu_pieces(r, rho, words, *sizes, once, out, session.bits)

    return (yield from hand_over(session, z.size, 4, fill, piece))
