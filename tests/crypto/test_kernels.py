"""Compiled loops agree with Python's integers, and with what they were compiled from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import kernels
from crypto.kernels import Words
from tests.crypto.words import P61, array, words61

Run = Callable[..., Any]
SMALL = {3: 7, 5: 31}


def compiled(kernel: Any, *args: Any) -> Any:
    return kernel(*args)


def interpreted(kernel: Any, *args: Any) -> Any:
    # A word that wraps is what the kernel means; numpy warns of it only outside compiled code.
    with np.errstate(over="ignore"):
        return kernel.py_func(*args)


both_ways = pytest.mark.parametrize("run", [compiled, interpreted])
small_fields = pytest.mark.parametrize(("bits", "p"), SMALL.items())


def call(run: Run, kernel: Any, *args: Any, size: int) -> list[int]:
    """Run a kernel that writes `size` words, and return them."""
    out = np.full(size, 2**64 - 1, dtype=np.uint64)
    run(kernel, *args[:-1], out, np.uint64(args[-1]))
    return [int(word) for word in out]


def word_matrix(rows: st.SearchStrategy[int], columns: int = 3) -> st.SearchStrategy[list[Any]]:
    row = st.lists(words61, min_size=columns, max_size=columns)
    return rows.flatmap(lambda count: st.lists(row, min_size=count, max_size=count))


@both_ways
@small_fields
def test_products_and_sums_of_all_pairs_in_a_small_field(run: Run, bits: int, p: int) -> None:
    for a, b in product(range(p), repeat=2):
        words = np.uint64(a), np.uint64(b), np.uint64(bits)
        assert int(run(kernels.mulmod, *words)) == a * b % p
        assert int(run(kernels.addmod, *words)) == (a + b) % p


@both_ways
@given(a=words61, b=words61)
def test_products_and_sums_in_the_large_field(run: Run, a: int, b: int) -> None:
    words = np.uint64(a), np.uint64(b), np.uint64(61)
    assert int(run(kernels.mulmod, *words)) == a * b % P61
    assert int(run(kernels.addmod, *words)) == (a + b) % P61


@both_ways
@small_fields
def test_multiply_in_a_small_field(run: Run, bits: int, p: int) -> None:
    a, b = np.array(list(product(range(p), repeat=2)), dtype=np.uint64).T
    got = call(run, kernels.multiply, a.copy(), b.copy(), bits, size=a.size)
    assert got == [int(x) * int(y) % p for x, y in zip(a, b, strict=True)]


@both_ways
@given(pairs=st.lists(st.tuples(words61, words61), max_size=6))
def test_multiply_in_the_large_field(run: Run, pairs: list[tuple[int, int]]) -> None:
    a, b = array(x for x, _ in pairs), array(y for _, y in pairs)
    got = call(run, kernels.multiply, a, b, 61, size=len(pairs))
    assert got == [x * y % P61 for x, y in pairs]


def polynomial(coefficients: list[int], point: int, p: int) -> int:
    return sum(c * point**i for i, c in enumerate(coefficients)) % p


@both_ways
def test_evaluate_every_parabola_of_the_field_of_7(run: Run) -> None:
    parabolas = list(product(range(7), repeat=3))
    coefficients = np.array(parabolas, dtype=np.uint64).T.copy()
    for point in range(7):
        got = call(run, kernels.evaluate, coefficients, np.uint64(point), 3, size=343)
        assert got == [polynomial(list(c), point, 7) for c in parabolas]


@both_ways
@given(rows=word_matrix(st.integers(1, 4)), point=words61)
def test_evaluate_in_the_large_field(run: Run, rows: list[list[int]], point: int) -> None:
    matrix = np.array(rows, dtype=np.uint64)
    got = call(run, kernels.evaluate, matrix, np.uint64(point), 61, size=3)
    assert got == [polynomial(list(column), point, P61) for column in zip(*rows, strict=True)]


@both_ways
def test_combine_every_pair_with_every_weight_in_the_field_of_7(run: Run) -> None:
    pairs = list(product(range(7), repeat=2))
    rows = np.array(pairs, dtype=np.uint64).T.copy()
    for u, v in pairs:
        got = call(run, kernels.combine, rows, array((u, v)), 3, size=49)
        assert got == [(u * x + v * y) % 7 for x, y in pairs]


@both_ways
@given(rows=word_matrix(st.integers(0, 4)), weights=st.lists(words61, min_size=4, max_size=4))
def test_combine_in_the_large_field(run: Run, rows: list[list[int]], weights: list[int]) -> None:
    matrix = np.array(rows, dtype=np.uint64).reshape(len(rows), 3)
    used = weights[: len(rows)]
    got = call(run, kernels.combine, matrix, array(used), 61, size=3)
    expected = [sum(w * row[k] for w, row in zip(used, rows, strict=True)) % P61 for k in range(3)]
    assert got == expected


def powers_sum(values: list[int], rho: int, p: int) -> int:
    return sum(value * rho ** (k + 1) for k, value in enumerate(values)) % p


@both_ways
def test_fingerprint_of_every_pair_at_every_point_of_the_field_of_7(run: Run) -> None:
    for x, y, rho in product(range(7), repeat=3):
        got = run(kernels.fingerprint, array((x, y)), np.uint64(rho), np.uint64(3))
        assert int(got) == powers_sum([x, y], rho, 7)


@both_ways
@given(values=st.lists(words61, max_size=6), rho=words61)
def test_fingerprint_in_the_large_field(run: Run, values: list[int], rho: int) -> None:
    got = run(kernels.fingerprint, array(values), np.uint64(rho), np.uint64(61))
    assert int(got) == powers_sum(values, rho, P61)


@pytest.mark.parametrize("name", ["mulmod", "addmod", "multiply", "evaluate", "combine"])
def test_a_kernel_takes_words_and_nothing_else(name: str) -> None:
    kernel = getattr(kernels, name)
    assert len(kernel.signatures) == 1, "another type was compiled, so one was accepted"
    with pytest.raises(TypeError):
        kernel(np.zeros(2, dtype=np.float64), np.zeros(2), np.zeros(2), np.uint64(61))


def test_the_word_type_is_unsigned_64_bits() -> None:
    words: Words = array([P61 - 1])
    assert words.dtype == np.uint64
