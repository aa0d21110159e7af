"""Many small trainings as one batched computation: for experiments that repeat them.

Models of one network, each with its own start, rows and seed, are stacked and trained by
`torch.func.vmap`. Each model sees the batches that `fl.training.local_update` would show it, in the
same order; sums are rounded in another order, so updates agree to float32 tolerance and not bit for
bit. A recorded training never uses this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from fl.errors import NonFiniteError, TrainingError
from fl.networks import NetworkSpec, build, layout, parameter_count, unflatten
from fl.training import LocalSettings, check_rows, class_weights, one_thread

# So many models keep parameters, gradients and Adam's moments of a small network in the cache.
CHUNK = 64
# Adam's constants, those of torch.optim.Adam: Kingma, Ba, arXiv 1412.6980, algorithm 1.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Stack = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Job:
    """One model's training: its rows, float32 (rows, inputs) and int64 (rows,), and its seed."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    seed: int


def batched_updates(
    spec: NetworkSpec,
    starts: NDArray[np.float32],
    jobs: Sequence[Job],
    settings: LocalSettings,
) -> NDArray[np.float64]:
    """Train job j from the flat parameters `starts[j]`; the differences, before any clipping.

    `starts` is float32 (jobs, parameters); so is what returns, in float64. Raises TrainingError
    for rows that do not fit the network, NonFiniteError where an update is not finite.
    """
    _check_starts(spec, starts, len(jobs))
    for job in jobs:
        check_rows(spec, job.features, job.labels)
    deltas = np.empty(starts.shape, dtype=np.float64)
    # Jobs of like length share a chunk: those that are done early leave no gap behind.
    order = np.argsort([-len(job.labels) for job in jobs], kind="stable")
    with one_thread():
        for start in range(0, len(jobs), CHUNK):
            chosen = order[start : start + CHUNK]
            trained = _train(spec, starts[chosen], [jobs[index] for index in chosen], settings)
            deltas[chosen] = trained.astype(np.float64) - starts[chosen]
    if not np.isfinite(deltas).all():
        raise NonFiniteError("expected finite updates; got NaN or infinity")
    return deltas


def batched_predictions(
    spec: NetworkSpec, parameters: NDArray[np.float32], features: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The class that each of the models gives each row, int64 (models, rows).

    `parameters` is float32 (models, parameters), `features` float32 (rows, inputs). Raises
    TrainingError for rows that do not fit, NonFiniteError where a logit is not finite.
    """
    _check_starts(spec, parameters, len(parameters))
    check_rows(spec, features, np.zeros(len(features), dtype=np.int64))
    module, x = _skeleton(spec), torch.from_numpy(features.copy())
    classes = np.empty((len(parameters), len(features)), dtype=np.int64)
    forward = vmap(lambda stack, rows: functional_call(module, stack, (rows,)), in_dims=(0, None))
    with one_thread(), torch.no_grad():
        for start in range(0, len(parameters), CHUNK):
            logits = forward(_stack(spec, parameters[start : start + CHUNK]), x).numpy()
            if not np.isfinite(logits).all():
                raise NonFiniteError("expected finite logits; got NaN or infinity")
            classes[start : start + CHUNK] = logits.argmax(axis=2)
    return classes


def _train(
    spec: NetworkSpec,
    starts: NDArray[np.float32],
    jobs: Sequence[Job],
    settings: LocalSettings,
) -> NDArray[np.float32]:
    """Return the trained parameters, float32 (jobs, parameters); the longest job comes first."""
    module, stack = _skeleton(spec), _stack(spec, starts)
    x, y, weights = _padded(spec, jobs, settings)

    def loss(one: Stack, rows: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        logits = functional_call(module, one, (rows,))
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        return (losses * weight).sum()

    gradients = vmap(grad(loss))
    adam = _Adam(stack, settings.learning_rate)
    for rows, mask in _batches(jobs, settings):
        active = len(rows)
        models = torch.arange(active)[:, None]
        labels = y[models, rows]
        weight = weights[models, labels] * mask  # (active, batch)
        now = {name: array[:active] for name, array in stack.items()}
        adam.step(now, gradients(now, x[models, rows], labels, weight))
    return np.concatenate([a.reshape(len(jobs), -1).numpy() for a in stack.values()], axis=1)


class _Adam:
    """Adam for stacked models that take different numbers of steps."""

    def __init__(self, stack: Stack, learning_rate: float) -> None:
        self._rate = learning_rate
        self._mean = {name: torch.zeros_like(array) for name, array in stack.items()}
        self._square = {name: torch.zeros_like(array) for name, array in stack.items()}
        self._steps = torch.zeros(len(next(iter(stack.values()))), dtype=torch.float64)

    def step(self, stack: Stack, gradients: Stack) -> None:
        """Move the leading models of the stack, in place."""
        active = len(next(iter(stack.values())))
        self._steps[:active] += 1
        steps = self._steps[:active]
        size = (self._rate / (1 - BETA1**steps)).float()
        correction = (1 - BETA2**steps).sqrt().float()
        for name, array in stack.items():
            shape = (active, *[1] * (array.ndim - 1))
            mean, square = self._mean[name][:active], self._square[name][:active]
            mean.lerp_(gradients[name], 1 - BETA1)
            square.mul_(BETA2).addcmul_(gradients[name], gradients[name], value=1 - BETA2)
            divisor = square.sqrt().div_(correction.view(shape)).add_(EPSILON)
            array.sub_(mean.div(divisor).mul_(size.view(shape)))


def _batches(jobs: Sequence[Job], settings: LocalSettings) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, step by step, rows int64 (active, batch) and mask float32 of the jobs with a batch.

    The mask holds 1 / rows of the batch, and 0 where a batch is shorter.
    """
    generators = [np.random.Generator(np.random.PCG64(job.seed)) for job in jobs]
    size = settings.batch_size
    for _ in range(settings.epochs):
        orders = [
            generator.permutation(len(job.labels))
            for generator, job in zip(generators, jobs, strict=True)
        ]
        for start in range(0, len(orders[0]), size):
            batches = [order[start : start + size] for order in orders if len(order) > start]
            rows = np.zeros((len(batches), size), dtype=np.int64)
            mask = np.zeros((len(batches), size), dtype=np.float32)
            for index, batch in enumerate(batches):
                rows[index, : len(batch)] = batch
                mask[index, : len(batch)] = 1.0 / len(batch)
            yield torch.from_numpy(rows), torch.from_numpy(mask)


def _padded(
    spec: NetworkSpec, jobs: Sequence[Job], settings: LocalSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return features (jobs, most rows, inputs), labels (jobs, most rows), weights of classes."""
    most = len(jobs[0].labels)
    x = np.zeros((len(jobs), most, spec.inputs), dtype=np.float32)
    y = np.zeros((len(jobs), most), dtype=np.int64)
    weights = np.ones((len(jobs), spec.classes), dtype=np.float32)
    for index, job in enumerate(jobs):
        x[index, : len(job.labels)] = job.features
        y[index, : len(job.labels)] = job.labels
        if settings.class_weighted:
            weights[index] = class_weights(job.labels, spec.classes)
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weights)


def _stack(spec: NetworkSpec, vectors: NDArray[np.float32]) -> Stack:
    """Return the parameters of all models by name, float32 (models, *shape), as copies."""
    stack: Stack = {}
    start = 0
    for name, shape in layout(spec):
        stop = start + int(np.prod(shape))
        part = vectors[:, start:stop].reshape(len(vectors), *shape)
        stack[name] = torch.from_numpy(part.copy())
        start = stop
    return stack


def _skeleton(spec: NetworkSpec) -> nn.Module:
    """The module whose parameters `functional_call` replaces."""
    return build(spec, unflatten(spec, np.zeros(parameter_count(spec))))


def _check_starts(spec: NetworkSpec, starts: NDArray[np.float32], models: int) -> None:
    expected = (models, parameter_count(spec))
    if starts.dtype != np.float32 or starts.shape != expected or not models:
        raise TrainingError(
            f"expected float32 parameters {expected}; got {starts.dtype} {starts.shape}"
        )
