"""A hospital's own training, and how a model is judged on rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import NonFiniteError, SettingsError, TrainingError
from fl.networks import NetworkSpec, Parameters, build, flatten, unflatten

SEED_LABEL = b"consilium/local-seed/v1\x00"
LARGEST_CLASS_WEIGHT = 5.0


@dataclass(frozen=True)
class LocalSettings:
    """Settings of local training, the same for every hospital of a round.

    ``norm_bound`` is the largest L2 norm of an update. The learning rate is that of round 1; each
    round multiplies it by ``decay``, 0 < decay <= 1. Raises SettingsError outside the ranges.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    norm_bound: float
    class_weighted: bool
    decay: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise SettingsError(
                f"expected epochs and batch size from 1; got {self.epochs} and {self.batch_size}"
            )
        for name, value in (("learning rate", self.learning_rate), ("norm bound", self.norm_bound)):
            if not (math.isfinite(value) and value > 0):
                raise SettingsError(f"expected a finite {name} above 0; got {value}")
        if not 0 < self.decay <= 1:
            raise SettingsError(f"expected a decay above 0, at most 1; got {self.decay}")

    def in_round(self, number: int) -> LocalSettings:
        """Return the settings of a round from 1 on, learning rate lr decay^(number - 1) in them.

        Raises SettingsError where that is too small for a float64.
        """
        return replace(self, learning_rate=self.learning_rate * self.decay ** (number - 1))


@dataclass(frozen=True, eq=False)
class LocalUpdate:
    """What training leaves.

    ``delta`` is float64 (parameters,), its L2 norm at most the norm bound (to rounding); ``norm``
    is the norm before clipping, ``loss`` the mean over the rows in the last epoch.
    """

    delta: NDArray[np.float64]
    samples: int
    loss: float
    norm: float
    clipped: bool


def local_seed(training_seed: int, round_number: int, hospital: str) -> int:
    """Return the seed of one hospital's training in one round, 0 <= seed < 2^63.

    The first 63 bits of SHA-256(label, seed and round as 8 bytes, UTF-8 name). Raises SettingsError
    for a seed or round outside 0 to 2^64 - 1.
    """
    if not (0 <= training_seed < 2**64 and 0 <= round_number < 2**64):
        raise SettingsError(
            f"expected a seed and a round from 0 to 2^64 - 1; got {training_seed}, {round_number}"
        )
    numbers = training_seed.to_bytes(8, "big") + round_number.to_bytes(8, "big")
    digest = hashlib.sha256(SEED_LABEL + numbers + hospital.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return w_c = min(5, n / (C (n_c + 1))), float64 (classes,), for labels (n,)."""
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return np.minimum(LARGEST_CLASS_WEIGHT, len(labels) / (classes * (counts + 1)))


def local_update(
    spec: NetworkSpec,
    parameters: Mapping[str, NDArray[np.float32]],
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    settings: LocalSettings,
    seed: int,
) -> LocalUpdate:
    """Train from ``parameters`` on one hospital's rows and return the clipped difference.

    ``features`` is float32 (rows, inputs), ``labels`` int64 (rows,). Adam, cross-entropy, a fresh
    order of the rows each epoch from ``seed``; the same arguments give the same bytes on a machine.
    Raises TrainingError when the rows do not fit the network or there are none, LayoutError for
    parameters that do not, and NonFiniteError when a feature, the loss or the update is NaN or
    infinite.
    """
    check_rows(spec, features, labels)
    module = build(spec, parameters)
    with one_thread():
        loss = _train(module, features, labels, settings, seed)
    trained = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    delta = flatten(spec, trained) - flatten(spec, parameters)
    norm = float(np.linalg.norm(delta))
    if not (math.isfinite(norm) and math.isfinite(loss)):
        raise NonFiniteError(f"expected a finite update; got norm {norm} and loss {loss}")
    clipped = norm > settings.norm_bound
    if clipped:
        delta *= settings.norm_bound / norm
    return LocalUpdate(delta, len(labels), loss, norm, clipped)


def _train(
    module: nn.Module,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    settings: LocalSettings,
    seed: int,
) -> float:
    """Train ``module`` in place; return the mean loss of the last epoch."""
    x, y = torch.from_numpy(features.copy()), torch.from_numpy(labels.copy())
    logits = module(x[:1]).shape[1]
    weights = class_weights(labels, logits) if settings.class_weighted else np.ones(logits)
    w = torch.from_numpy(weights.astype(np.float32))
    optimiser = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    generator = np.random.Generator(np.random.PCG64(seed))
    total = 0.0
    for _ in range(settings.epochs):
        order = torch.from_numpy(generator.permutation(len(labels)))
        total = 0.0
        for start in range(0, len(labels), settings.batch_size):
            batch = order[start : start + settings.batch_size]
            # Divided by the rows and not by their weights, or a batch of one class would lose its
            # weight.
            losses = nn.functional.cross_entropy(module(x[batch]), y[batch], reduction="none")
            loss = (losses * w[y[batch]]).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(batch)
    return total / len(labels)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: a fixed order of additions, and for small layers the fastest.

    The setting is the process's: whoever trains in several threads sets it once, before.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_rows(spec: NetworkSpec, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Raise TrainingError or NonFiniteError unless the rows can be trained on or judged."""
    if features.dtype != np.float32 or labels.dtype != np.int64:
        raise TrainingError(
            f"expected float32 features and int64 labels; got {features.dtype}, {labels.dtype}"
        )
    if features.shape != (len(labels), spec.inputs) or labels.ndim != 1 or not len(labels):
        raise TrainingError(
            f"expected features (rows, {spec.inputs}) and as many labels; "
            f"got {features.shape} and {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise TrainingError(
            f"expected labels from 0 to {spec.classes - 1}; got {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(features).all():
        raise NonFiniteError("expected finite features; got NaN or infinity")


def apply_update(
    spec: NetworkSpec, parameters: Mapping[str, NDArray[np.float32]], delta: NDArray[np.float64]
) -> Parameters:
    """Return parameters + delta, added in float64, then rounded to float32.

    Raises LayoutError when ``delta`` has another length, NonFiniteError when a sum is no finite
    float32.
    """
    vector = flatten(spec, parameters)
    if delta.shape != vector.shape:
        # unflatten names the length that was expected.
        return unflatten(spec, delta)
    return unflatten(spec, vector + delta)


def evaluate(
    spec: NetworkSpec,
    parameters: Mapping[str, NDArray[np.float32]],
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the confusion matrix int64 (classes, classes): rows truth, columns prediction.

    Matrices of several hospitals add up to the matrix of all their rows. Raises what
    ``local_update`` raises for rows and parameters.
    """
    check_rows(spec, features, labels)
    answers = _logits(spec, parameters, features).argmax(axis=1)
    return confusion_of(spec.classes, labels, answers)


def probabilities(
    spec: NetworkSpec,
    parameters: Mapping[str, NDArray[np.float32]],
    features: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return the probability of each class for each row, float64 (rows, classes).

    Raises what ``local_update`` raises for rows and parameters.
    """
    check_rows(spec, features, np.zeros(len(features), dtype=np.int64))
    logits = _logits(spec, parameters, features).astype(np.float64)
    # Shifted by the largest, so that no exponential overflows.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def confusion_of(
    classes: int, labels: NDArray[np.int64], answers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the confusion matrix int64 (classes, classes) of labels and answers (rows,)."""
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return confusion


def _logits(
    spec: NetworkSpec,
    parameters: Mapping[str, NDArray[np.float32]],
    features: NDArray[np.float32],
) -> NDArray[np.float32]:
    with one_thread(), torch.no_grad():
        logits: NDArray[np.float32] = build(spec, parameters)(
            torch.from_numpy(features.copy())
        ).numpy()
    if not np.isfinite(logits).all():
        raise NonFiniteError("expected finite logits; got NaN or infinity")
    return logits


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the share of right answers; raises TrainingError for a matrix without rows."""
    total = int(confusion.sum())
    if total == 0:
        raise TrainingError("expected at least one judged row; got none")
    return float(np.trace(confusion)) / total


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the mean of the recalls over the classes that occur.

    Raises TrainingError for a matrix without rows.
    """
    truth = confusion.sum(axis=1)
    occurring = truth > 0
    if not occurring.any():
        raise TrainingError("expected at least one judged row; got none")
    return float((np.diag(confusion)[occurring] / truth[occurring]).mean())
