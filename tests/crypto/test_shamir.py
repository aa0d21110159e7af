"""Sharing: what t shares say (nothing), what t + 1 determine, and which inputs are refused."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import FieldError, ShareError
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.prg import Stream
from crypto.shamir import consistent, decode, lagrange_weights, share
from tests.crypto.words import F3, F7, P61, Scripted, array, words61

SETTINGS = [(3, 1), (4, 1), (5, 2), (7, 2)]


def all_sharings(secret: int, threshold: int, points: list[int], field: Field) -> Words:
    """Shares of one entry under every polynomial there is: shape (n, p^t)."""
    coefficients = np.array(list(product(range(field.modulus), repeat=threshold)))
    stream = Scripted(coefficients.T.reshape(-1))
    shares = share(array([secret] * len(coefficients)), threshold, points, stream, field)
    assert stream.exhausted()
    return shares


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_any_t_shares_are_uniform_whatever_the_secret(threshold: int) -> None:
    points = list(range(1, 7))
    uniform = Counter(product(range(7), repeat=threshold))
    for secret in range(7):
        shares = all_sharings(secret, threshold, points, F7)
        for held in combinations(range(6), threshold):
            assert Counter(zip(*shares[list(held)].tolist(), strict=True)) == uniform


def test_t_plus_1_shares_are_not_independent_of_the_secret() -> None:
    seen = [
        Counter(zip(*all_sharings(secret, 1, [1, 2], F7).tolist(), strict=True))
        for secret in range(7)
    ]
    assert all(one.keys().isdisjoint(other) for one, other in combinations(seen, 2))


@pytest.mark.parametrize("held", [0, 1])
def test_a_holders_share_of_several_entries_is_uniform_together(held: int) -> None:
    # One coefficient for two entries would pass entry by entry; it fails here.
    uniform = Counter(product(range(3), repeat=3))
    for secret in product(range(3), repeat=3):
        views = Counter(
            tuple(share(array(secret), 1, [1, 2], Scripted(drawn), F3)[held].tolist())
            for drawn in product(range(3), repeat=3)
        )
        assert views == uniform


def test_coefficients_are_drawn_degree_by_degree() -> None:
    # 5 + 2 x + x^2 and 1 + 3 x + 4 x^2, mod 7.
    stream = Scripted([2, 3, 1, 4])
    shares = share(array([5, 1]), 2, [1, 2, 3], stream, F7)
    assert shares.tolist() == [[1, 1], [6, 2], [6, 4]]
    assert stream.exhausted()


@given(
    setting=st.sampled_from(SETTINGS),
    secret=st.lists(words61, min_size=1, max_size=4),
    seed=st.binary(min_size=32, max_size=32),
)
def test_any_t_plus_1_shares_determine_the_vector(
    setting: tuple[int, int], secret: list[int], seed: bytes
) -> None:
    n, t = setting
    points = list(range(1, n + 1))
    shares = share(array(secret), t, points, Stream(seed, "test"))
    for held in combinations(range(n), t + 1):
        decoded = decode([points[row] for row in held], shares[list(held)], t)
        assert decoded.values.tolist() == secret
        assert decoded.wrong == ()


@given(data=st.data(), points=st.sets(st.integers(1, 6), min_size=1))
def test_lagrange_weights_carry_any_polynomial_to_any_point(
    data: st.DataObject, points: set[int]
) -> None:
    at = data.draw(st.integers(0, 6))
    xs = sorted(points)
    coefficients = data.draw(st.lists(st.integers(0, 6), min_size=len(xs), max_size=len(xs)))

    def value(x: int) -> int:
        return sum(c * x**i for i, c in enumerate(coefficients)) % 7

    weights = lagrange_weights(xs, at, F7)
    assert sum(int(w) * value(x) for w, x in zip(weights, xs, strict=True)) % 7 == value(at)


def test_lagrange_weights_at_zero_as_the_protocol_states_them() -> None:
    assert F61.to_signed(lagrange_weights([1, 2, 3], 0)).tolist() == [3, -3, 1]
    third = F61.inverse(3)
    assert lagrange_weights([1, 2, 4], 0).tolist() == [8 * third % P61, P61 - 2, third]


def test_consistent_is_exactly_lying_on_a_polynomial_of_the_degree() -> None:
    lines = {tuple((a + b * x) % 7 for x in (1, 2, 4, 6)) for a, b in product(range(7), repeat=2)}
    for values in product(range(7), repeat=4):
        column = np.array(values, dtype=np.uint64).reshape(4, 1)
        assert consistent([1, 2, 4, 6], column, 1, F7) == (values in lines)


BAD_POINTS = {
    "zero, which is the secret": [0, 1, 2],
    "one twice": [1, 2, 2],
    "p, which is zero": [1, 2, 7],
    "negative": [-1, 1, 2],
    "too few": [1],
    "none": [],
}


@pytest.mark.parametrize("points", BAD_POINTS.values(), ids=BAD_POINTS)
def test_points_that_cannot_carry_shares_are_refused(points: list[int]) -> None:
    with pytest.raises(ShareError, match="expected"):
        share(array([1]), 1, points, Scripted([1]), F7)
    with pytest.raises(ShareError, match="expected"):
        decode(points, np.zeros((len(points), 1), dtype=np.uint64), 1, field=F7)


def test_a_negative_threshold_is_refused() -> None:
    with pytest.raises(ShareError):
        share(array([1]), -1, [1, 2], Scripted([]), F7)


def test_a_secret_outside_the_field_is_refused() -> None:
    with pytest.raises(FieldError, match="got 7"):
        share(array([7]), 1, [1, 2], Scripted([1]), F7)


def test_shares_that_do_not_match_their_points_or_the_field_are_refused() -> None:
    with pytest.raises(ShareError, match="expected 3 shares, got 2"):
        decode([1, 2, 3], np.zeros((2, 1), dtype=np.uint64), 1)
    with pytest.raises(FieldError):
        decode([1, 2, 3], np.full((3, 1), 7, dtype=np.uint64), 1, field=F7)
    with pytest.raises(FieldError):
        decode([1, 2, 3], array([1, 2, 3]), 1)
