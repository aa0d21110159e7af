"""What every engine computes: the networks, their weights, the rows, and the right answers.

The models of a task are a global model and small updates of it, as in a round of federated
learning: the first is the global model, each other one differs from it by a vector of norm
`UPDATE_BOUND`. Numpy only: each peer's environment imports this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
UPDATE_BOUND = 1.0
INPUT_BOUND = {"mlp": 8.0, "cnn": 1.0}
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "mlp": ((64, 10), (32, 64), (2, 32)),
    # Two convolutions, each followed by average pooling over 2 x 2 and ReLU, and a linear layer.
    "cnn": ((8, 1, 3, 3), (16, 8, 3, 3), (10, 784)),
}


@dataclass(frozen=True)
class Task:
    """A network's models and the rows that they classify.

    `parameters`: for each layer with weights, (weights, biases) stacked over the models, of shapes
    (models, outputs, inputs...) and (models, outputs). `rows`: (rows, 10) or (rows, 1, 28, 28).
    """

    name: str
    parameters: tuple[tuple[Reals, Reals], ...]
    rows: Reals

    @property
    def models(self) -> int:
        """How many models there are."""
        return len(self.parameters[0][0])

    def classes(self) -> NDArray[np.int64]:
        """The right answers, (models, rows), and the first of equal logits."""
        classes: NDArray[np.int64] = np.argmax(self.logits(), axis=2)
        return classes

    def doubtful(self) -> NDArray[np.bool_]:
        """Where the two leading logits are too close for 16 fractional bits, (models, rows)."""
        leading = np.sort(self.logits(), axis=2)[:, :, -2:]
        close: NDArray[np.bool_] = leading[:, :, 1] - leading[:, :, 0] < 2**-9
        return close

    def logits(self) -> Reals:
        """In float64, (models, rows, classes)."""
        return np.stack([self._logits(model) for model in range(self.models)])

    def _logits(self, model: int) -> Reals:
        values = self.rows
        last = len(self.parameters) - 1
        for layer, (weights, biases) in enumerate(self.parameters):
            weight, bias = weights[model], biases[model]
            if weight.ndim == 4:
                values = _pool(_convolve(values, weight) + bias[:, None, None])
            else:
                values = values.reshape(len(values), -1) @ weight.T + bias
            if layer < last:
                values = np.maximum(values, 0)
        return values


def make_task(name: str, models: int, rows: int) -> Task:
    """The task of that name, the same in every process."""
    random = np.random.default_rng(61)
    values: Reals
    if name == "mlp":
        bound = INPUT_BOUND[name]
        values = random.standard_normal((rows, 10)).clip(-bound, bound)
    else:
        # Coarse squares, dark or light: images that differ enough to fall into several classes.
        coarse = random.uniform(0, INPUT_BOUND[name], (rows, 1, 4, 4)) ** 2
        values = np.kron(coarse, np.ones((7, 7))).astype(np.float64)
    start = [_initial(shape, random) for shape in SHAPES[name]]
    updates = [_update(start, random) for _ in range(models - 1)]
    layers = []
    for i, (weight, bias) in enumerate(start):
        weights = np.stack([weight] + [weight + update[i][0] for update in updates])
        biases = np.stack([bias] + [bias + update[i][1] for update in updates])
        layers.append((weights, biases))
    return Task(name, tuple(layers), values)


def _initial(shape: tuple[int, ...], random: np.random.Generator) -> tuple[Reals, Reals]:
    """Uniform in +-sqrt(3 / inputs), which keeps the scale of activations through ReLU."""
    bound = np.sqrt(3 / np.prod(shape[1:]))
    return random.uniform(-bound, bound, shape), random.uniform(-bound, bound, shape[0])


def _update(
    start: list[tuple[Reals, Reals]], random: np.random.Generator
) -> list[tuple[Reals, Reals]]:
    """A vector of norm `UPDATE_BOUND` over all parameters of a model."""
    parts = [(random.standard_normal(w.shape), random.standard_normal(b.shape)) for w, b in start]
    norm = np.sqrt(sum(float((w**2).sum() + (b**2).sum()) for w, b in parts))
    return [(w * UPDATE_BOUND / norm, b * UPDATE_BOUND / norm) for w, b in parts]


def _convolve(images: Reals, kernels: Reals) -> Reals:
    """3 x 3, padded by one: (rows, in, h, w) and (out, in, 3, 3) to (rows, out, h, w)."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    sums: Reals = np.einsum("nchwij,ocij->nohw", windows, kernels, optimize=True)
    return sums


def _pool(images: Reals) -> Reals:
    """The mean of each 2 x 2 square."""
    n, c, h, w = images.shape
    means: Reals = images.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))
    return means
