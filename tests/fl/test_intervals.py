"""Intervals, by the figures of the papers that they are from."""

from __future__ import annotations

import pytest

from fl.experiments.intervals import area_interval, mean_of_shares, wilson


# Newcombe, "Two-sided Confidence Intervals for the Single Proportion", Statistics in Medicine 17,
# 1998, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_known_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_all_of_some_is_the_mirror_of_none() -> None:
    low, high = wilson(20, 20)
    assert (low, high) == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 4)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        wilson(successes, trials)


def test_the_mean_of_two_shares_by_a_published_difference() -> None:
    """56 of 70 less 48 of 80 is from 0.0524 to 0.3339 (Newcombe, method 10)."""
    found = mean_of_shares([(56, 70), (80 - 48, 80)])
    # The mean of p and 1 - q is half of 1 + (p - q).
    assert found == pytest.approx(((1 + 0.0524) / 2, (1 + 0.3339) / 2), abs=5e-5)


def test_the_mean_of_one_share_has_its_own_interval() -> None:
    assert mean_of_shares([(15, 148)]) == pytest.approx(wilson(15, 148))


def test_the_area_of_a_published_reading() -> None:
    """Hanley, McNeil 1982: an area of 0.893 of 58 normal and 51 abnormal has the error 0.0325."""
    low, high = area_interval(0.893, 58, 51)
    assert (high - low) / 2 / 1.96 == pytest.approx(0.0325, abs=5e-5)
    assert (low + high) / 2 == pytest.approx(0.893)


def test_more_rows_of_the_rarer_class_tell_more() -> None:
    """Swapped classes differ: the paper's two probabilities belong to one class each."""
    assert area_interval(0.8, 90, 10) != pytest.approx(area_interval(0.8, 10, 90))
    assert area_interval(1.0, 5, 5) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("area", "negatives", "positives"), [(1.1, 5, 5), (0.5, 0, 5), (0.5, 5, 0)]
)
def test_impossible_areas_are_refused(area: float, negatives: int, positives: int) -> None:
    with pytest.raises(ValueError, match="expected an area"):
        area_interval(area, negatives, positives)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one share or more"):
        mean_of_shares([])
