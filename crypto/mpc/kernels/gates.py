"""Gates on bit-sliced values whose parts two of three parties know each.

Rows of a tree of j nodes: generate of node 0, then generate and propagate of each further node; the
propagate of node 0 is never used, since a carry of 1 into it is part of its generate.

The lowest nodes cover up to four positions of a sum u + v. Their generate and propagate are
polynomials in these bits of u and of v. One party knows u and shares all products of its bits,
`monomials`; in those the polynomials are linear, and those who know v compute their parts without
any message. Of the product of the u_i with i in s,

    P = prod_i (u_i ^ v_i)                      has the coefficient prod_{i not in s} v_i,
    G = sum_i u_i v_i prod_{j > i} (u_j ^ v_j)  has v_l prod_{j > l, j not in s} v_j,

l being the lowest position in s.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from crypto.kernels import Words
from crypto.mpc.kernels.bits import READ_ROWS, ROWS
from crypto.mpc.kernels.lines import READ, WORD, WORDS

_INT = types.int64
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
# Words of a row that are worked on together: 16 such rows are 32 KB.
_COLUMNS = 256


@njit(types.void(READ, READ, WORDS), cache=True, nogil=True)
def _and(a: Words, b: Words, out: Words) -> None:
    for q in range(out.size):
        out[q] = a[q] & b[q]


@njit(types.void(READ, READ, WORDS), cache=True, nogil=True)
def _add_and(a: Words, b: Words, out: Words) -> None:
    for q in range(out.size):
        out[q] ^= a[q] & b[q]


@njit(types.void(READ, READ, READ, WORDS, WORDS), cache=True, nogil=True)
def _add_both(a: Words, b: Words, c: Words, out: Words, out2: Words) -> None:
    for q in range(a.size):
        word = a[q]
        out[q] ^= word & b[q]
        out2[q] ^= word & c[q]


@njit(types.void(READ, WORDS), cache=True, nogil=True)
def _add(a: Words, out: Words) -> None:
    for q in range(out.size):
        out[q] ^= a[q]


@njit(types.void(READ_ROWS, _INT, _INT, _INT, _INT, ROWS), cache=True, nogil=True)
def _products(rows: Words, first: int, width: int, start: int, end: int, out: Words) -> None:
    """out[s] = the product of the rows first + i for the bits i of s, for columns start to end."""
    out[0] = _ONES
    for s in range(1, 1 << width):
        rest = s & (s - 1)
        if rest == 0:
            position = 0
            while s >> position > 1:
                position += 1
            out[s, : end - start] = rows[first + position, start:end]
        else:
            _and(out[rest, : end - start], out[s ^ rest, : end - start], out[s, : end - start])


@njit(types.void(READ_ROWS, _INT, _INT, ROWS), cache=True, nogil=True)
def hide_monomials(slices: Words, count: int, radix: int, words: Words) -> None:
    """words ^= all products of bits of a node, nodes being `radix` of the first `count` rows."""
    columns = slices.shape[1]
    products = np.empty((1 << radix, min(columns, _COLUMNS)), dtype=np.uint64)
    for start in range(0, columns, _COLUMNS):
        end = min(columns, start + _COLUMNS)
        row = 0
        for first in range(0, count, radix):
            width = min(radix, count - first)
            _products(slices, first, width, start, end, products)
            for s in range(1, 1 << width):
                _add(products[s, : end - start], words[row, start:end])
                row += 1


@njit(types.void(READ_ROWS, READ_ROWS, _INT, _INT, ROWS, ROWS), cache=True, nogil=True)
def node_parts(
    monomials: Words, other: Words, count: int, radix: int, linear: Words, constant: Words
) -> None:
    """Add to `linear` and `constant` what a part of the monomials gives of the tree's lowest rows.

    `other` are v's rows, of which `count` are used; `constant` gets what follows from v alone.
    """
    columns = other.shape[1]
    products = np.empty((1 << radix, min(columns, _COLUMNS)), dtype=np.uint64)
    for start in range(0, columns, _COLUMNS):
        end = min(columns, start + _COLUMNS)
        n, row = end - start, 0
        for first in range(0, count, radix):
            width = min(radix, count - first)
            full = (1 << width) - 1
            _products(other, first, width, start, end, products)
            node = first // radix
            generate = linear[max(0, 2 * node - 1), start:end]
            propagate = linear[2 * node, start:end]
            for s in range(1, full + 1):
                monomial = monomials[row, start:end]
                lowest = s & -s
                above = full & ~s & ~(lowest - 1)
                carried, passed = products[lowest | above, :n], products[full ^ s, :n]
                if node == 0:
                    # Both go to one row.
                    _add_and(monomial, carried, generate)
                    _add_and(monomial, passed, propagate)
                else:
                    _add_both(monomial, carried, passed, generate, propagate)
                row += 1
            _add(products[full, :n], constant[2 * node, start:end])


@njit(WORD(WORD, WORD, WORD, WORD), cache=True, inline="always")
def _local(own: np.uint64, other: np.uint64, own2: np.uint64, other2: np.uint64) -> np.uint64:
    """The party's terms of a product of two values of which it has two parts each."""
    return (own & (own2 ^ other2)) ^ (other & own2)


@njit(types.void(READ, READ, READ, READ, READ, READ, WORDS), cache=True, nogil=True)
def _join_propagate(
    own: Words, other: Words, own2: Words, other2: Words, mask: Words, mask2: Words, out: Words
) -> None:
    for q in range(out.size):
        out[q] = _local(own[q], other[q], own2[q], other2[q]) ^ mask[q] ^ mask2[q]


@njit(types.void(READ, READ, READ, READ, READ, READ, READ, WORDS), cache=True, nogil=True)
def _join_generate(
    plus: Words,
    own: Words,
    other: Words,
    own2: Words,
    other2: Words,
    mask: Words,
    mask2: Words,
    out: Words,
) -> None:
    for q in range(out.size):
        product = _local(own[q], other[q], own2[q], other2[q])
        out[q] = plus[q] ^ product ^ mask[q] ^ mask2[q]


@njit(
    types.void(READ_ROWS, READ, READ_ROWS, READ_ROWS, READ_ROWS, _INT, ROWS),
    cache=True,
    nogil=True,
)
def join_pairs(
    own: Words, received: Words, last: Words, mask: Words, mask2: Words, done: int, out: Words
) -> None:
    """One level of the tree: nodes 2i and 2i + 1 become node i; a last single node is copied.

    G = G_high ^ P_high G_low and P = P_high P_low, each product by the gate of Araki et al. (2016,
    section 3): the party's local terms, masked by its share of zero, `mask` ^ `mask2` from row
    `done` on. `out` gets the party's own parts, whose rows but those of a single node are what it
    sends. Its other parts are what it `received`, and generate and propagate of the `last` node
    where that was not joined in the level before.
    """
    nodes, blocks = (own.shape[0] + 1) // 2, own.shape[1]
    other = received.reshape(received.size // blocks, blocks)
    for i in range(nodes // 2):
        row, low, high = max(0, 2 * i - 1), max(0, 4 * i - 1), 4 * i + 1
        p, p2 = own[high + 1], other[high + 1] if high + 1 < other.shape[0] else last[1]
        m, m2 = mask[done + row], mask2[done + row]
        _join_generate(own[high], p, p2, own[low], other[low], m, m2, out[row])
        if i > 0:
            row, low = row + 1, low + 1
            m, m2 = mask[done + row], mask2[done + row]
            _join_propagate(p, p2, own[low], other[low], m, m2, out[row])
    if nodes % 2:
        out[nodes - 2] = own[own.shape[0] - 2]
        out[nodes - 1] = own[own.shape[0] - 1]
