"""The norm bound: cut, checked exactly, moved alike on every machine."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.clipping import LARGEST, RATE, SMALLEST, clip, next_bound, norm_limit, within
from fl.errors import SettingsError

BOUND = 98304  # 1.5


@pytest.mark.parametrize(
    ("unclipped", "count", "expected"),
    [
        # All within: the target lacks 1/5, the bound is divided by 1 + 1/10.
        (4, 4, 89367),
        # None: it is multiplied by 1 + 4/10.
        (0, 4, 137626),
        # At the target it stays.
        (4, 5, 98304),
        # 3 of 4: 1/20 under the target, times 1 + 1/40 = 100761.6.
        (3, 4, 100762),
    ],
)
def test_the_bound_follows_the_quantile_by_hand(unclipped: int, count: int, expected: int) -> None:
    assert next_bound(BOUND, unclipped, count) == expected


def test_the_bound_has_ends() -> None:
    assert next_bound(LARGEST, 0, 4) == LARGEST
    assert next_bound(SMALLEST, 4, 4) == SMALLEST


@given(st.integers(SMALLEST, LARGEST), st.integers(1, 40), st.data())
def test_a_round_moves_the_bound_by_a_bounded_factor(
    bound: int, count: int, data: st.DataObject
) -> None:
    unclipped = data.draw(st.integers(0, count))
    moved = next_bound(bound, unclipped, count)
    most = 1 + float(RATE)
    assert bound / most - 1 <= moved <= bound * most + 1
    assert SMALLEST <= moved <= LARGEST
    if unclipped:
        assert moved <= next_bound(bound, unclipped - 1, count)


@pytest.mark.parametrize(
    "wrong", [(BOUND, -1, 4), (BOUND, 5, 4), (BOUND, 0, 0), (0, 1, 4), (LARGEST + 1, 1, 4)]
)
def test_counts_and_bounds_that_cannot_be_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(SettingsError, match="expected"):
        next_bound(*wrong)


def test_clipping_keeps_short_updates_and_the_direction_of_long_ones() -> None:
    delta = np.array([3.0, -4.0])
    assert clip(delta, 5.0) is delta
    assert clip(delta, 1.0).tolist() == pytest.approx([0.6, -0.8])


@given(st.integers(1, 10**6))
def test_the_limit_leaves_room_for_rounding(length: int) -> None:
    assert norm_limit(0, length) == math.ceil(math.sqrt(length) / 2)


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0.01, 64.0))
def test_a_clipped_update_is_never_refused(seed: int, length: int, bound: float) -> None:
    units = round(bound * 65536)
    delta = np.random.default_rng(seed).normal(size=length) * 100
    assert within(np.rint(clip(delta, units / 65536) * 65536).astype(np.int64), units)


def test_what_is_beyond_the_limit_is_refused() -> None:
    # Four entries: R = 100 + 1. 101^2 is within, one more in another entry is not.
    assert within(np.array([101, 0, 0, 0]), 100)
    assert not within(np.array([101, 1, 0, 0]), 100)
    assert not within(np.array([102, 0, 0, 0]), 100)
    # (p + 1) / 2 in four entries: the squares sum to 1 in the field, not here.
    assert not within(np.full(4, -(2**60 - 1), dtype=np.int64), 64 * 65536)
    assert within(np.zeros(4, dtype=np.int64), 0)
