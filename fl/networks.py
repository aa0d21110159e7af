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
# A network of images: channels, height and width of an image, the channels of its convolutions.
IMAGES = {"cnn": (1, 28, 28)}
CHANNELS = {"cnn": (8, 16)}
KERNEL, POOL = 3, 2


@dataclass(frozen=True)
class NetworkSpec:
    """Which network: its name, inputs (features a patient, or pixels) and outputs (classes).

    Raises UnknownNetworkError for a name that is in neither ``HIDDEN`` nor ``IMAGES``, and
    LayoutError for a network of images whose inputs are not one image's pixels.
    """

    name: str
    inputs: int
    classes: int

    def __post_init__(self) -> None:
        if self.name not in HIDDEN and self.name not in IMAGES:
            raise UnknownNetworkError(self.name, (*HIDDEN, *IMAGES))
        if self.inputs < 1 or self.classes < 2:
            raise LayoutError(
                f"expected at least 1 input and 2 classes; got {self.inputs} and {self.classes}"
            )
        if self.image is not None and self.inputs != math.prod(self.image):
            shape = " x ".join(map(str, self.image))
            raise LayoutError(
                f"expected {math.prod(self.image)} inputs for {self.name}, the pixels of an image "
                f"{shape}; got {self.inputs}: the network is for images, not for columns"
            )

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Channels, height and width of an input, row-major; None for a network of columns."""
        return IMAGES.get(self.name)

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, classes of a network of columns."""
        return (self.inputs, *HIDDEN[self.name], self.classes)


def layout(spec: NetworkSpec) -> Layout:
    """Return names and shapes of the parameters, in the order of the vector.

    Weights are (outputs, inputs), of a convolution (outputs, inputs, 3, 3), as in ``torch.nn``, and
    precede their biases. A name is the layer's position in ``build`` and what it holds.
    """
    shapes: list[tuple[int, tuple[int, ...]]]
    if spec.image is None:
        pairs = enumerate(pairwise(spec.widths))
        shapes = [(2 * index, (outputs, inputs)) for index, (inputs, outputs) in pairs]
    else:
        channels = (spec.image[0], *CHANNELS[spec.name])
        shapes = [
            (3 * index + 1, (outputs, inputs, KERNEL, KERNEL))
            for index, (inputs, outputs) in enumerate(pairwise(channels))
        ]
        shapes.append((3 * len(CHANNELS[spec.name]) + 2, (spec.classes, _flat_inputs(spec))))
    return tuple(
        array
        for position, shape in shapes
        for array in ((f"{position}.weight", shape), (f"{position}.bias", shape[:1]))
    )


def _flat_inputs(spec: NetworkSpec) -> int:
    """What reaches the linear layer behind the convolutions and poolings."""
    _, height, width = IMAGES[spec.name]
    channels = CHANNELS[spec.name]
    shrink: int = POOL ** len(channels)
    return channels[-1] * (height // shrink) * (width // shrink)


def parameter_count(spec: NetworkSpec) -> int:
    """Return the length of the vector of ``flatten``."""
    return sum(math.prod(shape) for _, shape in layout(spec))


def initial_parameters(spec: NetworkSpec, seed: int) -> Parameters:
    """Return parameters uniform in +-1/sqrt(fan in), drawn from ``seed`` alone.

    That is what ``torch.nn.Linear`` and ``Conv2d`` start from, without their global generator.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    parameters: Parameters = {}
    bound = 0.0
    for name, shape in layout(spec):
        if len(shape) > 1:
            bound = 1.0 / math.sqrt(math.prod(shape[1:]))
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

    It maps float32 (rows, inputs) to logits (rows, classes). Raises LayoutError when the parameters
    do not fit.
    """
    check_layout(spec, parameters)
    module = nn.Sequential(*(_columns(spec) if spec.image is None else _convolutions(spec)))
    state = {name: torch.from_numpy(array.copy()) for name, array in parameters.items()}
    module.load_state_dict(state, assign=True)
    return module


# On the meta device nothing is initialised, so torch's global generator stays untouched.


def _columns(spec: NetworkSpec) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(spec.widths):
        layers += [nn.Linear(inputs, outputs, device="meta"), nn.ReLU()]
    return layers[:-1]  # no ReLU behind the logits


def _convolutions(spec: NetworkSpec) -> list[nn.Module]:
    """Average pooling stands before ReLU: under encryption it is then sums, and has fewer ReLUs."""
    layers: list[nn.Module] = [nn.Unflatten(1, IMAGES[spec.name])]
    for inputs, outputs in pairwise((IMAGES[spec.name][0], *CHANNELS[spec.name])):
        layers += [
            nn.Conv2d(inputs, outputs, KERNEL, padding=KERNEL // 2, device="meta"),
            nn.AvgPool2d(POOL),
            nn.ReLU(),
        ]
    return [*layers, nn.Flatten(), nn.Linear(_flat_inputs(spec), spec.classes, device="meta")]
