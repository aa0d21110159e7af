"""Probabilities that come true as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.calibration import Calibration, error, fit, groups, held_out, pool
from fl.evaluation import BINS, score_counts


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))


def drawn(slope: float, intercept: float, rows: int, seed: int = 0) -> NDArray[np.int64]:
    """Counts of rows whose disease comes as sigmoid(slope x + intercept) says of the log-odds."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0.02, 0.98, rows)
    likely = sigmoid(slope * np.log(scores / (1 - scores)) + intercept)
    labels = (generator.uniform(size=rows) < likely).astype(np.int64)
    return score_counts(scores, labels)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -1.5), (2.0, 0.7)])
def test_the_curve_that_made_the_rows_is_found(slope: float, intercept: float) -> None:
    found = fit(drawn(slope, intercept, 40_000).astype(float))
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), abs=0.07)
    assert found.rows == 40_000


def test_it_is_the_maximum_of_likelihood_and_prior() -> None:
    """No neighbour is better, by a sum written out here."""
    counts = drawn(0.6, -0.8, 300).astype(float)
    found = fit(counts)
    assert found is not None
    middles = (np.arange(BINS) + 0.5) / BINS
    odds = np.log(middles / (1 - middles))

    def worth(slope: float, intercept: float) -> float:
        likely = sigmoid(slope * odds + intercept)
        rows = counts[1] @ np.log(likely) + counts[0] @ np.log(1 - likely)
        return float(rows - (slope - 1) ** 2 / 2)

    best = worth(found.slope, found.intercept)
    for step in (1e-3, -1e-3):
        assert best > worth(found.slope + step, found.intercept)
        assert best > worth(found.slope, found.intercept + step)


@given(st.floats(0.3, 3), st.floats(-2, 2), st.integers(100, 1000), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_a_higher_score_is_never_a_lower_probability(
    slope: float, intercept: float, rows: int, seed: int
) -> None:
    found = fit(drawn(slope, intercept, rows, seed).astype(float))
    if found is None:
        return
    shown = found.apply(np.linspace(0, 1, 101))
    assert np.all(np.diff(shown) >= 0)
    assert np.all((shown > 0) & (shown < 1))
    for score in (0.0, 0.2, 0.9, 1.0):
        low, high = found.interval(score)
        assert low <= found.apply(np.array(score)) <= high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth, score = 0.5 * np.log(0.7 / 0.3) - 0.4, 0.7
    inside = 0
    for seed in range(200):
        found = fit(drawn(0.5, -0.4, 300, seed).astype(float))
        assert found is not None
        low, high = found.interval(score)
        inside += low <= sigmoid(np.array(truth)) <= high
    # Binomial (200, 0.95): fewer than 180 come once in a thousand times.
    assert inside >= 180


def test_more_rows_make_the_interval_narrower() -> None:
    few, many = (fit(drawn(1, 0, rows).astype(float)) for rows in (100, 10_000))
    assert few is not None
    assert many is not None
    widths = [high - low for low, high in (few.interval(0.6), many.interval(0.6))]
    assert widths[1] < widths[0] / 5


@pytest.mark.parametrize("missing", [0, 1])
def test_too_few_rows_of_a_class_are_not_calibrated_by(missing: int) -> None:
    counts = drawn(1, 0, 500).astype(float)
    counts[missing] = 0
    counts[missing, 20] = 9
    assert fit(counts) is None


def test_a_model_whose_scores_say_the_contrary_is_not_turned_round() -> None:
    assert fit(drawn(-1.5, 0, 2000).astype(float)) is None


def test_rows_that_are_told_apart_without_a_mistake_leave_a_finite_curve() -> None:
    counts = np.zeros((2, BINS))
    counts[0, 5], counts[1, 45] = 50, 50
    found = fit(counts)
    assert found is not None
    assert 1 < found.slope < 10
    assert found.apply(np.array([0.11]))[0] < 0.05


def test_no_hospital_counts_more_than_twice_the_median() -> None:
    small, large = np.zeros((2, BINS), dtype=int), np.zeros((2, BINS), dtype=int)
    small[0, 10], large[1, 40] = 100, 10_000
    total = pool([small.tolist(), small.tolist(), large.tolist()])
    assert total[0, 10] == 200
    assert total[1, 40] == pytest.approx(200)
    assert not pool([]).any()


def test_known_error() -> None:
    """20 rows at 0.61, half of them ill; 10 at 0.11, one of them ill."""
    counts = np.zeros((2, BINS))
    counts[:, 30] = 10, 10
    counts[:, 5] = 9, 1
    found = error(counts)
    assert found.expected == pytest.approx((20 * 0.11 + 10 * 0.01) / 30)
    squares = 10 * 0.61**2 + 10 * 0.39**2 + 9 * 0.11**2 + 0.89**2
    assert found.brier == pytest.approx(squares / 30)
    assert [(g.rows, g.positive) for g in groups(counts)] == [(10, 1), (20, 10)]
    assert [g.expected for g in groups(counts)] == pytest.approx([10 * 0.11, 20 * 0.61])


def test_the_error_on_held_out_rows_falls_where_scores_were_off() -> None:
    found = held_out(drawn(0.5, -1.2, 1000))
    assert found is not None
    assert found.after.expected < found.before.expected / 2
    assert found.after.brier < found.before.brier
    assert found.rows == 1000
    assert held_out(drawn(0.5, -1.2, 1000)) == found


def test_held_out_rows_do_not_flatter() -> None:
    """Scores that were right already: a curve cannot help on rows that it has not seen."""
    found = held_out(drawn(1, 0, 400))
    assert found is not None
    assert found.after.brier > found.before.brier - 0.002


def test_too_few_rows_are_not_held_out() -> None:
    assert held_out(drawn(1, 0, 20)) is None


def test_the_curve_of_one_who_changes_nothing() -> None:
    same = Calibration(1.0, 0.0, ((0.0, 0.0), (0.0, 0.0)), 100)
    # Nothing was seen beyond the middle of the outermost bins.
    assert same.apply(np.array([0.0, 0.2, 0.9, 1.0])) == pytest.approx([0.01, 0.2, 0.9, 0.99])
    assert same.interval(0.2) == pytest.approx((0.2, 0.2))
