"""The proven ranges hold for every model within the bound, and are not wider than need be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import MpcError, UnsupportedLayer
from crypto.mpc.bounds import WIDTHS, activation_bits
from crypto.mpc.layers import AveragePool, Conv, Layer, Linear, ReLU
from crypto.mpc.network import stages_of
from tests.crypto.mpc.plain import encode, stage_values

MLP: list[Layer] = [Linear(5, 8), ReLU(), Linear(8, 6), ReLU(), Linear(6, 3)]
CNN: list[Layer] = [
    Conv(1, 3, 3, 4, 4),
    AveragePool(),
    ReLU(),
    Conv(3, 2, 3, 2, 2),
    ReLU(),
    Linear(8, 2),
]


def random_model(rng: Any, layers: list[Layer], scale: float) -> Any:
    shapes = [stage.layer.weight_shape for stage in stages_of(layers)]
    return [(rng.normal(size=s) * scale, rng.normal(size=s[0]) * scale) for s in shapes]


def moved(rng: Any, model: Any, norm: float, spread: bool) -> Any:
    """The model and an update of exactly this norm, over all entries or over few."""
    update = [tuple(rng.normal(size=a.shape) for a in pair) for pair in model]
    if not spread:
        update = [tuple(a * (rng.random(a.shape) < 0.05) for a in pair) for pair in update]
    length = np.sqrt(sum(float((a**2).sum()) for pair in update for a in pair)) or 1.0
    return [
        tuple(a + norm / length * b for a, b in zip(pair, change, strict=True))
        for pair, change in zip(model, update, strict=True)
    ]


@settings(max_examples=60)
@given(
    layers=st.sampled_from([MLP, CNN]),
    scale=st.sampled_from([0.01, 0.3, 1.0]),
    norm=st.sampled_from([0.0, 0.1, 1.0, 4.0]),
    spread=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_no_model_within_the_bound_leaves_the_range(
    layers: list[Layer], scale: float, norm: float, spread: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, layers, scale)
    bits = activation_bits(layers, model, norm, 2.0)
    rows = np.sign(rng.normal(size=(stages_of(layers)[0].layer.inputs, 20))) * 2.0
    encoded = [(encode(w), encode(b)) for w, b in moved(rng, model, norm, spread)]
    for stage, m, values in zip(
        stages_of(layers), bits, stage_values(layers, encoded, encode(rows)), strict=True
    ):
        if not stage.activated:
            largest = (values.max(axis=0) - values.min(axis=0)).max()
        else:
            largest = np.abs(values).max()
        assert largest < (1 << (stage.shift + m)) - (1 << stage.shift)


def test_a_single_layer_is_bounded_tightly() -> None:
    """Weights that differ by 1: logits differ by up to 2 |x|, which is below 4 or not."""
    weights = np.array([[0.5, 0.5], [-0.5, -0.5]])
    biases = np.zeros(2)

    def bits(reach: float, norm: float = 0.0) -> tuple[int, ...]:
        return activation_bits([Linear(2, 2)], [(weights, biases)], norm, reach)

    assert bits(1.99) == (18,)
    assert bits(2.01) == (24,)
    # An update of norm u adds sqrt(2) u sqrt(2 |x|^2 + 1) at most: 0.7 more here.
    assert bits(1.6, norm=0.19) == (18,)
    assert bits(1.6, norm=0.25) == (24,)


def test_wider_ranges_take_more_bits_until_none_suffices() -> None:
    layers: list[Layer] = [Linear(1, 2)]
    found = [
        activation_bits(layers, [(np.array([[w], [-w]]), np.zeros(2))], 0.0, 1.0)[0]
        for w in (1.9, 120.0, 16_000.0, 2.0**21 - 200)
    ]
    assert tuple(found) == WIDTHS
    with pytest.raises(MpcError, match=r"layer 1 \(Linear\) can reach 4\.\d+e\+06"):
        activation_bits(layers, [(np.array([[2.0**21], [-(2.0**21)]]), np.zeros(2))], 0.0, 1.0)


def test_an_update_bound_that_is_too_large_names_the_layer() -> None:
    model = random_model(np.random.default_rng(0), CNN, 0.3)
    with pytest.raises(MpcError, match=r"layer 2 \(Conv\)"):
        activation_bits(CNN, model, 2000.0, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"update_bound": -1.0}, "bounds"),
        ({"input_bound": float("inf")}, "bounds"),
        ({"parameters": []}, "parameters of 1"),
        ({"parameters": [(np.zeros((2, 3)), np.zeros(2))]}, "weights of"),
        ({"parameters": [(np.full((2, 2), np.nan), np.zeros(2))]}, "finite"),
    ],
)
def test_bounds_and_parameters_that_are_none_are_refused(change: Any, message: str) -> None:
    right = {
        "layers": [Linear(2, 2)],
        "parameters": [(np.zeros((2, 2)), np.zeros(2))],
        "update_bound": 1.0,
        "input_bound": 1.0,
    }
    with pytest.raises(MpcError, match=message):
        activation_bits(**(right | change))


def test_a_network_that_cannot_be_evaluated_has_no_range() -> None:
    with pytest.raises(UnsupportedLayer):
        activation_bits([Linear(2, 2), ReLU()], [(np.zeros((2, 2)), np.zeros(2))], 1.0, 1.0)
