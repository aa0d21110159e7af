"""Reals in fixed point: how exact, and what is refused before it is shared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import RangeError
from crypto.field import F61
from crypto.fixedpoint import check_capacity, decode_mean, encode
from tests.crypto.words import F31

BOUND = 64.0
reals = st.floats(-BOUND, BOUND)


@given(values=st.lists(reals, max_size=8))
def test_one_value_comes_back_within_half_a_unit(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    back = decode_mean(encode(array, BOUND), 1)
    assert (np.abs(back - array) <= 2.0**-17).all()


def test_values_are_multiples_of_2_to_the_minus_16_with_ties_to_even() -> None:
    unit = 2.0**-16
    values = np.array(
        [1.0, -1.0, unit, 0.5 * unit, 1.5 * unit, -0.5 * unit, -1.5 * unit, 0.75 * unit]
    )
    assert encode(values, BOUND).tolist() == [65536, -65536, 1, 0, 2, 0, -2, 1]


@given(parts=st.lists(st.tuples(reals, st.integers(1, 1000)), min_size=1, max_size=5))
def test_a_weighted_mean_goes_through_the_field(parts: list[tuple[float, int]]) -> None:
    weights = [weight for _, weight in parts]
    rows = np.stack([F61.from_signed(encode(np.array([value]), BOUND)) for value, _ in parts])
    total = F61.to_signed(F61.combine(rows, np.array(weights, dtype=np.uint64)))
    exact = math.fsum(value * weight for value, weight in parts) / sum(weights)
    # Half a unit of encoding, and what two divisions of floats may round.
    assert abs(decode_mean(total, sum(weights))[0] - exact) <= 2.0**-17 + 2.0**-40


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(RangeError, match="1 NaN or infinite"):
        encode(np.array([0.0, value]), BOUND)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_is_the_last_value_that_passes(sign: int) -> None:
    assert encode(np.array([sign * BOUND]), BOUND).tolist() == [sign * 64 * 65536]
    with pytest.raises(RangeError, match=r"up to 64\.0"):
        encode(np.array([0.0, sign * math.nextafter(BOUND, math.inf)]), BOUND)


@pytest.mark.parametrize("bound", [math.nan, math.inf, 0.0, -1.0, 2.0**44])
def test_a_bound_that_bounds_nothing_is_refused(bound: float) -> None:
    with pytest.raises(RangeError):
        encode(np.array([0.0]), bound)


@pytest.mark.parametrize("weight", [0, -1])
def test_a_mean_needs_weight(weight: int) -> None:
    with pytest.raises(RangeError, match=f"got {weight}"):
        decode_mean(np.array([1]), weight)


def test_capacity_ends_where_a_sum_could_reach_half_of_the_field() -> None:
    # One entry is at most 2^16 + 1, and p / 2 = 2^60 - 1/2.
    most = (2**60 - 1) // (2**16 + 1)
    check_capacity([most - 5, 5], 1.0)
    with pytest.raises(RangeError, match="smaller norm bound"):
        check_capacity([most - 4, 5], 1.0)


def test_capacity_is_exact_where_floats_are_not() -> None:
    # 3 (B 2^16 + 1) = 2^60 - 1 fits by half a unit; two floats closer than their spacing there.
    fits = ((2**60 - 1) // 3 - 1) // 64 * 64 / 2**16
    check_capacity([3], fits)
    with pytest.raises(RangeError):
        check_capacity([3], math.nextafter(fits, math.inf))


def test_capacity_of_a_small_field_counted_by_hand() -> None:
    # 2^16 B + 1 = 5: three of them are 15 = (p - 1) / 2, four are 20.
    check_capacity([1, 2], 4 / 2**16, F31)
    with pytest.raises(RangeError):
        check_capacity([2, 2], 4 / 2**16, F31)


def test_negative_weights_make_no_room() -> None:
    with pytest.raises(RangeError, match="got -1"):
        check_capacity([2**59, -1], 1.0)


def test_within_capacity_the_largest_sum_does_not_wrap() -> None:
    weights, bound = [7, 8], 4 / 2**16
    with pytest.raises(RangeError):
        check_capacity(weights, bound, F31)
    weights = [1, 2]
    rows = np.stack([F31.from_signed(encode(np.array([-bound]), 1.0)) for _ in weights])
    total = F31.to_signed(F31.combine(rows, np.array(weights, dtype=np.uint64)))
    assert total.tolist() == [-12]
