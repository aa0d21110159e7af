"""The classes that shared models predict for shared rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from crypto.errors import MpcError
from crypto.field import F61
from crypto.fixedpoint import FRACTION_BITS
from crypto.kernels import Words
from crypto.mpc.activation import relu
from crypto.mpc.affine import affine
from crypto.mpc.asked import Asked, Mask
from crypto.mpc.compare import not_negative
from crypto.mpc.multiply import multiply, subtract
from crypto.mpc.network import (
    AveragePool,
    Conv,
    Layer,
    Linear,
    ReLU,
    Stage,
    check_layers,
    stages_of,
)
from crypto.mpc.session import Program, Session

__all__ = [
    "AveragePool",
    "Conv",
    "Layer",
    "Linear",
    "ReLU",
    "check_layers",
    "predictions",
]

Parameters = Sequence[tuple[Words, Words]]


def predictions(
    session: Session,
    layers: Sequence[Layer],
    parameters: Parameters,
    inputs: Words,
    bits: Sequence[int],
    tested: Mask | None = None,
) -> Program[Words]:
    """Degree-1 shares, (models, classes, rows), of one-hot predicted classes; nothing is opened.

    `parameters` are, for each layer that has any, weights (models, outputs, terms) and biases
    (models, outputs), `inputs` (inputs, rows), all degree-1 shares with 16 fractional bits. `bits`
    are those of `bounds.activation_bits`. `tested`, (models, rows), public, tells which model is
    asked about which row, else each about each; of what is not asked, all classes are zero. Logits
    are exact but for a unit of 2^-16 in each activation; of equal logits the first class is
    predicted, as numpy's argmax does.

    5 + ceil(log2(ceil(m / 4))) rounds for each batch of each ReLU, as many with m + 16 for the
    comparison of logits, ceil(log2(classes - 1)) for products. Raises UnsupportedLayer, and
    MpcError for other shapes.
    """
    stages = stages_of(layers)
    if not len(stages) == len(parameters) == len(bits):
        raise MpcError(
            f"expected parameters and bits of {len(stages)} layers, "
            f"got {len(parameters)} and {len(bits)}"
        )
    if session.field != F61:
        raise MpcError("expected the field of 2^61 - 1 elements")
    models, classes = len(parameters[0][0]), stages[-1].outputs
    asked = Asked(tested, models, inputs.shape[-1])
    if not asked.size:
        return np.zeros((models, classes, inputs.shape[-1]), dtype=np.uint64)
    # What all models see is split once, for all of them and all rows.
    values = asked.select(affine(stages[0], *parameters[0], inputs[None]))
    for before, stage, given, m in zip(stages, stages[1:], parameters[1:], bits, strict=False):
        values = yield from relu(session, values, m, before.shift)
        values = _next_sums(stage, *given, values, asked)
    logits = asked.columns(values, classes)
    return asked.spread((yield from arg_max(session, logits, FRACTION_BITS + bits[-1])))


def _next_sums(stage: Stage, weights: Words, biases: Words, values: Words, asked: Asked) -> Words:
    """The sums of a stage behind another one, flat as `values` are."""
    sums = np.empty(asked.size * stage.outputs, dtype=np.uint64)
    given, found = asked.parts(values, stage.layer.inputs), asked.parts(sums, stage.outputs)
    for (models, _), seen, place in zip(asked.groups, given, found, strict=True):
        affine(stage, weights[models], biases[models], seen, place)
    return sums


def arg_max(session: Session, values: Words, m: int) -> Program[Words]:
    """Degree-1 shares, shape as given, of which of values (..., classes, rows) is the greatest.

    Of equal ones the first counts. Values have degree 1 or 2 and differ by less than 2^m - 1.
    """
    classes = values.shape[-2]
    if classes == 2:
        differences = subtract(session, values[..., :1, :], values[..., 1:, :])
        wins = yield from not_negative(session, differences, m)
        both = np.empty(values.shape, dtype=np.uint64)
        both[..., :1, :] = wins
        both[..., 1:, :] = subtract(session, np.ones_like(wins), wins)
        return both
    first, second = (list(side) for side in zip(*combinations(range(classes), 2), strict=True))
    differences = subtract(session, values[..., first, :], values[..., second, :])
    wins = yield from not_negative(session, differences, m)
    losses = subtract(session, np.ones_like(wins), wins)
    pair = {(i, j): k for k, (i, j) in enumerate(combinations(range(classes), 2))}
    factors = []
    for step in range(1, classes):
        rivals = [(i, (i + step) % classes) for i in range(classes)]
        factors.append(
            np.stack(
                [
                    wins[..., pair[i, j], :] if i < j else losses[..., pair[j, i], :]
                    for i, j in rivals
                ],
                axis=-2,
            )
        )
    return (yield from _product(session, np.stack(factors)))


def _product(session: Session, factors: Words) -> Program[Words]:
    """The product over the first axis, in pairs: a round for each halving."""
    while len(factors) > 1:
        half = len(factors) // 2
        products = yield from multiply(
            session,
            np.ascontiguousarray(factors[:half]),
            np.ascontiguousarray(factors[half : 2 * half]),
        )
        factors = np.concatenate([products, factors[2 * half :]])
    product: Words = factors[0]
    return product
