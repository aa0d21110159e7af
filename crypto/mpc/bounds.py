"""How large a value of a network can get, proven before anything is shared.

Interval arithmetic from the range of the inputs, neuron by neuron, on the global model, which is
public; what a model's update may add to a neuron's sum is bounded by Cauchy and Schwarz, its norm
times that of the neuron's inputs. The norm of a layer's values is carried along beside their
intervals: an update cannot move all neurons of a layer by its whole norm at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isfinite, sqrt

import numpy as np
import numpy.typing as npt

from crypto.errors import MpcError
from crypto.fixedpoint import SCALE
from crypto.mpc.affine import gather
from crypto.mpc.network import Conv, Layer, Linear, Stage, stages_of

# A value below 2^(m - 16) is compared on m + 1 bits.
WIDTHS = (18, 24, 31, 38)
_UNIT = 1.0 / SCALE
# Far more than float64 loses in these sums.
_ROUNDING = 2.0**-30

Reals = npt.NDArray[np.float64]
Interval = tuple[Reals, Reals]


def activation_bits(
    layers: Sequence[Layer],
    parameters: Sequence[tuple[Reals, Reals]],
    update_bound: float,
    input_bound: float,
) -> tuple[int, ...]:
    """For each layer with parameters the smallest m of `WIDTHS` that holds all its values.

    It holds them when |x| < 2^(f + m) - 2^f, x being the integer with f + 16 fractional bits,
    f = 16 (18 with average pooling); of the last layer, the logits, the differences count. This is
    proven for every model that differs from `parameters`, weights (outputs, terms) and biases
    (outputs,), by a vector of L2 norm up to `update_bound`, both rounded to 2^-16, and inputs of
    magnitude up to `input_bound`. Raises UnsupportedLayer, and MpcError, naming the layer, where
    none suffices.
    """
    stages = stages_of(layers)
    if len(stages) != len(parameters):
        raise MpcError(f"expected parameters of {len(stages)} layers, got {len(parameters)}")
    for bound in (update_bound, input_bound):
        if not isfinite(bound) or bound < 0:
            raise MpcError(f"expected bounds that are at least 0, got {bound}")
    count = sum(weights.size + biases.size for weights, biases in parameters)
    # Global model and update are rounded, each entry by half a unit.
    norm = update_bound + (sqrt(count) + 1) * _UNIT
    limit = np.full(stages[0].layer.inputs, input_bound + _UNIT)
    interval, reach = (-limit, limit), float(np.linalg.norm(limit))
    widths = []
    for number, (stage, (weights, biases)) in enumerate(zip(stages, parameters, strict=True), 1):
        _check_shapes(number, stage, weights, biases)
        rows, offsets = weights, biases
        if not stage.activated:
            rows, offsets = _differences(weights), _differences(biases)
            norm *= sqrt(2)
        interval, reach = _sums(stage, rows, offsets, norm, interval, reach)
        widths.append(_width(number, stage, interval))
        interval, reach = _activate(interval, reach)
    return tuple(widths)


def _check_shapes(number: int, stage: Stage, weights: Reals, biases: Reals) -> None:
    shape = stage.layer.weight_shape
    if weights.shape != shape or biases.shape != shape[:1]:
        raise MpcError(f"expected weights of {shape} in layer {number}, got {weights.shape}")
    if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
        raise MpcError(f"expected finite parameters in layer {number}")


def _differences(rows: Reals) -> Reals:
    first, second = (list(side) for side in zip(*combinations(range(len(rows)), 2), strict=True))
    return rows[first] - rows[second]


def _sums(
    stage: Stage, weights: Reals, biases: Reals, norm: float, inputs: Interval, reach: float
) -> tuple[Interval, float]:
    """Bounds, (outputs,), of weights x + biases and of its L2 norm.

    x lies in `inputs` and has a norm up to `reach`; the parameters are up to `norm` away.
    """
    low, high = (_terms(stage, end) for end in inputs)
    middle, radius = (high + low) / 2, (high - low) / 2
    largest = np.maximum(np.abs(low), np.abs(high))
    # A window's means have a norm below that of all inputs, as a single window has.
    lengths = np.sqrt(np.minimum((largest**2).sum(axis=1), reach**2) + 1.0)
    center = weights @ middle.T + biases[:, None]
    spread = np.abs(weights) @ radius.T
    # What float64 loses is relative to the sums of magnitudes.
    spread += _ROUNDING * (np.abs(weights) @ largest.T + np.abs(biases)[:, None])
    total = (spread + norm * lengths * (1.0 + _ROUNDING)).reshape(-1)
    center = center.reshape(-1)
    interval = center - total, center + total
    reach_out = float(np.linalg.norm(np.maximum(-interval[0], interval[1])))
    if isinstance(stage.layer, Linear):
        # Norm of what the global model gives, plus the update's norm times that of (x, 1).
        fixed = float(np.linalg.norm(np.abs(center) + spread.reshape(-1)))
        lengths_out = float(np.linalg.norm(weights, 2)) * reach, float(np.linalg.norm(biases))
        fixed = min(fixed, sum(lengths_out))
        reach_out = min(reach_out, (fixed + norm * sqrt(reach**2 + 1)) * (1.0 + _ROUNDING))
    return interval, reach_out


def _activate(interval: Interval, reach: float) -> tuple[Interval, float]:
    """Bounds after ReLU and truncation, which is right within a unit."""
    low, high = interval
    return (
        (np.maximum(low - _UNIT, 0.0), np.maximum(high, 0.0) + _UNIT),
        reach + sqrt(low.size) * _UNIT,
    )


def _terms(stage: Stage, values: Reals) -> Reals:
    """The inputs of each place of the output, (places, terms); windows' means where pooled."""
    layer = stage.layer
    if stage.pooled and isinstance(layer, Conv):
        images = values.reshape(layer.channels_in, layer.height, layer.width)
        padded = np.pad(images, ((0, 0), (layer.padding,) * 2, (layer.padding,) * 2))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(1, 2))
        values = windows.mean(axis=(3, 4)).reshape(-1)
    # A place outside an image is zero; it has the index after the last input.
    return np.append(values, 0.0)[gather(layer, stage.pooled)]


def _width(number: int, stage: Stage, interval: Interval) -> int:
    largest = max(float(np.abs(end).max()) for end in interval)
    for width in WIDTHS:
        if largest < 2.0**width * _UNIT - _UNIT:
            return width
    name = type(stage.layer).__name__
    raise MpcError(
        f"layer {number} ({name}) can reach {largest:.3g}, and 2^{WIDTHS[-1] - 16} is the most "
        f"that can be evaluated: a smaller update bound or smaller weights are needed"
    )
