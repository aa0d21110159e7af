"""FedAvg on a toy, with unequal hospitals and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fl.errors import LayoutError, SettingsError
from fl.networks import NetworkSpec, flatten, parameter_count, unflatten
from fl.strategies import plain_fedavg_round, weighted_mean

SPEC = NetworkSpec("mlp", 2, 2)
SIZE = parameter_count(SPEC)


def test_the_mean_is_weighted_by_samples() -> None:
    deltas = [np.array([1.0, 0.0]), np.array([5.0, -4.0]), np.array([0.0, 8.0])]
    # (1*10 + 5*30 + 0) / 80 = 2, (0 - 4*30 + 8*40) / 80 = 2.5
    assert weighted_mean(deltas, [10, 30, 40]).tolist() == [2.0, 2.5]


def test_a_round_adds_the_mean_to_the_model() -> None:
    start = unflatten(SPEC, np.full(SIZE, 0.5))
    deltas = [np.full(SIZE, 1.0), np.full(SIZE, -0.5)]
    after = plain_fedavg_round(SPEC, start, deltas, [1, 3])
    assert flatten(SPEC, after).tolist() == [0.5 - 0.125] * SIZE
    assert flatten(SPEC, start).tolist() == [0.5] * SIZE


def test_one_hospital_alone_is_its_update() -> None:
    delta = np.linspace(-1, 1, SIZE)
    assert weighted_mean([delta], [17]) == pytest.approx(delta)


@pytest.mark.parametrize("weights", [[], [1], [1, 0], [1, -1], [1, 2, 3]])
def test_weights_that_do_not_fit_are_refused(weights: list[int]) -> None:
    with pytest.raises(SettingsError, match="expected a weight"):
        weighted_mean([np.zeros(2), np.zeros(2)], weights)


def test_no_update_and_unequal_updates_are_refused() -> None:
    with pytest.raises(SettingsError, match="0 updates"):
        weighted_mean([], [])
    with pytest.raises(LayoutError, match="equal lengths"):
        weighted_mean([np.zeros(2), np.zeros(3)], [1, 1])
