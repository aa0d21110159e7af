"""Which networks the encrypted review can evaluate, and how their parameters become its layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from crypto.digest import load_model
from crypto.errors import CryptoError
from crypto.fixedpoint import SCALE
from crypto.kernels import Words
from crypto.mpc.bounds import activation_bits
from crypto.mpc.network import AveragePool, Conv, Layer, Linear, ReLU
from fl.datasets import INPUT_BOUND
from fl.errors import PlanError, RoundFailed
from fl.networks import CHANNELS, IMAGES, KERNEL, POOL, NetworkSpec, layout
from fl.plan import Plan

LayerParameters = list[tuple[Words, Words]]


def _mlp(spec: NetworkSpec) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for inputs, outputs in pairwise(spec.widths):
        layers += [Linear(inputs, outputs), ReLU()]
    return tuple(layers[:-1])  # no ReLU behind the logits


def _cnn(spec: NetworkSpec) -> tuple[Layer, ...]:
    channels, height, width = IMAGES[spec.name]
    layers: list[Layer] = []
    for outputs in CHANNELS[spec.name]:
        layers += [Conv(channels, outputs, KERNEL, height, width), AveragePool(), ReLU()]
        channels, height, width = outputs, height // POOL, width // POOL
    return (*layers, Linear(channels * height * width, spec.classes))


# The layer table. `fl.plan.REVIEWABLE` names what is in it: a plan refuses every other network.
_LAYERS: Mapping[str, Callable[[NetworkSpec], tuple[Layer, ...]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
}


def layers_of(spec: NetworkSpec) -> tuple[Layer, ...]:
    """The network as public layers. Raises PlanError for one that is not in the table."""
    if spec.name not in _LAYERS:
        raise PlanError(f"expected a network of {', '.join(sorted(_LAYERS))}, got {spec.name}")
    return _LAYERS[spec.name](spec)


def parameters_of(spec: NetworkSpec, stacked: Words) -> LayerParameters:
    """Weights (models, outputs, terms), biases (models, outputs) by layer, from (models, L)."""
    arrays, start = [], 0
    for _, shape in layout(spec):
        stop = start + math.prod(shape)
        flat = np.ascontiguousarray(stacked[:, start:stop])
        rows = (len(stacked), shape[0], -1) if len(shape) > 1 else (len(stacked), shape[0])
        arrays.append(flat.reshape(rows))
        start = stop
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def bits_of(
    spec: NetworkSpec, model: Mapping[str, NDArray[np.float32]], update_bound: float
) -> tuple[int, ...]:
    """How many bits each layer's values need, for every update within the bound on its norm.

    Raises CryptoError where no width that the engine has is enough.
    """
    arrays = [
        array.astype(np.float64).reshape((len(array), -1) if array.ndim > 1 else -1)
        for array in model.values()
    ]
    parameters = list(zip(arrays[::2], arrays[1::2], strict=True))
    return activation_bits(layers_of(spec), parameters, update_bound, INPUT_BOUND)


def check_in_range(plan: Plan, model: bytes, norm_bound: int) -> None:
    """Raise RoundFailed where an update within the bound could overflow the review's arithmetic."""
    try:
        bits_of(plan.spec, load_model(model)[1], (norm_bound + 1) / SCALE)
    except CryptoError as error:
        raise RoundFailed(f"the review cannot evaluate updates of this model: {error}") from error
