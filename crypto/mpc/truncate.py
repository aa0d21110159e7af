"""Truncation of shared fixed-point values: z >> f within one unit, never wrong by a wrap.

|x| < 2^k - 2^f with k = f + m. A has c = x + 2^k + r mod p, B and C know r (module `opening`). With
X = x + 2^k, 0 < X < 2^(k+1): the sum wraps round p exactly when dA = [c < 2^(k+1)] and
dB = [r >= p - 2^(k+1)], for with r in that zone c is below X after a wrap and at least r without.
Since p = 2^61 - 1, a wrap leaves c = X + r + 1 - 2^61, so

    (c >> f) + 2^(61-f) dA dB - (r >> f) - 2^m

is x >> f or one more in both cases, and linear in what A knows. The ReLU of `activation` needs the
sign as well and truncates on its way; this is for values that keep theirs.
"""

from __future__ import annotations

import numpy as np

from crypto.kernels import Words
from crypto.mpc.compare import check_room
from crypto.mpc.kernels import pieces
from crypto.mpc.opening import hand_over, open_to_a
from crypto.mpc.session import Program, Session


def truncate(session: Session, z: Words, m: int, fraction_bits: int = 16) -> Program[Words]:
    """z >> f or one more, fresh degree-1 shares, shape as z, for |z| < 2^(f + m) - 2^f.

    z is shared with degree 1 or 2. Three rounds, nothing opened. Raises MpcError for m and f that
    the field has no room for.
    """
    check_room(session, fraction_bits, m)
    opened = yield from open_to_a(session, z, 1 << (fraction_bits + m))
    sizes = np.uint64(fraction_bits), np.uint64(m)

    def fill(chunk: slice, words: Words) -> None:
        pieces.quotient_words(opened[chunk], words, *sizes, session.bits)

    def piece(chunk: slice, words: Words, once: np.uint64, out: Words) -> None:
        pieces.quotient_pieces(opened[chunk], words, *sizes, once, out, session.bits)

    shares = yield from hand_over(session, z.size, 2, fill, piece)
    return shares.reshape(z.shape)
