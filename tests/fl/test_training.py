"""Local training: known answers, the same bytes for a seed, and nothing non-finite leaves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fl.datasets import Statistics, encode, get_task, local_sums, split
from fl.errors import LayoutError, NonFiniteError, SettingsError, TrainingError
from fl.networks import NetworkSpec, flatten, initial_parameters, parameter_count, unflatten
from fl.strategies import plain_fedavg_round
from fl.training import (
    LocalSettings,
    accuracy,
    apply_update,
    balanced_accuracy,
    class_weights,
    evaluate,
    local_seed,
    local_update,
)

SPEC = NetworkSpec("mlp", 3, 2)
SETTINGS = LocalSettings(2, 8, 0.01, 100.0, True)
START = initial_parameters(SPEC, 0)
ZERO = unflatten(SPEC, np.zeros(parameter_count(SPEC)))


def toy_rows(rows: int = 40) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x = np.random.Generator(np.random.PCG64(9)).normal(size=(rows, 3)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def test_one_step_of_adam_on_a_zero_network_by_hand() -> None:
    # All hidden units are 0, so only the last bias has a gradient, of sum (0.5 - label share).
    # Adam's first step has the length of the learning rate against the gradient's sign.
    x = np.ones((4, 3), dtype=np.float32)
    y = np.array([0, 0, 0, 1], dtype=np.int64)
    update = local_update(SPEC, ZERO, x, y, LocalSettings(1, 4, 0.01, 9.0, False), seed=1)
    assert not update.delta[:-2].any()
    assert update.delta[-2:].tolist() == pytest.approx([0.01, -0.01], rel=1e-5)
    assert update.norm == pytest.approx(0.01 * math.sqrt(2), rel=1e-5)
    assert update.loss == pytest.approx(math.log(2))
    assert (update.samples, update.clipped) == (4, False)


def test_class_weights_by_hand() -> None:
    labels = np.array([0, 0, 0, 1], dtype=np.int64)
    assert class_weights(labels, 2).tolist() == [4 / (2 * 4), 4 / (2 * 2)]
    # n / (C (n_c + 1)) is 100 / 2 for the absent class: cut to 5.
    assert class_weights(np.zeros(100, dtype=np.int64), 2).tolist() == [100 / 202, 5.0]


def test_the_weighted_loss_by_hand() -> None:
    x = np.ones((4, 3), dtype=np.float32)
    y = np.array([0, 0, 0, 1], dtype=np.int64)
    update = local_update(SPEC, ZERO, x, y, LocalSettings(1, 4, 0.01, 9.0, True), seed=1)
    assert update.loss == pytest.approx((3 * 0.5 + 1.0) / 4 * math.log(2))


def test_the_update_is_clipped_to_the_bound_and_keeps_its_direction() -> None:
    x, y = toy_rows()
    free = local_update(SPEC, START, x, y, SETTINGS, seed=1)
    bound = free.norm / 1.5
    cut = local_update(SPEC, START, x, y, replace(SETTINGS, norm_bound=bound), seed=1)
    assert (free.clipped, cut.clipped) == (False, True)
    assert cut.norm == free.norm
    assert np.linalg.norm(cut.delta) == pytest.approx(bound, rel=1e-12)
    np.testing.assert_allclose(cut.delta, free.delta / 1.5, rtol=1e-12)


def test_the_seed_decides_and_global_generators_are_left_alone() -> None:
    x, y = toy_rows()
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one = local_update(SPEC, START, x, y, SETTINGS, seed=1)
    again = local_update(SPEC, START, x, y, SETTINGS, seed=1)
    two = local_update(SPEC, START, x, y, SETTINGS, seed=2)
    assert one.delta.tobytes() == again.delta.tobytes()
    assert one.delta.tobytes() != two.delta.tobytes()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_training_changes_neither_the_parameters_nor_the_rows() -> None:
    x, y = toy_rows()
    start, rows = flatten(SPEC, START).tobytes(), x.tobytes()
    x.flags.writeable = y.flags.writeable = False
    update = local_update(SPEC, START, x, y, SETTINGS, seed=1)
    evaluate(SPEC, START, x, y)
    assert update.delta.any()
    assert (flatten(SPEC, START).tobytes(), x.tobytes()) == (start, rows)


def test_training_learns_a_separable_rule() -> None:
    x, y = toy_rows(200)
    update = local_update(SPEC, START, x, y, replace(SETTINGS, epochs=20), seed=1)
    trained = apply_update(SPEC, START, update.delta)
    assert accuracy(evaluate(SPEC, trained, x, y)) > 0.95
    assert accuracy(evaluate(SPEC, START, x, y)) < 0.8


def test_nothing_non_finite_leaves() -> None:
    x, y = toy_rows()
    for value in (np.nan, np.inf):
        spoiled = x.copy()
        spoiled[3, 1] = value
        with pytest.raises(NonFiniteError, match="features"):
            local_update(SPEC, START, spoiled, y, SETTINGS, seed=1)
    huge = {name: array * np.float32(1e30) for name, array in START.items()}
    with pytest.raises(NonFiniteError, match="update"):
        local_update(SPEC, huge, x, y, SETTINGS, seed=1)
    with pytest.raises(NonFiniteError, match="logits"):
        evaluate(SPEC, huge, x, y)


def test_rows_that_do_not_fit_are_refused() -> None:
    x, y = toy_rows()
    for features, labels in (
        (x[:0], y[:0]),
        (x[:5], y),
        (x[:, :2].copy(), y),
        (x, y + 1),
        (x, y - 1),
        (x.astype(np.float64), y),
        (x, y.astype(np.int32)),
    ):
        with pytest.raises(TrainingError, match="expected"):
            local_update(SPEC, START, features, labels, SETTINGS, seed=1)  # type: ignore[arg-type]
        with pytest.raises(TrainingError, match="expected"):
            evaluate(SPEC, START, features, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"norm_bound": math.inf},
        {"norm_bound": -1.0},
    ],
)
def test_settings_outside_their_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="expected"):
        replace(SETTINGS, **setting)  # type: ignore[arg-type]


def test_an_update_is_added_in_double_precision() -> None:
    delta = np.full(parameter_count(SPEC), 1.0 + 2.0**-30)
    start = unflatten(SPEC, np.full(parameter_count(SPEC), -1.0))
    assert flatten(SPEC, apply_update(SPEC, start, delta)).tolist() == [2.0**-30] * len(delta)


def test_an_update_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LayoutError, match=str(parameter_count(SPEC))):
        apply_update(SPEC, START, np.zeros(3))
    with pytest.raises(NonFiniteError):
        apply_update(SPEC, START, np.full(parameter_count(SPEC), math.nan))


def test_confusion_has_truth_in_rows() -> None:
    # Always answers class 1: a bias alone.
    always = {name: array.copy() for name, array in ZERO.items()}
    always["4.bias"][:] = [0.0, 1.0]
    x = np.zeros((5, 3), dtype=np.float32)
    y = np.array([0, 0, 0, 1, 1], dtype=np.int64)
    assert evaluate(SPEC, always, x, y).tolist() == [[0, 3], [0, 2]]


def test_accuracies_by_hand() -> None:
    confusion = np.array([[8, 2], [1, 1]], dtype=np.int64)
    assert accuracy(confusion) == 9 / 12
    assert balanced_accuracy(confusion) == pytest.approx((0.8 + 0.5) / 2)
    one_class = np.array([[0, 0], [1, 3]], dtype=np.int64)
    assert balanced_accuracy(one_class) == 0.75
    for measure in (accuracy, balanced_accuracy):
        with pytest.raises(TrainingError, match="at least one"):
            measure(np.zeros((2, 2), dtype=np.int64))


@pytest.mark.parametrize(
    ("training_seed", "round_number", "hospital", "seed"),
    [
        (7, 1, "Cleveland", 8941208066132829132),
        (7, 2, "Cleveland", 1999782490663631423),
        (7, 1, "Zürich", 5279800603801357478),
        (2**64 - 1, 0, "", 6525614408803901195),
    ],
)
def test_local_seeds_are_frozen(
    training_seed: int, round_number: int, hospital: str, seed: int
) -> None:
    assert local_seed(training_seed, round_number, hospital) == seed
    assert 0 <= seed < 2**63


@pytest.mark.parametrize(("training_seed", "round_number"), [(-1, 0), (2**64, 0), (0, -1)])
def test_seeds_outside_their_range_are_refused(training_seed: int, round_number: int) -> None:
    with pytest.raises(SettingsError, match="expected a seed"):
        local_seed(training_seed, round_number, "Cleveland")


@pytest.mark.parametrize(("name", "least"), [("heart", 0.75), ("diabetes", 0.68)])
def test_a_plain_federation_with_the_defaults_learns(name: str, least: float) -> None:
    task = get_task(name)
    parts = {hospital: split(table) for hospital, table in task.load().items()}
    sums = np.sum([local_sums(task, part.train.features) for part in parts.values()], axis=0)
    statistics = Statistics.from_sums(task, sums)
    defaults = task.defaults
    settings = LocalSettings(
        defaults.local_epochs,
        defaults.batch_size,
        defaults.learning_rate,
        defaults.norm_bound,
        defaults.class_weighted,
    )
    spec = NetworkSpec(defaults.network, task.inputs, len(task.classes))
    parameters = initial_parameters(spec, 7)
    inputs = {h: encode(task, part.train.features, statistics) for h, part in parts.items()}
    for number in range(1, defaults.rounds + 1):
        updates = [
            local_update(
                spec,
                parameters,
                inputs[hospital],
                part.train.labels,
                settings,
                local_seed(7, number, hospital),
            )
            for hospital, part in parts.items()
        ]
        deltas, weights = [u.delta for u in updates], [u.samples for u in updates]
        parameters = plain_fedavg_round(spec, parameters, deltas, weights)
    confusion = np.sum(
        [
            evaluate(
                spec,
                parameters,
                encode(task, part.test.features, statistics),
                part.test.labels,
            )
            for part in parts.values()
        ],
        axis=0,
    )
    assert balanced_accuracy(confusion) > least
