"""Linear layers and convolutions on shares: local, the result of degree 2.

Weights, biases and inputs have 16 fractional bits, sums of products 32. Average pooling over 2 x 2
windows is folded into the convolution before it: the windows of its inputs are summed (not
averaged) first and the convolution takes every second place, so a quarter of the products remains
and the result has 2 more fractional bits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from crypto.errors import MpcError
from crypto.kernels import Words
from crypto.mpc.kernels import matrix
from crypto.mpc.kernels.matrix import Halves, Indices
from crypto.mpc.network import Conv, Linear, Stage

# Rows are padded so that the compiled loop has no remainder.
_LANES = 16


def affine(
    stage: Stage, weights: Words, biases: Words, inputs: Words, into: Words | None = None
) -> Words:
    """A party's degree-2 shares, (models, outputs, rows), of the stage's sums.

    weights (models, outputs, terms) and biases (models, outputs) are degree-1 shares with 16
    fractional bits, inputs (1 or models, inputs, rows) likewise; the result has 16 more than
    `stage.shift`. It is written over `into`, where that is given, contiguous and of its shape.
    Raises MpcError for other shapes.
    """
    _check_shapes(stage, weights, biases, inputs)
    models, outputs, _ = weights.shape
    index = _padded_gather(stage.layer, stage.pooled)
    # Models that see the same inputs are one model with more outputs.
    together = models if inputs.shape[0] == 1 else 1
    shape = models // together, together * outputs
    size = *shape, index.shape[0], inputs.shape[2]
    out = np.empty(size, dtype=np.uint64) if into is None else into.reshape(size)
    matrix.gathered_products(
        *_weight_halves(weights.reshape(*shape, -1), index.shape[1]),
        np.ascontiguousarray(biases).reshape(shape),
        stage.shift,
        *_input_halves(stage, np.ascontiguousarray(inputs)),
        index,
        out,
    )
    return out.reshape(models, -1, inputs.shape[2])


def _check_shapes(stage: Stage, weights: Words, biases: Words, inputs: Words) -> None:
    models, shape = weights.shape[0], stage.layer.weight_shape
    if weights.shape[1:] != shape or biases.shape != (models, shape[0]):
        raise MpcError(f"expected weights of {shape}, got {weights.shape} and {biases.shape}")
    if inputs.shape[0] not in (1, models) or inputs.shape[1] != stage.layer.inputs:
        raise MpcError(f"expected {stage.layer.inputs} inputs, got shape {inputs.shape}")


def _weight_halves(weights: Words, terms: int) -> tuple[Halves, Halves]:
    models, outputs, _ = weights.shape
    high, low = np.empty((2, models, outputs + outputs % 2, terms), dtype=np.int32)
    matrix.split_weights(np.ascontiguousarray(weights), high, low)
    return high, low


def _input_halves(stage: Stage, inputs: Words) -> tuple[Halves, Halves]:
    """Halves, (1 or models, places, padded rows), of what `gather` points to."""
    layer, (models, _, rows) = stage.layer, inputs.shape
    padded = -(-rows // _LANES) * _LANES
    high, low = np.empty((2, models, _places(layer, stage.pooled), padded), dtype=np.int32)
    if not (stage.pooled and isinstance(layer, Conv)):
        matrix.split_rows(inputs, high, low)
        return high, low
    for n in range(models):
        images = inputs[n].reshape(layer.channels_in, layer.height, layer.width, rows)
        shape = layer.channels_in, -1, padded
        matrix.split_box_sums(images, layer.padding, high[n].reshape(shape), low[n].reshape(shape))
    return high, low


def _places(layer: Linear | Conv, pooled: bool) -> int:
    """How many rows `_input_halves` has a model; without pooling, the last one is zero."""
    if not pooled or isinstance(layer, Linear):
        return layer.inputs + 1
    tall, wide = _window_grid(layer)
    return layer.channels_in * tall * wide


@lru_cache(maxsize=64)
def _padded_gather(layer: Linear | Conv, pooled: bool) -> Indices:
    """`gather`, the terms padded to a multiple of four; the padding has weights of zero."""
    index = gather(layer, pooled)
    return np.ascontiguousarray(np.pad(index, ((0, 0), (0, -index.shape[1] % 4))))


@lru_cache(maxsize=64)
def gather(layer: Linear | Conv, pooled: bool) -> Indices:
    """Which input each term of each place of the output multiplies, (places, terms).

    Zeros around an image have the index after the last input. With pooling, inputs are the windows
    of the padded image, (channels, height + 2 padding - 1, width + 2 padding - 1).
    """
    if isinstance(layer, Linear):
        return np.arange(layer.inputs, dtype=np.int64)[None]
    if pooled:
        tall, wide = _window_grid(layer)
        grid = np.arange(layer.channels_in * tall * wide).reshape(layer.channels_in, tall, wide)
        places = _kernel_places(layer, grid)[::2, ::2]
    else:
        around = ((0, 0), (layer.padding,) * 2, (layer.padding,) * 2)
        grid = np.arange(layer.inputs).reshape(layer.channels_in, layer.height, layer.width)
        places = _kernel_places(layer, np.pad(grid, around, constant_values=layer.inputs))
    return np.ascontiguousarray(places.reshape(-1, layer.weight_shape[1]))


def _window_grid(layer: Conv) -> tuple[int, int]:
    """Places of 2 x 2 windows in the padded image, down and across."""
    more = 2 * layer.padding - 1
    return layer.height + more, layer.width + more


def _kernel_places(layer: Conv, grid: Indices) -> Indices:
    """Views (rows, columns, channels, kernel, kernel) of `grid`, (channels, rows, columns)."""
    size = (layer.kernel, layer.kernel)
    views = np.lib.stride_tricks.sliding_window_view(grid, size, axis=(1, 2))
    return views.transpose(1, 2, 0, 3, 4)
