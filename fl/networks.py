"""Networks, their parameters as named arrays, and the one vector that a round shares.

The layout of a network (names and shapes, in order) is public: parties flatten parameters to a
vector by it, row-major, one array after another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import LayoutError, NonFiniteError, UnknownNetworkError

Parameters = dict[str, NDArray[np.float32]]
Layout = tuple[tuple[str, tuple[int, ...]], ...]

HIDDEN = {"mlp": (64, 32)}


@dataclass(frozen=True)
class NetworkSpec:
    """Which network: its name, inputs (features a patient) and outputs (classes).

    Raises UnknownNetworkError for a name that is not in ``HIDDEN``.
    """

    name: str
    inputs: int
    classes: int

    def __post_init__(self) -> None:
        if self.name not in HIDDEN:
            raise UnknownNetworkError(self.name, HIDDEN)
        if self.inputs < 1 or self.classes < 2:
            raise LayoutError(
                f"expected at least 1 input and 2 classes; got {self.inputs} and {self.classes}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, classes."""
        return (self.inputs, *HIDDEN[self.name], self.classes)


def layout(spec: NetworkSpec) -> Layout:
    """Return names and shapes of the parameters, in the order of the vector.

    Weights are (outputs, inputs), as in ``torch.nn.Linear``, and precede their biases.
    """
    arrays: list[tuple[str, tuple[int, ...]]] = []
    for index, (inputs, outputs) in enumerate(pairwise(spec.widths)):
        arrays.append((f"{2 * index}.weight", (outputs, inputs)))
        arrays.append((f"{2 * index}.bias", (outputs,)))
    return tuple(arrays)


def parameter_count(spec: NetworkSpec) -> int:
    """Return the length of the vector of ``flatten``."""
    return sum(math.prod(shape) for _, shape in layout(spec))


def initial_parameters(spec: NetworkSpec, seed: int) -> Parameters:
    """Return parameters uniform in +-1/sqrt(fan in), drawn from ``seed`` alone.

    That is what ``torch.nn.Linear`` starts from, without its global generator.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    parameters: Parameters = {}
    bound = 0.0
    for name, shape in layout(spec):
        if len(shape) == 2:
            bound = 1.0 / math.sqrt(shape[1])
        parameters[name] = ((2.0 * generator.random(shape) - 1.0) * bound).astype(np.float32)
    return parameters


def flatten(
    spec: NetworkSpec, parameters: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Return the parameters as one float64 vector (parameter_count(spec),).

    Raises LayoutError when names, order or shapes are not those of ``layout(spec)``.
    """
    check_layout(spec, parameters)
    return np.concatenate([array.ravel().astype(np.float64) for array in parameters.values()])


def unflatten(spec: NetworkSpec, vector: NDArray[np.float64]) -> Parameters:
    """Return the float32 parameters of a vector (parameter_count(spec),).

    Raises LayoutError on another length, NonFiniteError when a value is no finite float32.
    """
    if vector.shape != (parameter_count(spec),):
        raise LayoutError(
            f"expected a vector of {parameter_count(spec)} values; got shape {vector.shape}"
        )
    with np.errstate(over="ignore"):
        single = vector.astype(np.float32)
    if not np.isfinite(single).all():
        raise NonFiniteError("expected finite parameters; got NaN, infinity or an overflow")
    parameters: Parameters = {}
    start = 0
    for name, shape in layout(spec):
        stop = start + math.prod(shape)
        parameters[name] = single[start:stop].reshape(shape)
        start = stop
    return parameters


def check_layout(spec: NetworkSpec, parameters: Mapping[str, NDArray[np.float32]]) -> None:
    """Raise LayoutError unless the parameters are float32 arrays in the layout of ``spec``."""
    actual = tuple((name, array.shape) for name, array in parameters.items())
    if actual != layout(spec):
        raise LayoutError(f"expected parameters {layout(spec)}; got {actual}")
    for name, array in parameters.items():
        if array.dtype != np.float32:
            raise LayoutError(f"expected float32 in {name}; got {array.dtype}")


def build(spec: NetworkSpec, parameters: Mapping[str, NDArray[np.float32]]) -> nn.Sequential:
    """Return the torch module with a copy of ``parameters``; no random number is drawn.

    Raises LayoutError when the parameters do not fit.
    """
    check_layout(spec, parameters)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(spec.widths):
        # On the meta device nothing is initialised, so torch's global generator stays untouched.
        layers += [nn.Linear(inputs, outputs, device="meta"), nn.ReLU()]
    module = nn.Sequential(*layers[:-1])  # no ReLU behind the logits
    state = {name: torch.from_numpy(array.copy()) for name, array in parameters.items()}
    module.load_state_dict(state, assign=True)
    return module
