"""Products of shared values: degree reduction, zero sharings, opening.

The product of two shares of degree 1 is a share of degree 2, which the Lagrange weights of all
three points still open. Degree reduction is that of Gennaro, Rabin and Rabin (1998, section 2):
each party deals its weighted share anew, and the sum of the three dealings is a fresh sharing of
the same value. A dealing is a line through a word that dealer and one receiver draw from their
stream, so only the other receiver is sent anything.
"""

from __future__ import annotations

import numpy as np

from crypto import kernels
from crypto.errors import MpcError
from crypto.kernels import Words
from crypto.mpc.kernels import lines
from crypto.mpc.session import Program, Role, Session, exchange, received_words
from crypto.shamir import lagrange_weights


def flat(shares: Words) -> Words:
    """The shares as one contiguous vector."""
    return np.ascontiguousarray(shares, dtype=np.uint64).reshape(-1)


def reduce_degree(session: Session, z: Words) -> Program[Words]:
    """A fresh degree-1 sharing, shape as z, of a value shared with degree 1 or 2. One round.

    1. P deals weight_P z_P along a line through its word with the party before it, and sends the
       line's value at the party after it.
    2. The new share is the sum of the three lines at P's point: its own, the one it was sent, and
       its word with the party after it.
    """
    role, after, before = session.role, session.after, session.before
    weighted, kept = np.empty(z.size, dtype=np.uint64), np.empty(z.size, dtype=np.uint64)
    kernels.combine(flat(z)[None], session.weights[role : role + 1], weighted, session.bits)
    sent = session.elements(before, z.size)
    deal_lines(session, weighted, before, after, sent, kept)
    lines.add(kept, session.elements(after, z.size), kept, session.bits)
    inbox = yield from exchange({after: sent.tobytes()}, {before: 8 * z.size})
    lines.add(kept, session.check(received_words(inbox[before])), kept, session.bits)
    return kept.reshape(z.shape)


def deal_lines(
    session: Session, secret: Words, through: Role, to: Role, words: Words, kept: Words
) -> None:
    """Deal `secret`, (n,), along lines whose values at `through` are `words`, which it draws too.

    Own shares are written to `kept`, those of `to` over the words.
    """
    own, other = session.points[session.role], session.points[to]
    lines.deal(secret, session.inverses[through], own, other, words, kept, session.bits)


def subtract(session: Session, a: Words, b: Words) -> Words:
    """a - b, shape as given, of sharings or public words; local."""
    out = np.empty(a.shape, dtype=np.uint64)
    lines.subtract(flat(a), flat(b), out.reshape(-1), session.bits)
    return out


def multiply(session: Session, a: Words, b: Words) -> Program[Words]:
    """The element-wise product of two degree-1 sharings of equal shape, degree 1. One round."""
    product = session.field.multiply(flat(a), flat(b)).reshape(a.shape)
    return (yield from reduce_degree(session, product))


def zero_sharing(session: Session, shape: tuple[int, ...]) -> Words:
    """A pseudo-random degree-2 sharing of zero; nothing is sent.

    P's share is (word with the next - word with the previous) / weight_P, so the weighted shares
    sum to zero; each party lacks one word of the other two's shares (Cramer, Damgard and Ishai
    2005, section 4).
    """
    count = int(np.prod(shape))
    after = session.elements(session.after, count)
    before = session.elements(session.before, count)
    scale = np.uint64(session.field.inverse(int(session.weight)))
    lines.subtract_scaled(after, before, scale, after, session.bits)
    return after.reshape(shape)


def open_shares(session: Session, shares: Words, degree: int = 1) -> Program[Words]:
    """The shared values, shape as the shares, to all three. One round.

    Shares of degree 1 show nothing but the value, and are checked to lie on a line. Shares of
    degree 2 that come from a product must have a `zero_sharing` added, or they show more than the
    value. Raises MpcError for three points that lie on no line.
    """
    mine = flat(shares)
    message = mine.tobytes()
    others = [role for role in Role if role is not session.role]
    inbox = yield from exchange(dict.fromkeys(others, message), dict.fromkeys(others, len(message)))
    rows = {role: session.check(received_words(inbox[role])) for role in others}
    rows[session.role] = mine
    ordered = [rows[role] for role in Role]
    if degree == 1:
        _check_line(session, ordered)
    values = np.empty_like(mine)
    a, b, c = ordered
    lines.interpolate(a, b, c, session.weights, values, session.bits)
    return values.reshape(shares.shape)


def _check_line(session: Session, rows: list[Words]) -> None:
    """Raise MpcError unless rows[C] continues the line through the other two."""
    points = session.committee.points
    weights = lagrange_weights(points[:2], points[2], session.field)
    weights = np.append(weights, np.uint64(session.field.modulus - 1))
    differences = np.empty(rows[0].size, dtype=np.uint64)
    a, b, c = rows
    lines.interpolate(a, b, c, weights, differences, session.bits)
    if differences.any():
        raise MpcError("expected opened shares on a line: a party sent a wrong one")
