"""Public descriptions of networks, and which of them can be evaluated on shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from crypto.errors import UnsupportedLayer
from crypto.fixedpoint import FRACTION_BITS


@dataclass(frozen=True)
class Linear:
    """outputs = weights inputs + biases."""

    inputs: int
    outputs: int

    @property
    def weight_shape(self) -> tuple[int, int]:
        """(outputs, terms), as in torch."""
        return self.outputs, self.inputs


@dataclass(frozen=True)
class Conv:
    """A convolution (cross-correlation, as in torch) of stride 1 over images padded with zeros.

    Images are (channels, height, width), flattened row-major, at both ends.
    """

    channels_in: int
    channels_out: int
    kernel: int
    height: int
    width: int
    padding: int = 1

    @property
    def inputs(self) -> int:
        """Values of an image."""
        return self.channels_in * self.height * self.width

    @property
    def size_out(self) -> tuple[int, int]:
        """Height and width of the result."""
        less = self.kernel - 1 - 2 * self.padding
        return self.height - less, self.width - less

    @property
    def outputs(self) -> int:
        """Values of the result."""
        return self.channels_out * self.size_out[0] * self.size_out[1]

    @property
    def weight_shape(self) -> tuple[int, int]:
        """(output channels, terms): torch's four-dimensional weights, flattened from axis 1 on."""
        return self.channels_out, self.channels_in * self.kernel**2


@dataclass(frozen=True)
class AveragePool:
    """The mean of each 2 x 2 window, stride 2, between a convolution and its ReLU."""


@dataclass(frozen=True)
class ReLU:
    """max(0, x)."""


Layer: TypeAlias = Linear | Conv | AveragePool | ReLU


@dataclass(frozen=True)
class Stage:
    """A layer with parameters, and what follows it before the next one."""

    layer: Linear | Conv
    pooled: bool
    activated: bool

    @property
    def shift(self) -> int:
        """Fractional bits of the stage's sums beyond those of its results."""
        return FRACTION_BITS + 2 * self.pooled

    @property
    def outputs(self) -> int:
        """Values a row."""
        return self.layer.outputs // 4 if self.pooled else self.layer.outputs


def check_layers(layers: Sequence[object]) -> None:
    """Raise UnsupportedLayer, by name, unless the network can be evaluated on shares.

    A layer of another kind may be given as its name.
    """
    stages_of(layers)


def stages_of(layers: Sequence[object]) -> tuple[Stage, ...]:
    """The network as stages. Raises UnsupportedLayer for what cannot be evaluated.

    It is linear layers and convolutions, each but the last with a ReLU behind it, a convolution
    with average pooling between; the last is linear, with at least two outputs, the logits.
    """
    return _stages(tuple(layers))


@lru_cache(maxsize=64)
def _stages(layers: tuple[object, ...]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for layer in layers:
        if isinstance(layer, Linear | Conv):
            _check_fits(layer, stages)
            stages.append(Stage(layer, pooled=False, activated=False))
        elif isinstance(layer, AveragePool):
            stages[-1:] = [_with_pool(stages)]
        elif isinstance(layer, ReLU):
            stages[-1:] = [_with_relu(stages)]
        else:
            name = layer if isinstance(layer, str) else type(layer).__name__
            raise UnsupportedLayer(name, "only linear, convolution, average pooling, ReLU can be")
    _check_last(stages)
    return tuple(stages)


def _check_fits(layer: Linear | Conv, stages: list[Stage]) -> None:
    name = type(layer).__name__
    if min(*layer.weight_shape, layer.inputs, layer.outputs) < 1:
        raise UnsupportedLayer(name, "it has no inputs or no outputs")
    if isinstance(layer, Conv) and (layer.padding < 0 or min(layer.size_out) < 1):
        raise UnsupportedLayer(name, "its kernel or padding does not fit its images")
    if stages and not stages[-1].activated:
        raise UnsupportedLayer(name, "the layer before it has no ReLU")
    if stages and stages[-1].outputs != layer.inputs:
        raise UnsupportedLayer(
            name,
            f"it takes {layer.inputs} values, and the layer before it gives {stages[-1].outputs}",
        )


def _with_pool(stages: list[Stage]) -> Stage:
    stage = stages[-1] if stages else None
    if stage is None or not isinstance(stage.layer, Conv) or stage.pooled or stage.activated:
        raise UnsupportedLayer("AveragePool", "it must stand between a convolution and its ReLU")
    if any(size % 2 for size in stage.layer.size_out) or not stage.layer.padding:
        raise UnsupportedLayer("AveragePool", "it needs even sizes and a padded convolution")
    return Stage(stage.layer, pooled=True, activated=False)


def _with_relu(stages: list[Stage]) -> Stage:
    if not stages or stages[-1].activated:
        raise UnsupportedLayer("ReLU", "it must follow a linear layer, a convolution or its pool")
    return Stage(stages[-1].layer, stages[-1].pooled, activated=True)


def _check_last(stages: list[Stage]) -> None:
    last = stages[-1] if stages else None
    if last is None or not isinstance(last.layer, Linear) or last.activated:
        raise UnsupportedLayer("network", "its last layer must be linear, for the logits")
    if last.layer.outputs < 2:
        raise UnsupportedLayer("Linear", "logits of at least two classes are needed")
