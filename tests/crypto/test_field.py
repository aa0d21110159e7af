"""Arithmetic of arrays in F_p, and what is refused at its door."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import FieldError
from crypto.field import F61, Field
from tests.crypto.words import F7, F31, P61, array, words61

small = pytest.mark.parametrize("field", [F7, F31], ids=["p=7", "p=31"])
pairs61 = st.lists(st.tuples(words61, words61), min_size=1, max_size=6)


@pytest.mark.parametrize("bits", [0, 1, 4, 11, 60, 62, 64])
def test_only_exponents_of_mersenne_primes_make_a_field(bits: int) -> None:
    with pytest.raises(FieldError, match=f"got {bits}"):
        Field(bits)


def test_the_shared_field_has_the_prime_that_the_protocol_names() -> None:
    assert F61.modulus == 2305843009213693951


@small
def test_all_sums_differences_and_products_of_a_small_field(field: Field) -> None:
    p = field.modulus
    pairs = list(product(range(p), repeat=2))
    a, b = array(x for x, _ in pairs), array(y for _, y in pairs)
    assert field.add(a, b).tolist() == [(x + y) % p for x, y in pairs]
    assert field.subtract(a, b).tolist() == [(x - y) % p for x, y in pairs]
    assert field.multiply(a, b).tolist() == [x * y % p for x, y in pairs]


@small
def test_every_word_but_zero_has_its_inverse(field: Field) -> None:
    for word in range(1, field.modulus):
        assert field.inverse(word) * word % field.modulus == 1
    for zero in (0, field.modulus):
        with pytest.raises(FieldError, match="zero"):
            field.inverse(zero)


@given(pairs=pairs61)
def test_sums_differences_and_products_of_the_large_field(pairs: list[tuple[int, int]]) -> None:
    a, b = array(x for x, _ in pairs), array(y for _, y in pairs)
    assert F61.add(a, b).tolist() == [(x + y) % P61 for x, y in pairs]
    assert F61.subtract(a, b).tolist() == [(x - y) % P61 for x, y in pairs]
    assert F61.multiply(a, b).tolist() == [x * y % P61 for x, y in pairs]


@given(pairs=pairs61)
def test_combine_weighs_rows(pairs: list[tuple[int, int]]) -> None:
    rows = np.array([[x, 1] for x, _ in pairs], dtype=np.uint64)
    got = F61.combine(rows, array(y for _, y in pairs))
    assert got.tolist() == [sum(x * y for x, y in pairs) % P61, sum(y for _, y in pairs) % P61]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FieldError, match="equal shapes"):
        F61.multiply(array([1, 2]), array([1]))
    with pytest.raises(FieldError, match="expected 2 weights"):
        F61.combine(np.ones((2, 3), dtype=np.uint64), array([1, 2, 3]))


@small
def test_signed_integers_of_a_small_field_go_and_come_back(field: Field) -> None:
    half = field.modulus // 2
    signed = np.arange(-half, half + 1)
    words = field.from_signed(signed)
    assert words.tolist() == [int(value) % field.modulus for value in signed]
    assert field.to_signed(words).tolist() == signed.tolist()
    for beyond in (half + 1, -half - 1):
        with pytest.raises(FieldError, match=f"up to {half}"):
            field.from_signed(np.array([beyond]))


@given(values=st.lists(st.integers(-(2**60) + 1, 2**60 - 1), max_size=6))
def test_signed_integers_of_the_large_field_go_and_come_back(values: list[int]) -> None:
    words = F61.from_signed(np.array(values, dtype=np.int64))
    assert words.tolist() == [value % P61 for value in values]
    assert F61.to_signed(words).tolist() == values


@pytest.mark.parametrize("value", [2**60, -(2**60), 2**63 - 1, -(2**63)])
def test_signed_integers_beyond_half_of_the_large_field_are_refused(value: int) -> None:
    with pytest.raises(FieldError):
        F61.from_signed(np.array([0, value]))


def test_only_integers_become_words() -> None:
    with pytest.raises(FieldError, match="float64"):
        F61.from_signed(np.array([1.5]))  # type: ignore[arg-type]


@given(values=st.lists(words61, max_size=6))
def test_words_as_bytes_are_little_endian_and_come_back(values: list[int]) -> None:
    data = F61.to_bytes(array(values))
    assert data == b"".join(value.to_bytes(8, "little") for value in values)
    assert F61.from_bytes(data).tolist() == values


@pytest.mark.parametrize(
    "data",
    [bytes(7), bytes(9), P61.to_bytes(8, "little"), bytes(8) + b"\xff" * 8],
    ids=["7 bytes", "9 bytes", "p", "largest"],
)
def test_bytes_of_no_vector_are_refused(data: bytes) -> None:
    with pytest.raises(FieldError):
        F61.from_bytes(data)


BAD_VECTORS = {
    "p": array([0, P61]),
    "beyond p": array([2**64 - 1]),
    "negative": np.array([0, -1]),
    "smallest": np.array([-(2**63)]),
    "floats": np.array([1.0]),
    "truth values": np.array([True]),
    "text": np.array(["1"]),
    "too large for a word": np.array([2**64], dtype=object),
    "matrix": np.ones((1, 1), dtype=np.uint64),
    "scalar": np.uint64(1),
    "ragged": [[1], [1, 2]],
}


@pytest.mark.parametrize("values", BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_what_is_no_vector_of_words_is_refused(values: object) -> None:
    with pytest.raises(FieldError):
        F61.vector(values)  # type: ignore[arg-type]


BAD_MATRICES = {
    "p": np.full((2, 2), P61, dtype=np.uint64),
    "negative": np.full((2, 2), -1),
    "floats": np.ones((2, 2)),
    "vector": array([1, 2]),
    "cube": np.ones((1, 1, 1), dtype=np.uint64),
    "ragged": [[1], [1, 2]],
}


@pytest.mark.parametrize("rows", BAD_MATRICES.values(), ids=BAD_MATRICES)
def test_what_is_no_matrix_of_words_is_refused(rows: object) -> None:
    with pytest.raises(FieldError):
        F61.matrix(rows)  # type: ignore[arg-type]


def test_a_negative_word_is_named_as_it_came() -> None:
    with pytest.raises(FieldError, match="from 0 to p - 1, got -3"):
        F61.vector(np.array([1, -3]))


@small
def test_a_vector_may_hold_every_word_below_p_and_no_other(field: Field) -> None:
    words = field.vector(np.arange(field.modulus))
    assert words.dtype == np.uint64
    assert words.tolist() == list(range(field.modulus))
    with pytest.raises(FieldError, match=f"got {field.modulus}"):
        field.vector([field.modulus])


def test_checked_arrays_are_contiguous_whatever_came() -> None:
    every_other = np.arange(10, dtype=np.uint64)[::2]
    assert F61.vector(every_other).flags.c_contiguous
    assert F61.matrix(np.arange(6, dtype=np.uint64).reshape(2, 3).T).flags.c_contiguous
