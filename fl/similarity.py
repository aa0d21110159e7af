"""Warnings from the angle between an update and the sum of the others, computed on shares.

A cosine above a bound is what attacks show that hide inside the others' variance (ALIE: Baruch et
al. 2019, arXiv 1902.06156; min-max: Shejwalkar and Houmansadr, NDSS 2021); one clearly below zero
what an inner product attack shows (Xie et al. 2020, arXiv 1903.03936). Honest updates of very
different hospitals can show either, so these warn and reject nobody.
"""

from __future__ import annotations

import numpy as np

from contracts.records import Bits
from crypto.field import F61
from crypto.kernels import Words
from crypto.mpc.compare import at_most
from crypto.mpc.local import negated, plus, scaled, sum_last, times
from crypto.mpc.multiply import multiply, open_shares
from crypto.mpc.session import Program, Session
from crypto.mpc.truncate import truncate

# Squares of the bounds, as fractions: a cosine of 0.95 or more, of -0.5 or less. At -0.2 an honest
# hospital of the heart data was warned of in every third round.
HIGH = (361, 400)
LOW = (1, 4)
# Inner products keep so many bits, so that a product of two, times 400, stays below p / 2.
_KEPT_BITS = 25


def warnings(session: Session, gram: Words, radius: int) -> Program[list[Bits]]:
    """The warnings of each update, opened, from degree-2 shares of all inner products.

    `gram` is (models, models); no update has a norm beyond `radius`. With fewer than two updates
    there is nothing to compare with.
    """
    models = len(gram)
    if models < 2:
        return [Bits(0)] * models
    largest = models**2 * radius**2
    shift = max(1, largest.bit_length() - _KEPT_BITS)
    room = max(1, (radius**2).bit_length() + 1 - shift)
    kept = yield from truncate(session, gram, room, fraction_bits=shift)
    own = np.ascontiguousarray(np.diagonal(kept))
    rows = sum_last(kept)
    towards = F61.subtract(rows, own)  # <u_i, sum of the others>
    whole = np.broadcast_to(sum_last(rows), own.shape)
    others = F61.subtract(F61.subtract(whole, rows), towards)  # |sum of the others|^2
    squares, norms = times(towards, towards), times(own, others)
    high = F61.subtract(scaled(squares, HIGH[1]), scaled(norms, HIGH[0]))
    low = F61.subtract(scaled(squares, LOW[1]), scaled(norms, LOW[0]))
    signs = yield from at_most(session, np.concatenate([towards, high, low]), F61.modulus // 2)
    forward, beyond = signs[:models], signs[models:]
    direction = np.concatenate([forward, plus(negated(forward), 1)])
    bits = yield from multiply(session, direction, beyond)
    opened = yield from open_shares(session, bits)
    high_bits, low_bits = np.split(opened, 2)
    return [
        (Bits.COSINE_HIGH if h else Bits(0)) | (Bits.COSINE_LOW if w else Bits(0))
        for h, w in zip(high_bits, low_bits, strict=True)
    ]
