"""Inputs of a network: imputed and standardised with the federation's statistics, and bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.datasets import INPUT_BOUND, Statistics, encode, get_task, local_sums, split
from fl.errors import StatisticsError, TableError

HEART = get_task("heart")
TABLES = {name: split(table).train for name, table in HEART.load().items()}


def statistics_of(*hospitals: str) -> Statistics:
    sums = [local_sums(HEART, TABLES[name].features) for name in hospitals]
    return Statistics.from_sums(HEART, np.sum(sums, axis=0))


FEDERATION = statistics_of(*TABLES)


def test_present_values_have_mean_zero_and_variance_one() -> None:
    rows = np.concatenate([table.features for table in TABLES.values()])
    encoded = encode(HEART, rows, FEDERATION)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(rows), 15)
    age, heart_rate = encoded[:, 0], encoded[~np.isnan(rows[:, 7]), 12]
    for values in (age, heart_rate):
        assert values.mean() == pytest.approx(0, abs=1e-5)
        assert values.std() == pytest.approx(1, abs=1e-5)


def test_a_missing_value_is_the_federations_mean() -> None:
    rows = np.full((1, 10), np.nan)
    assert encode(HEART, rows, FEDERATION).tolist() == [[0.0] * 15]


def test_values_land_on_their_own_inputs() -> None:
    low = np.array([[30, 0, 0, 100, 150, 0, 0, 90, 0, -1.0]])
    high = np.array([[70, 1, 1, 190, 400, 1, 1, 190, 1, 3.0]])
    difference = encode(HEART, high, FEDERATION) - encode(HEART, low, FEDERATION)
    # Age, sex, four kinds of pain, pressure, cholesterol, sugar, three ECGs, rate, angina, ST.
    signs = [1, 1, -1, 1, 0, 0, 1, 1, 1, -1, 1, 0, 1, 1, 1]
    assert np.sign(difference[0]).tolist() == signs


@given(st.lists(st.floats(-1e308, 1e308), min_size=10, max_size=10))
def test_every_input_is_bounded(row: list[float]) -> None:
    encoded = encode(HEART, np.array([row]), FEDERATION)
    assert np.abs(encoded).max() <= INPUT_BOUND


def test_a_column_that_nobody_has_is_zero_for_everybody() -> None:
    alone = statistics_of("Switzerland")  # no cholesterol at all
    assert alone.count[7] == 0
    encoded = encode(HEART, TABLES["Cleveland"].features, alone)
    assert not encoded[:, 7].any()
    assert encoded[:, 0].any()


def test_a_hospital_without_a_column_takes_the_others_mean() -> None:
    swiss = encode(HEART, TABLES["Switzerland"].features, FEDERATION)
    assert not swiss[:, 7].any()


def test_statistics_of_another_task_are_refused() -> None:
    with pytest.raises(StatisticsError, match="diabetes"):
        encode(get_task("diabetes"), np.zeros((1, 8)), FEDERATION)


def test_infinity_is_refused() -> None:
    with pytest.raises(TableError, match="infinity"):
        encode(HEART, np.full((1, 10), np.inf), FEDERATION)
