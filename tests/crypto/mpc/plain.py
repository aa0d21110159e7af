"""Networks in plaintext integers: what a shared evaluation must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from crypto.mpc.network import Conv, Layer, Stage, stages_of

SCALE = 1 << 16


def encode(values: Any) -> Any:
    return np.rint(np.asarray(values, dtype=np.float64) * SCALE).astype(np.int64)


def sums(stage: Stage, weights: Any, biases: Any, inputs: Any) -> Any:
    """Integer sums, (outputs, rows), with `stage.shift` more fractional bits than their terms.

    torch computes convolution and pooling, in float64: exact below 2^53.
    """
    layer = stage.layer
    if not isinstance(layer, Conv):
        return weights @ inputs + (biases << 16)[:, None]
    images = torch.tensor(inputs.T.astype(np.float64))
    images = images.reshape(-1, layer.channels_in, layer.height, layer.width)
    kernels = torch.tensor(weights.astype(np.float64)).reshape(
        layer.channels_out, layer.channels_in, layer.kernel, layer.kernel
    )
    result = torch.nn.functional.conv2d(
        images, kernels, torch.tensor(biases.astype(np.float64)) * SCALE, padding=layer.padding
    )
    if stage.pooled:
        result = torch.nn.functional.avg_pool2d(result, 2) * 4
    return result.reshape(inputs.shape[1], -1).numpy().T.astype(np.int64)


def stage_values(layers: Sequence[Layer], parameters: Any, inputs: Any) -> list[Any]:
    """The sums of every stage."""
    found = []
    for stage, (weights, biases) in zip(stages_of(layers), parameters, strict=True):
        found.append(sums(stage, weights, biases, inputs))
        inputs = np.maximum(found[-1], 0) >> stage.shift
    return found


def logits(layers: Sequence[Layer], parameters: Any, inputs: Any) -> Any:
    return stage_values(layers, parameters, inputs)[-1]


def one_hot(values: Any) -> Any:
    return (np.arange(len(values))[:, None] == values.argmax(axis=0)).astype(np.int64)


def clear(values: Any) -> Any:
    """Rows whose two leading logits differ by 2^-9 or more."""
    ordered = np.sort(values, axis=0)
    return ordered[-1] - ordered[-2] >= 1 << 23
