"""The leading bit of a difference u - v, where A knows u, and B and C know v.

u and v are bit-sliced, 64 elements a word. Boolean values are held as replicated shares (Araki,
Furukawa, Lindell, Nof and Ohara 2016): s = s_AB ^ s_BC ^ s_CA, each part known to the two parties
in its name. A party's `own` part is the one that the next party knows too (A: s_AB, B: s_BC,
C: s_CA), `other` the one that the party before it knows.

u - v is u + not v + 1. The carry into its last bit comes from a parallel-prefix tree whose lowest
nodes cover up to four positions (module `kernels.gates`): since A knows u and the others v, they
take one round instead of the three that single positions and two levels of products would.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from crypto.kernels import Words
from crypto.mpc.kernels import gates
from crypto.mpc.session import Program, Role, Session, exchange, received_words

Pair = tuple[Words, Words]

_NONE = np.empty((0, 0), dtype=np.uint64)
_WIDEST = 4


def leading_bit(session: Session, slices: Words, blocks: int, top: bool = True) -> Program[Words]:
    """The last bit of u - v (`top`), or the carry out of it: [u >= v].

    `slices` hold, a row a bit from the lowest, u at A, and not v at B and C. With `top` there are
    m + 1 rows, else m; 2 + ceil(log2(ceil(m / 4))) rounds. There may be several v for the same u,
    side by side at B and C in blocks of `blocks` words; A then repeats u. The result, (words,) for
    all v, is b' at A, uniform, and rho at B and C: the bit is b' ^ rho.

    1. A sends C the products of bits of u within each node, under a mask that B has: they are
       shared as s_AB ^ s_CA.
    2. Generate and propagate of each node are linear in them. B and C know the coefficients and
       what is constant, s_BC; each sends A its part under a word of theirs.
    3. A tree of products gives the carry into the last bit. A adds the last bit of u to what it
       has of it, B and C that of not v.
    """
    count = slices.shape[0] - int(top)
    monomials = yield from _share_monomials(session, slices, count, blocks)
    own, other = yield from _nodes(session, monomials, slices, count)
    own, other = yield from _carry(session, own, other)
    bit = {Role.A: own ^ other, Role.B: own, Role.C: other}[session.role]
    return bit ^ slices[count] if top else bit


def _share_monomials(
    session: Session, slices: Words, count: int, blocks: int
) -> Program[Words | None]:
    """B's and C's parts of the products of bits of u, a row each; A needs none."""
    rows = monomial_rows(count)
    if session.role is Role.C:
        inbox = yield from exchange({}, {Role.A: 8 * rows * blocks})
        part = received_words(inbox[Role.A]).reshape(rows, blocks)
    else:
        peer = Role.B if session.role is Role.A else Role.A
        part = session.words(peer, rows * blocks).reshape(rows, blocks)
        if session.role is Role.A:
            bits_of_u = np.ascontiguousarray(slices[:, :blocks])
            gates.hide_monomials(bits_of_u, count, node_width(count), part)
            yield from exchange({Role.C: part.tobytes()}, {})
            return None
        yield from exchange({}, {})
    copies = slices.shape[1] // blocks
    return part if copies == 1 else np.tile(part, (1, copies))


def _nodes(session: Session, monomials: Words | None, slices: Words, count: int) -> Program[Pair]:
    """A party's parts of the rows of the tree's lowest nodes; `other` is flat."""
    radix = node_width(count)
    shape = 2 * -(-count // radix) - 1, slices.shape[1]
    size = shape[0] * shape[1]
    if monomials is None:
        inbox = yield from exchange({}, {Role.B: 8 * size, Role.C: 8 * size})
        return received_words(inbox[Role.B]).reshape(shape), received_words(inbox[Role.C])
    is_b = session.role is Role.B
    words = session.words(Role.C if is_b else Role.B, 2 * size)
    common = (words[:size] ^ words[size:]).reshape(shape)
    part = (words[:size] if is_b else words[size:]).reshape(shape)
    gates.node_parts(monomials, slices, count, radix, part, common)
    yield from exchange({Role.A: part.tobytes()}, {})
    return (common, part.reshape(-1)) if is_b else (part, common.reshape(-1))


def _carry(session: Session, own: Words, other: Words) -> Program[Pair]:
    """A party's parts, (words,), of the carry out of all nodes. A round for each level.

    Of a level's nodes the party holds its own part whole, and the other part as it was received,
    with the two rows of a last single node, `last`, that has not been sent yet.
    """
    nodes, blocks = (own.shape[0] + 1) // 2, own.shape[1]
    total = product_rows(nodes)
    after = session.words(session.after, total * blocks).reshape(total, blocks)
    before = session.words(session.before, total * blocks).reshape(total, blocks)
    last, done = _NONE, 0
    while nodes > 1:
        sent = 2 * (nodes // 2) - 1
        joined = np.empty((sent + 2 * (nodes % 2), blocks), dtype=np.uint64)
        gates.join_pairs(own, other, last, after, before, done, joined)
        if nodes % 2 == 0:
            last = _NONE
        elif not last.size:
            last = other[-2 * blocks :].reshape(2, blocks)
        message = joined[:sent].tobytes()
        inbox = yield from exchange({session.after: message}, {session.before: len(message)})
        own, other = joined, received_words(inbox[session.before])
        nodes, done = (nodes + 1) // 2, done + sent
    return own[0], other


def monomial_rows(count: int) -> int:
    """Products of bits in nodes over so many positions."""
    width = node_width(count)
    nodes, rest = divmod(count, width)
    return nodes * ((1 << width) - 1) + (1 << rest) - 1


@lru_cache
def node_width(count: int) -> int:
    """Positions of a lowest node: the fewest with as few levels above as four of them have.

    A node of w positions has 2^w - 1 products.
    """
    levels = [(-(-count // width) - 1).bit_length() for width in range(1, _WIDEST + 1)]
    return 1 + levels.index(levels[-1])


def product_rows(nodes: int) -> int:
    """Rows of products in the tree over so many nodes."""
    total = 0
    while nodes > 1:
        total += 2 * (nodes // 2) - 1
        nodes = (nodes + 1) // 2
    return total
