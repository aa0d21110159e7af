"""What shared models predict on shared rows is what plaintext integers predict."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import MpcError
from crypto.field import Field
from crypto.mpc.affine import affine
from crypto.mpc.bounds import activation_bits
from crypto.mpc.layers import AveragePool, Conv, Layer, Linear, ReLU, arg_max, predictions
from crypto.mpc.network import Stage, stages_of
from crypto.mpc.session import Program, Session
from tests.crypto.mpc.plain import clear, encode, logits, one_hot, sums
from tests.crypto.mpc.trio import COMMITTEES, Trio

MLP = [Linear(10, 64), ReLU(), Linear(64, 32), ReLU(), Linear(32, 2)]


def cnn(size: int, classes: int) -> list[Layer]:
    return [
        Conv(1, 4, 3, size, size),
        AveragePool(),
        ReLU(),
        Conv(4, 6, 3, size // 2, size // 2),
        AveragePool(),
        ReLU(),
        Linear(6 * (size // 4) ** 2, classes),
    ]


def network(
    session: Session,
    *parts: Any,
    layers: Sequence[Layer],
    bits: Sequence[int],
    tested: Any = None,
) -> Program[Any]:
    *flat, inputs = parts
    parameters = list(zip(flat[::2], flat[1::2], strict=True))
    return (yield from predictions(session, layers, parameters, inputs, bits, tested))


def evaluate(
    trio: Trio,
    layers: Sequence[Layer],
    parameters: Any,
    inputs: Any,
    bits: Sequence[int],
    tested: Any = None,
) -> Any:
    """Predictions of integer models: parameters [(weights (models, ...), biases)]."""
    shared = [trio.share(array) for pair in parameters for array in pair]
    public = {"layers": layers, "bits": bits, "tested": tested}
    return trio.signed(trio.run(network, *shared, trio.share(inputs), **public))


def random_models(rng: Any, layers: Sequence[Layer], models: int, scale: float = 1.0) -> Any:
    """Reals [(weights (models, outputs, terms), biases (models, outputs))]."""
    found = []
    for stage in stages_of(layers):
        outputs, terms = stage.layer.weight_shape
        weights = rng.normal(size=(models, outputs, terms)) * scale / np.sqrt(terms)
        found.append((weights, rng.normal(size=(models, outputs)) * 0.1 * scale))
    return found


def check_models(
    layers: Sequence[Layer], models: Any, rows: Any, bits: Sequence[int], points: Any
) -> None:
    encoded = [(encode(weights), encode(biases)) for weights, biases in models]
    got = evaluate(Trio(points), layers, encoded, encode(rows), bits)
    wrong = 0
    for n, one in enumerate(got):
        values = logits(layers, [(w[n], b[n]) for w, b in encoded], encode(rows))
        wrong += int((one != one_hot(values))[:, clear(values)].sum())
        assert (one.sum(axis=0) == 1).all()
    assert wrong == 0


def proven_bits(layers: Sequence[Layer], models: Any, reach: float) -> tuple[int, ...]:
    """Widths for all models at once: each is some update away from the first."""
    flat = [np.concatenate([a.reshape(len(a), -1) for pair in models for a in pair], axis=1)]
    norm = float(np.linalg.norm(flat[0] - flat[0][:1], axis=1).max())
    return activation_bits(layers, [(w[0], b[0]) for w, b in models], norm, reach)


@settings(max_examples=60)
@given(
    points=st.sampled_from(COMMITTEES),
    widths=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    classes=st.integers(2, 5),
    models=st.integers(1, 5),
    rows=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_counts_of_random_models_equal_plaintext_inference(
    points: Any, widths: list[int], classes: int, models: int, rows: int, seed: int
) -> None:
    layers: list[Layer] = []
    for inputs, outputs in pairwise(widths):
        layers += [Linear(inputs, outputs), ReLU()]
    layers.append(Linear(widths[-1], classes))
    rng = np.random.default_rng(seed)
    # Small updates of one model, or the proof of a range asks for more than 38 bits.
    base = random_models(rng, layers, 1)
    change = random_models(rng, layers, models, 0.2)
    made = [(w + v, b + c) for (w, b), (v, c) in zip(base, change, strict=True)]
    x = rng.normal(size=(widths[0], rows)).clip(-3, 3)
    check_models(layers, made, x, proven_bits(layers, made, 3.0), points)


def test_the_mlp_on_hundreds_of_rows() -> None:
    rng = np.random.default_rng(0)
    models = random_models(rng, MLP, 8)
    check_models(MLP, models, rng.normal(size=(10, 256)).clip(-3, 3), (24, 24, 24), (1, 2, 4))


@pytest.mark.parametrize(("size", "classes", "models", "rows"), [(8, 2, 2, 33), (12, 10, 1, 16)])
def test_a_convolutional_network(size: int, classes: int, models: int, rows: int) -> None:
    rng = np.random.default_rng(size)
    layers = cnn(size, classes)
    made = random_models(rng, layers, models)
    check_models(layers, made, rng.uniform(0, 1, (size * size, rows)), (24, 24, 24), (2, 3, 4))


@settings(max_examples=30)
@given(
    layers=st.sampled_from([MLP, cnn(8, 2), cnn(8, 4), [Linear(10, 3)]]),
    tested=st.integers(1, 4).flatmap(
        lambda models: st.lists(
            st.lists(st.booleans(), min_size=7, max_size=7), min_size=models, max_size=models
        )
    ),
    seed=st.integers(0, 2**32),
)
def test_models_are_asked_about_the_rows_that_they_are_tested_on_alone(
    layers: list[Layer], tested: list[list[bool]], seed: int
) -> None:
    rng, mask = np.random.default_rng(seed), np.array(tested)
    first = stages_of(layers)[0].layer
    made = [(encode(w), encode(b)) for w, b in random_models(rng, layers, len(mask))]
    rows = encode(rng.uniform(0, 1, (first.inputs, mask.shape[1])))
    bits = (24,) * len(made)
    some, every = Trio(), Trio()
    got = evaluate(some, layers, made, rows, bits, mask)
    for n, one in enumerate(got):
        values = logits(layers, [(w[n], b[n]) for w, b in made], rows)
        counted = mask[n] & clear(values)
        assert np.array_equal(one[:, counted], one_hot(values)[:, counted])
        assert not one[:, ~mask[n]].any()
    evaluate(every, layers, made, rows, bits)
    if mask.all():
        assert some.traffic.bytes == every.traffic.bytes
    else:
        assert some.traffic.bytes < every.traffic.bytes


def test_a_mask_of_other_models_or_rows_is_refused() -> None:
    rng = np.random.default_rng(5)
    made = [(encode(w), encode(b)) for w, b in random_models(rng, MLP, 2)]
    rows = encode(rng.normal(size=(10, 4)))
    for shape in ((2, 5), (3, 4), (4, 2)):
        with pytest.raises(MpcError, match="mask"):
            evaluate(Trio(), MLP, made, rows, (24, 24, 24), np.ones(shape, dtype=np.bool_))


@pytest.mark.parametrize("direction", ["one weight", "all alike", "against the sign"])
def test_adversarial_weights_at_the_clipping_bound(direction: str) -> None:
    """An update of the full norm, put where it moves values most, stays within the proven range."""
    rng, bound = np.random.default_rng(1), 2.0
    base = random_models(rng, MLP, 1)
    rows = np.sign(rng.normal(size=(10, 64))) * 3.0
    update = [(np.zeros_like(w), np.zeros_like(b)) for w, b in base]
    if direction == "one weight":
        update[0][0][0, 0, 0] = bound
    elif direction == "all alike":
        update[2][0][0] = bound / np.sqrt(update[2][0][0].size)
    else:
        update[1][0][0] = -np.sign(base[1][0][0]) * bound / np.sqrt(update[1][0][0].size)
    models = [
        (np.concatenate([w, w + v]), np.concatenate([b, b + c]))
        for (w, b), (v, c) in zip(base, update, strict=True)
    ]
    bits = activation_bits(MLP, [(w[0], b[0]) for w, b in base], bound, 3.0)
    check_models(MLP, models, rows, bits, (1, 2, 3))


@pytest.mark.parametrize(
    "stage",
    [
        Stage(Linear(10, 7), pooled=False, activated=True),
        Stage(Linear(3, 1), pooled=False, activated=True),
        Stage(Conv(2, 3, 3, 6, 4), pooled=False, activated=True),
        Stage(Conv(2, 3, 3, 6, 4), pooled=True, activated=True),
        Stage(Conv(2, 3, 3, 6, 4, padding=0), pooled=False, activated=True),
        Stage(Conv(1, 3, 5, 6, 4, padding=2), pooled=True, activated=True),
        Stage(Conv(3, 2, 1, 4, 4, padding=0), pooled=False, activated=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("alike", [True, False], ids=["same inputs", "own inputs"])
def test_a_linear_layer_is_exact(stage: Stage, alike: bool) -> None:
    rng, (outputs, terms), rows = np.random.default_rng(2), stage.layer.weight_shape, 17
    weights = rng.integers(-(2**20), 2**20, (3, outputs, terms))
    biases = rng.integers(-(2**20), 2**20, (3, outputs))
    inputs = rng.integers(-(2**20), 2**20, (1 if alike else 3, stage.layer.inputs, rows))
    trio = Trio()
    shares = [trio.share(array) for array in (weights, biases, inputs)]
    got = trio.signed([affine(stage, *(part[k] for part in shares)) for k in range(3)], degree=2)
    for n in range(3):
        plain = sums(stage, weights[n], biases[n], inputs[0 if alike else n])
        assert np.array_equal(got[n], plain)


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 10])
def test_of_equal_logits_the_first_class_is_predicted(classes: int) -> None:
    rng = np.random.default_rng(classes)
    values = rng.integers(-2, 3, (2, classes, 200))
    values[0, :, 0] = 0
    trio = Trio()
    got = trio.values(trio.run(arg_max, trio.share(values, 2), m=34))
    for n in range(2):
        assert np.array_equal(got[n], one_hot(values[n]))


def test_rounds_do_not_depend_on_models_and_rows() -> None:
    rng, rounds = np.random.default_rng(3), set()
    for models, rows in ((1, 3), (4, 50)):
        trio = Trio()
        made = [(encode(w), encode(b)) for w, b in random_models(rng, MLP, models)]
        evaluate(trio, MLP, made, encode(rng.normal(size=(10, rows))), (24, 24, 24))
        rounds.add(trio.traffic.rounds)
    assert rounds == {25}


@pytest.mark.parametrize("change", ["weights", "biases", "inputs", "bits", "field"])
def test_what_does_not_fit_is_refused(change: str) -> None:
    layers = [Linear(3, 2)]
    field = Field(31) if change == "field" else Field(61)
    trio = Trio(field=field)
    shapes = {"weights": (1, 2, 3), "biases": (1, 2), "inputs": (3, 5)}
    if change in shapes:
        shapes[change] = (*shapes[change][:-1], 4)
        if change == "inputs":
            shapes[change] = (4, 5)
    parts = [trio.share(np.zeros(shape, dtype=int)) for shape in shapes.values()]
    bits = (24, 24) if change == "bits" else (24,)
    with pytest.raises(MpcError, match="expected"):
        trio.run(network, *parts, layers=layers, bits=bits)
