"""Compiled loops agree with Python's integers, and with what they were compiled from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from crypto.mpc.kernels import bits, gates, lines, matrix, pieces
from tests.crypto.mpc.trio import P61

Run = Callable[..., Any]
EDGES = [0, 1, 2, 2**29, 2**30, 2**31, 2**32 - 1, 2**60 - 1, 2**60, P61 - 2, P61 - 1]
B61 = np.uint64(61)


def compiled(kernel: Any, *args: Any) -> Any:
    return kernel(*args)


def interpreted(kernel: Any, *args: Any) -> Any:
    # A word that wraps is what the kernel means; numpy warns of it only outside compiled code.
    with np.errstate(over="ignore"):
        return kernel.py_func(*args)


both_ways = pytest.mark.parametrize("run", [compiled, interpreted])


def words(values: Any) -> Any:
    return np.array([int(value) for value in values], dtype=np.uint64)


def edge_pairs() -> tuple[list[int], list[int]]:
    pairs = list(product(EDGES, EDGES))
    return [a for a, _ in pairs], [b for _, b in pairs]


@both_ways
def test_masked_words_and_how_many_are_no_elements(run: Run) -> None:
    array = words([2**64 - 1, 2**61 - 1, 2**61, 5])
    assert run(lines.mask_words, array, np.uint64(P61)) == 2
    assert array.tolist() == [P61, P61, 0, 5]
    assert run(lines.largest, words([3, 2**64 - 1, 5])) == 2**64 - 1
    assert run(lines.largest, words([])) == 0


@both_ways
def test_sums_and_differences(run: Run) -> None:
    a, b = edge_pairs()
    out = np.empty(len(a), dtype=np.uint64)
    run(lines.add, words(a), words(b), out, B61)
    assert out.tolist() == [(x + y) % P61 for x, y in zip(a, b, strict=True)]
    run(lines.subtract, words(a), words(b), out, B61)
    assert out.tolist() == [(x - y) % P61 for x, y in zip(a, b, strict=True)]
    run(lines.subtract_scaled, words(a), words(b), np.uint64(P61 - 3), out, B61)
    assert out.tolist() == [-3 * (x - y) % P61 for x, y in zip(a, b, strict=True)]


@both_ways
def test_the_words_of_an_opening(run: Run) -> None:
    a, b = edge_pairs()
    mask, total = words(b), np.empty(len(a), dtype=np.uint64)
    run(lines.blind, words(a), np.uint64(P61 - 2), mask, words(a), total, B61)
    assert mask.tolist() == [(y - 2 * x) % P61 for x, y in zip(a, b, strict=True)]
    assert total.tolist() == [(x + y) % P61 for x, y in zip(a, b, strict=True)]
    run(lines.collect, words(a), np.uint64(3), words(b), words(a), np.uint64(9), total, B61)
    assert total.tolist() == [(4 * x + y + 9) % P61 for x, y in zip(a, b, strict=True)]


@both_ways
@pytest.mark.parametrize("points", [(1, 2, 3), (7, 1, 6), (4, 9, 2), (3, P61 - 1, 8)])
def test_dealt_values_lie_on_the_line(run: Run, points: tuple[int, int, int]) -> None:
    through, own, other = points
    secrets, given = edge_pairs()
    word, kept = words(given), np.empty(len(given), dtype=np.uint64)
    inverse = np.uint64(pow(through, -1, P61))
    run(lines.deal, words(secrets), inverse, np.uint64(own), np.uint64(other), word, kept, B61)
    for s, w, at_own, at_other in zip(secrets, given, kept, word, strict=True):
        slope = (w - s) * pow(through, -1, P61)
        assert int(at_own) == (s + slope * own) % P61
        assert int(at_other) == (s + slope * other) % P61


@both_ways
@pytest.mark.parametrize("width", [1, 4, 32, 33, 61])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_slices_hold_the_bits_of_all_elements(run: Run, width: int, count: int) -> None:
    rng = np.random.default_rng(count)
    values = rng.integers(0, P61, count).astype(np.uint64)
    lift, shift, flip = 2**60, 3, 2**64 - 1
    blocks = -(-count // 64)
    out = np.zeros((width, blocks), dtype=np.uint64)
    run(bits.slice_bits, values, np.uint64(lift), np.uint64(shift), np.uint64(flip), out)
    for e, value in enumerate(values.tolist()):
        expected = ((value + (value >= lift)) >> shift) ^ flip
        got = [(int(row[e % blocks]) >> (e // blocks)) & 1 for row in out]
        assert got == [(expected >> t) & 1 for t in range(width)]


def columns(values: Any, width: int) -> Any:
    """Bit t of all values in row t, 64 values a word."""
    blocks = -(-len(values) // 64)
    rows = np.zeros((width, blocks), dtype=np.uint64)
    for (k, value), t in product(enumerate(values), range(width)):
        rows[t, k // 64] |= np.uint64(((int(value) >> t) & 1) << (k % 64))
    return rows


def bit(row: Any, k: int) -> int:
    return (int(row[k // 64]) >> (k % 64)) & 1


@both_ways
@pytest.mark.parametrize(("count", "radix"), [(1, 1), (3, 3), (4, 4), (6, 4), (3, 2), (4, 3)])
def test_nodes_generate_and_propagate_carries(run: Run, count: int, radix: int) -> None:
    """All pairs of a few bits; longer sums by samples. The lowest node has a carry into it."""
    rng = np.random.default_rng(count)
    pairs = list(product(range(1 << count), repeat=2))
    pairs = pairs if count <= 4 else [pairs[i] for i in rng.choice(len(pairs), 300)]
    u, v = columns([a for a, _ in pairs], count), columns([b for _, b in pairs], count)
    rows = sum((1 << min(radix, count - first)) - 1 for first in range(0, count, radix))
    nodes = -(-count // radix)
    monomials = np.zeros((rows, u.shape[1]), dtype=np.uint64)
    run(gates.hide_monomials, u, count, radix, monomials)
    linear, constant = np.zeros((2, 2 * nodes - 1, u.shape[1]), dtype=np.uint64)
    run(gates.node_parts, monomials, v, count, radix, linear, constant)
    tree, low = linear ^ constant, 1 << radix
    for k, (a, b) in enumerate(pairs):
        assert bit(tree[0], k) == (a % low + b % low + 1) >> min(count, radix)
        if nodes == 2:
            upper, rest = (a // low, b // low), count - radix
            assert bit(tree[1], k) == sum(upper) >> rest
            assert bit(tree[2], k) == (upper[0] ^ upper[1] == (1 << rest) - 1)


@both_ways
@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_a_level_of_the_tree_joins_pairs(run: Run, nodes: int) -> None:
    """The three parties' own parts sum to the joined nodes, and their masks cancel."""
    rng = np.random.default_rng(nodes)

    def draw(*shape: int) -> Any:
        return rng.integers(0, 2**64, shape, dtype=np.uint64)

    rows, sent = 2 * nodes - 1, 2 * (nodes // 2) - 1
    parts, masks = draw(3, rows, 5), draw(3, sent + 1, 5)
    joined = np.empty((3, sent + 2 * (nodes % 2), 5), dtype=np.uint64)
    none = np.empty((0, 0), dtype=np.uint64)
    for party in range(3):
        # Party i holds parts i and i - 1, and shares masks with both others.
        other = parts[party - 1].reshape(-1)
        own_masks = masks[party], masks[party - 1]
        run(gates.join_pairs, parts[party], other, none, *own_masks, 1, joined[party])
    before, after = (np.bitwise_xor.reduce(array, axis=0) for array in (parts, joined))

    def node(array: Any, i: int) -> tuple[Any, Any]:
        return array[max(0, 2 * i - 1)], array[2 * i]

    for i in range(nodes // 2):
        (low_g, low_p), (high_g, high_p) = node(before, 2 * i), node(before, 2 * i + 1)
        assert np.array_equal(node(after, i)[0], high_g ^ (high_p & low_g))
        if i:
            assert np.array_equal(node(after, i)[1], high_p & low_p)
    if nodes % 2:
        assert np.array_equal(after[-2:], before[-2:])


@both_ways
def test_matrix_products_at_the_ends_of_the_balanced_halves(run: Run) -> None:
    """All words near p / 2, where every accumulator is fullest, and mixtures."""
    rng = np.random.default_rng(0)
    edges = np.array([*EDGES, P61 // 2, P61 // 2 + 1, 2**60 + 2**30], dtype=np.uint64)
    for choice in ([-2], [-3], [-1], range(len(edges))):
        weights = rng.choice(edges[list(choice)], (2, 3, 9))
        inputs = rng.choice(edges[list(choice)], (2, 5, 4))
        biases = rng.choice(edges, (2, 3))
        index = rng.integers(0, 5, (2, 12))
        high, low = np.empty((2, 2, 4, 12), dtype=np.int32)
        run(matrix.split_weights, weights, high, low)
        x_high, x_low = np.empty((2, 2, 6, 16), dtype=np.int32)
        run(matrix.split_rows, inputs, x_high, x_low)
        out = np.empty((2, 3, 2, 4), dtype=np.uint64)
        run(matrix.gathered_products, high, low, biases, 18, x_high, x_low, index, out)
        for n, o, q, r in product(range(2), range(3), range(2), range(4)):
            total = int(biases[n, o]) << 18
            total += sum(int(weights[n, o, t]) * int(inputs[n, index[q, t], r]) for t in range(9))
            assert int(out[n, o, q, r]) == total % P61


@both_ways
def test_box_sums_of_an_image_padded_with_zeros(run: Run) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, P61, (2, 3, 4, 5)).astype(np.uint64)
    high, low = np.empty((2, 2, 4 * 5, 16), dtype=np.int32)
    run(matrix.split_box_sums, images, 1, high, low)
    padded = np.pad(images.astype(object), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for c, y, x, r in product(range(2), range(4), range(5), range(5)):
        got = int(high[c, 5 * y + x, r]) * 2**31 + int(low[c, 5 * y + x, r])
        assert got % P61 == padded[c, y : y + 2, x : x + 2, r].sum() % P61
    assert not high[:, :, 5:].any()
    assert not low[:, :, 5:].any()


@both_ways
def test_pieces_sum_to_the_gated_quotient(run: Run) -> None:
    """A's words less its masks, and the masks, give additive pieces of b (x >> f)."""
    rng, n, f, m = np.random.default_rng(2), 70, 16, 24
    k = f + m
    x = rng.integers(-(2**39), 2**39, n)
    r = [int(value) for value in rng.integers(0, P61, n)]
    c = words((int(value) + (1 << k) + s) % P61 for value, s in zip(x, r, strict=True))
    signs, rho = rng.integers(0, 2**63, (2, 2)).astype(np.uint64)
    masks = rng.integers(0, P61, 4 * n).astype(np.uint64)
    sent, sizes = masks.copy(), (np.uint64(f), np.uint64(m))
    run(pieces.relu_words, c, signs, ~signs, sent, *sizes, B61)
    shares = np.empty((2, n), dtype=np.uint64)
    run(pieces.relu_pieces, words(r), rho, masks, *sizes, np.uint64(1), shares[0], B61)
    run(pieces.relu_pieces, words(r), rho, sent, *sizes, np.uint64(0), shares[1], B61)
    for e in range(n):
        b = ((int(signs[e % 2]) ^ int(rho[e % 2])) >> (e // 2)) & 1
        value = (int(c[e]) >> f) - (1 << m) - (r[e] >> f)
        assert (int(shares[0, e]) + int(shares[1, e]) - b * value) % P61 == 0


@pytest.mark.parametrize(
    "kernel", [lines.add, bits.slice_bits, gates.join_pairs, matrix.gathered_products]
)
def test_a_kernel_takes_words_and_nothing_else(kernel: Any) -> None:
    assert len(kernel.signatures) == 1, "another type was compiled, so one was accepted"
    with pytest.raises(TypeError):
        kernel(*[np.zeros((2, 2))] * len(kernel.signatures[0]))
