"""Inner products in F_p agree with Python's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import MpcError
from crypto.mpc.inner import dots, sign_dots
from tests.crypto.mpc.trio import P61, Trio


@given(n=st.integers(1, 5), m=st.integers(1, 20), length=st.integers(1, 40), data=st.data())
def test_inner_products_are_exact(n: int, m: int, length: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a = rng.integers(0, P61, (n, length)).astype(np.uint64)
    b = rng.integers(0, P61, (m, length)).astype(np.uint64)
    # The extremes of the balanced halves, where the accumulators are fullest.
    edge = data.draw(st.sampled_from([P61 // 2, P61 // 2 + 1, P61 - 1, (1 << 60) - (1 << 30)]))
    a[0], b[0] = edge, edge
    expected: Any = (a.astype(object) @ b.T.astype(object)) % P61
    assert dots(a, b).tolist() == expected.tolist()


@given(n=st.integers(1, 20), m=st.integers(1, 5), length=st.integers(1, 400), data=st.data())
def test_sums_with_signs_are_exact(n: int, m: int, length: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    signs = rng.integers(-1, 2, (n, length), dtype=np.int8)
    words = rng.integers(0, P61, (m, length)).astype(np.uint64)
    edge = data.draw(st.sampled_from([0, (1 << 31) - 1, 1 << 31, P61 - (1 << 31), P61 - 1]))
    words[0], signs[0] = edge, data.draw(st.sampled_from([-1, 0, 1]))
    expected: Any = (signs.astype(object) @ words.T.astype(object)) % P61
    assert sign_dots(signs, words).tolist() == expected.tolist()


def test_vectors_that_are_not_of_signs_are_refused() -> None:
    words = np.zeros((2, 3), dtype=np.uint64)
    for signs in (np.full((1, 3), 2, np.int8), np.full((1, 3), -2, np.int8), np.ones((1, 3), int)):
        with pytest.raises(MpcError, match="from -1 to 1"):
            sign_dots(signs, words)


def test_of_shares_with_public_vectors_a_line_and_of_two_sharings_a_parabola() -> None:
    rng, trio = np.random.default_rng(0), Trio()
    x = rng.integers(-(2**20), 2**20, (3, 50))
    signs = rng.integers(-1, 2, (16, 50))
    shares = trio.share(x)
    public = trio.field.from_signed(signs.reshape(-1)).reshape(signs.shape)
    assert np.array_equal(trio.signed([dots(s, public) for s in shares]), x @ signs.T)
    few = signs.astype(np.int8)
    assert np.array_equal(trio.signed([sign_dots(few, s).T for s in shares]), x @ signs.T)
    assert np.array_equal(trio.signed([dots(s, s) for s in shares], degree=2), x @ x.T)


@pytest.mark.parametrize(
    "shapes", [((2, 3), (2, 4)), ((3,), (3,)), ((0, 3), (2, 3)), ((2, 0), (2, 0))]
)
def test_other_shapes_are_refused(shapes: Any) -> None:
    with pytest.raises(MpcError, match="vectors"):
        dots(*(np.zeros(shape, dtype=np.uint64) for shape in shapes))
    with pytest.raises(MpcError, match="vectors"):
        sign_dots(np.zeros(shapes[0], dtype=np.int8), np.zeros(shapes[1], dtype=np.uint64))
