"""Networks: one public layout, the same parameters for a seed, and a vector there and back."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from fl.errors import LayoutError, NonFiniteError, UnknownNetworkError
from fl.networks import (
    NetworkSpec,
    build,
    flatten,
    initial_parameters,
    layout,
    parameter_count,
    unflatten,
)
from fl.training import LocalSettings, accuracy, apply_update, evaluate, local_update

SPEC = NetworkSpec("mlp", 15, 2)
CNN = NetworkSpec("cnn", 784, 10)


def test_the_layout_is_the_published_one() -> None:
    assert layout(SPEC) == (
        ("0.weight", (64, 15)),
        ("0.bias", (64,)),
        ("2.weight", (32, 64)),
        ("2.bias", (32,)),
        ("4.weight", (2, 32)),
        ("4.bias", (2,)),
    )
    assert parameter_count(SPEC) == 64 * 15 + 64 + 32 * 64 + 32 + 2 * 32 + 2


def test_initial_parameters_are_frozen() -> None:
    vector = flatten(SPEC, initial_parameters(SPEC, 7)).astype(">f8")
    assert hashlib.sha256(vector.tobytes()).hexdigest() == FROZEN_INITIAL


def test_initial_parameters_lie_within_one_over_the_root_of_the_inputs() -> None:
    parameters = initial_parameters(SPEC, 1)
    for name, inputs in (("0", 15), ("2", 64), ("4", 32)):
        for array in (parameters[f"{name}.weight"], parameters[f"{name}.bias"]):
            assert np.abs(array).max() <= 1 / inputs**0.5
        assert np.abs(parameters[f"{name}.weight"]).max() > 0.8 / inputs**0.5


def test_seeds_differ_and_torchs_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    one, two = initial_parameters(SPEC, 1), initial_parameters(SPEC, 2)
    build(SPEC, one)
    assert not np.array_equal(one["0.weight"], two["0.weight"])
    assert torch.equal(before, torch.get_rng_state())


@given(st.integers(0, 2**63 - 1), st.integers(1, 20), st.integers(2, 5))
def test_a_vector_there_and_back_is_the_same(seed: int, inputs: int, classes: int) -> None:
    spec = NetworkSpec("mlp", inputs, classes)
    parameters = initial_parameters(spec, seed)
    back = unflatten(spec, flatten(spec, parameters))
    assert list(back) == list(parameters)
    assert all(np.array_equal(back[name], parameters[name]) for name in parameters)


def test_the_vector_is_row_major_in_the_order_of_the_layout() -> None:
    vector = np.arange(parameter_count(SPEC), dtype=np.float64)
    parameters = unflatten(SPEC, vector)
    assert parameters["0.weight"][1, 0] == 15
    assert parameters["0.bias"][0] == 64 * 15
    assert parameters["4.bias"].tolist() == [parameter_count(SPEC) - 2, parameter_count(SPEC) - 1]
    assert np.array_equal(flatten(SPEC, parameters), vector)


def test_the_module_computes_the_layers_by_hand() -> None:
    parameters = initial_parameters(SPEC, 3)
    x = np.random.Generator(np.random.PCG64(5)).normal(size=(4, 15)).astype(np.float32)
    hidden = x
    for index in (0, 2):
        hidden = hidden @ parameters[f"{index}.weight"].T + parameters[f"{index}.bias"]
        hidden = np.maximum(hidden, 0)
    logits = hidden @ parameters["4.weight"].T + parameters["4.bias"]
    with torch.no_grad():
        actual = build(SPEC, parameters)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(actual, logits, atol=1e-5)


def test_the_module_owns_a_copy() -> None:
    parameters = initial_parameters(SPEC, 3)
    module = build(SPEC, parameters)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.zero_()
    assert parameters["0.weight"].any()


def test_parameters_that_do_not_fit_are_refused() -> None:
    parameters = initial_parameters(SPEC, 0)
    backwards = dict(reversed(parameters.items()))
    double = {name: array.astype(np.float64) for name, array in parameters.items()}
    other = initial_parameters(NetworkSpec("mlp", 8, 2), 0)
    for wrong in (backwards, double, other, {}):
        with pytest.raises(LayoutError, match="expected"):
            flatten(SPEC, wrong)  # type: ignore[arg-type]
        with pytest.raises(LayoutError, match="expected"):
            build(SPEC, wrong)  # type: ignore[arg-type]


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LayoutError, match="3170"):
        unflatten(SPEC, np.zeros(3169))
    for value in (np.nan, np.inf, 1e39):
        with pytest.raises(NonFiniteError):
            unflatten(SPEC, np.full(3170, value))


def test_specs_that_cannot_be_are_refused() -> None:
    with pytest.raises(UnknownNetworkError, match="mlp; got 'transformer'"):
        NetworkSpec("transformer", 15, 2)
    for inputs, classes in ((0, 2), (15, 1)):
        with pytest.raises(LayoutError):
            NetworkSpec("mlp", inputs, classes)


def test_the_layout_of_the_network_of_images_is_the_published_one() -> None:
    assert CNN.image == (1, 28, 28)
    assert SPEC.image is None
    assert layout(CNN) == (
        ("1.weight", (8, 1, 3, 3)),
        ("1.bias", (8,)),
        ("4.weight", (16, 8, 3, 3)),
        ("4.bias", (16,)),
        ("8.weight", (10, 784)),
        ("8.bias", (10,)),
    )
    assert parameter_count(CNN) == 80 + 1168 + 7850


def test_the_network_of_images_starts_within_one_over_the_root_of_the_inputs() -> None:
    parameters = initial_parameters(CNN, 1)
    for name, inputs in (("1", 9), ("4", 72), ("8", 784)):
        for array in (parameters[f"{name}.weight"], parameters[f"{name}.bias"]):
            assert 0.5 / inputs**0.5 < np.abs(array).max() <= 1 / inputs**0.5


def pooled(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution with padding 1, mean of 2x2, then ReLU, from the definition."""
    rows, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.zeros((rows, len(weight), height, width)) + bias[:, None, None]
    for down in range(3):
        for right in range(3):
            window = padded[:, :, down : down + height, right : right + width]
            total += np.einsum("rchw,oc->rohw", window, weight[:, :, down, right])
    mean = total.reshape(rows, len(weight), height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    return np.maximum(mean, 0)


def test_the_network_of_images_pools_before_relu() -> None:
    parameters = initial_parameters(CNN, 3)
    x = np.random.Generator(np.random.PCG64(5)).normal(size=(3, 784)).astype(np.float32)
    hidden = x.reshape(3, 1, 28, 28).astype(np.float64)
    for name in ("1", "4"):
        hidden = pooled(hidden, parameters[f"{name}.weight"], parameters[f"{name}.bias"])
    logits = hidden.reshape(3, -1) @ parameters["8.weight"].T + parameters["8.bias"]
    with torch.no_grad():
        actual = build(CNN, parameters)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(actual, logits, atol=1e-5)


@pytest.mark.parametrize("inputs", [15, 783, 3 * 784])
def test_columns_are_refused_by_the_network_of_images(inputs: int) -> None:
    with pytest.raises(LayoutError, match=r"784 inputs for cnn.*1 x 28 x 28.*not for columns"):
        NetworkSpec("cnn", inputs, 2)


def test_the_network_of_images_learns_digits() -> None:
    digits = load_digits()
    # 8 x 8 pixels of 0 to 16, each three wide and high, with an edge of two: 28 x 28 of 0 to 1.
    images = np.pad(np.kron(digits.images / 16, np.ones((1, 3, 3))), ((0, 0), (2, 2), (2, 2)))
    x = images.reshape(len(images), 784).astype(np.float32)
    y = digits.target.astype(np.int64)
    order = np.random.Generator(np.random.PCG64(1)).permutation(len(y))
    train, test = order[:1000], order[1000:]
    start = initial_parameters(CNN, 7)
    settings = LocalSettings(4, 32, 0.005, 64.0, True)
    update = local_update(CNN, start, x[train], y[train], settings, seed=7)
    trained = apply_update(CNN, start, update.delta)
    assert accuracy(evaluate(CNN, trained, x[test], y[test])) > 0.9
    assert accuracy(evaluate(CNN, start, x[test], y[test])) < 0.3


# SHA-256 of the 3170 values as big-endian float64.
FROZEN_INITIAL = "ada5d41223749553b55a66c29c2dea1ce2fe104d9e30acca06e40147d5207008"
