"""Batched training is the one-by-one training, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fl import batched
from fl.batched import Job, batched_predictions, batched_updates
from fl.errors import NonFiniteError, TrainingError
from fl.networks import NetworkSpec, flatten, initial_parameters, unflatten
from fl.training import LocalSettings, local_update

SPEC = NetworkSpec("mlp", 5, 3)
SETTINGS = LocalSettings(3, 8, 0.01, 1e6, True)
SIZES = (23, 8, 1, 40, 16)


def job(index: int, spec: NetworkSpec = SPEC) -> Job:
    generator = np.random.Generator(np.random.PCG64(index))
    x = generator.normal(size=(SIZES[index], spec.inputs)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0.5)
    return Job(x, y.astype(np.int64), 100 + index)


JOBS = [job(index) for index in range(len(SIZES))]
STARTS = np.stack(
    [flatten(SPEC, initial_parameters(SPEC, index)).astype(np.float32) for index in range(5)]
)


@pytest.mark.parametrize("chunk", [1, 2, 64])
@pytest.mark.parametrize("weighted", [True, False])
def test_updates_agree_with_one_by_one_training(
    monkeypatch: pytest.MonkeyPatch, chunk: int, weighted: bool
) -> None:
    monkeypatch.setattr(batched, "CHUNK", chunk)
    settings = LocalSettings(3, 8, 0.01, 1e6, weighted)
    deltas = batched_updates(SPEC, STARTS, JOBS, settings)
    for delta, start, one in zip(deltas, STARTS, JOBS, strict=True):
        parameters = unflatten(SPEC, start.astype(np.float64))
        alone = local_update(SPEC, parameters, one.features, one.labels, settings, one.seed)
        np.testing.assert_allclose(delta, alone.delta, atol=2e-6)
        assert np.linalg.norm(delta) > 0.05


def test_a_network_of_images_is_trained_alike() -> None:
    spec = NetworkSpec("cnn", 784, 2)
    generator = np.random.Generator(np.random.PCG64(4))
    x = generator.random(size=(12, 784)).astype(np.float32)
    y = (np.arange(12) % 2).astype(np.int64)
    parameters = initial_parameters(spec, 1)
    settings = LocalSettings(1, 6, 0.01, 1e6, True)
    start = flatten(spec, parameters).astype(np.float32)
    delta = batched_updates(spec, start[None], [Job(x, y, 3)], settings)[0]
    alone = local_update(spec, parameters, x, y, settings, 3)
    np.testing.assert_allclose(delta, alone.delta, atol=1e-5)


def test_predictions_are_each_models_own() -> None:
    found = batched_predictions(SPEC, STARTS, JOBS[3].features)
    assert found.shape == (5, 40)
    for row, start in zip(found, STARTS, strict=True):
        hidden = JOBS[3].features.astype(np.float64)
        parameters = unflatten(SPEC, start.astype(np.float64))
        for layer in ("0", "2", "4"):
            hidden = hidden @ parameters[f"{layer}.weight"].T + parameters[f"{layer}.bias"]
            hidden = hidden if layer == "4" else np.maximum(hidden, 0)
        assert row.tolist() == hidden.argmax(axis=1).tolist()


def test_nothing_global_changes() -> None:
    before, threads, start = torch.get_rng_state(), torch.get_num_threads(), STARTS.tobytes()
    batched_updates(SPEC, STARTS, JOBS, SETTINGS)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert STARTS.tobytes() == start


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TrainingError, match="expected"):
        batched_updates(SPEC, STARTS[:4], JOBS, SETTINGS)
    with pytest.raises(TrainingError, match="expected"):
        batched_updates(SPEC, STARTS.astype(np.float64), JOBS, SETTINGS)  # type: ignore[arg-type]
    wrong = Job(JOBS[0].features, JOBS[0].labels + 3, 1)
    with pytest.raises(TrainingError, match="expected"):
        batched_updates(SPEC, STARTS, [wrong, *JOBS[1:]], SETTINGS)
    with pytest.raises(NonFiniteError):
        batched_updates(SPEC, STARTS * np.float32(1e30), JOBS, SETTINGS)
    with pytest.raises(NonFiniteError):
        batched_predictions(SPEC, STARTS * np.float32(1e30), JOBS[0].features)
