"""The two moves that truncation and comparison share: opening to A under a mask, and dealing back.

Between them A knows c = x + shift + r mod p, uniform, and B and C know r, uniform too; x is the
shared value. What A sends meanwhile goes to C alone, under words that A shares with B, so B and C
end with additive pieces of the result, which they deal.

Both work through the elements in chunks that stay in the processor's cache; a message is one all
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from crypto.kernels import Words
from crypto.mpc.kernels import lines
from crypto.mpc.kernels.bits import CHUNK
from crypto.mpc.multiply import deal_lines, flat
from crypto.mpc.session import Program, Role, Session, exchange, received_words, sent_words

# fill(chunk, words): A turns masks into messages, in place.
Fill = Callable[[slice, Words], None]
# piece(chunk, words, once, out): B or C makes its additive pieces from pieces of A's words; what
# belongs to one of the two only is multiplied by `once`, 1 at B and 0 at C.
Piece = Callable[[slice, Words, np.uint64, Words], None]


def open_to_a(session: Session, z: Words, shift: int) -> Program[Words]:
    """c at A, r at B and C, shape (n,), of a sharing of degree 1 or 2. One round.

    B and C send A their weighted shares under words of theirs, a and a'; r = a + a'.
    """
    role, shares = session.role, flat(z)
    out = np.empty(shares.size, dtype=np.uint64)
    if role is Role.A:
        inbox = yield from exchange({}, dict.fromkeys((Role.B, Role.C), 8 * shares.size))
        b, c = (received_words(inbox[sender]) for sender in (Role.B, Role.C))
        offset = np.uint64(shift)
        for chunk in _chunks(shares.size):
            parts = session.check(b[chunk]), session.check(c[chunk])
            lines.collect(shares[chunk], session.weight, *parts, offset, out[chunk], session.bits)
        return out
    yield from exchange({Role.A: sent_words(_blinded(session, shares, out))}, {})
    return out


def _blinded(session: Session, shares: Words, out: Words) -> Words:
    """B's or C's message; `out` becomes r."""
    message = np.empty(shares.size, dtype=np.uint64)
    is_b = session.role is Role.B
    peer = Role.C if is_b else Role.B
    other = np.empty(min(shares.size, CHUNK), dtype=np.uint64)
    for chunk in _chunks(shares.size):
        mine, theirs = message[chunk], other[: chunk.stop - chunk.start]
        for words in (mine, theirs) if is_b else (theirs, mine):  # a, then a'
            session.draw_into(peer, words)
        lines.blind(shares[chunk], session.weight, mine, theirs, out[chunk], session.bits)
    return message


def hand_over(session: Session, count: int, width: int, fill: Fill, piece: Piece) -> Program[Words]:
    """A fresh degree-1 sharing, (count,), of what B and C make of `width` words from A an element.

    Two rounds.

    1. A sends C its words less masks that B draws too, so that they are shared additively.
    2. B and C make additive pieces of the result, and deal them along lines through a word that A
       draws too. So A sends and receives nothing.
    """
    shares = np.empty(count, dtype=np.uint64)
    if session.role is Role.A:
        message = _filled(session, shares, width, fill)
        yield from exchange({Role.C: sent_words(message)}, {})
        yield from exchange({}, {})
        return shares
    if session.role is Role.B:
        peer, words = Role.C, None
        yield from exchange({}, {})
    else:
        peer, sizes = Role.B, {Role.A: 8 * width * count}
        inbox = yield from exchange({}, sizes)
        words = received_words(inbox[Role.A])
    message = _dealt(session, shares, width, piece, words)
    inbox = yield from exchange({peer: sent_words(message)}, {peer: 8 * count})
    received = received_words(inbox[peer])
    for chunk in _chunks(count):
        part = session.check(received[chunk])
        lines.add(shares[chunk], part, shares[chunk], session.bits)
    return shares


def _filled(session: Session, shares: Words, width: int, fill: Fill) -> Words:
    """A's message; its shares become the sums of its words with B and C."""
    message = np.empty(width * shares.size, dtype=np.uint64)
    for chunk in _chunks(shares.size):
        words = message[width * chunk.start : width * chunk.stop]
        session.draw_into(Role.B, words)
        fill(chunk, words)
        with_b, with_c = (session.elements(role, words.size // width) for role in (Role.B, Role.C))
        lines.add(with_b, with_c, shares[chunk], session.bits)
    return message


def _dealt(
    session: Session, shares: Words, width: int, piece: Piece, received: Words | None
) -> Words:
    """B's or C's message; `shares` become its own shares of its pieces."""
    message = np.empty(shares.size, dtype=np.uint64)
    is_b = session.role is Role.B
    peer, once = (Role.C, np.uint64(1)) if is_b else (Role.B, np.uint64(0))
    pieces = np.empty(min(shares.size, CHUNK), dtype=np.uint64)
    for chunk in _chunks(shares.size):
        count = chunk.stop - chunk.start
        if received is None:
            part = session.elements(Role.A, width * count)
        else:
            part = session.check(received[width * chunk.start : width * chunk.stop])
        words, own = message[chunk], pieces[:count]
        session.draw_into(Role.A, words)
        piece(chunk, part, once, own)
        deal_lines(session, own, Role.A, peer, words, shares[chunk])
    return message


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, min(count, start + CHUNK))


def sliced(chunk: slice) -> slice:
    """The words that hold a chunk's elements, bit-sliced."""
    return slice(chunk.start // 64, -(-chunk.stop // 64))
