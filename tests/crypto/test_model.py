"""Models have one form: equal ones equal bytes, and whatever is not in that form is refused."""

from __future__ import annotations

from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crypto.digest import MODEL_LABEL, load_model, model_bytes
from crypto.errors import EncodingError

tensors = st.dictionaries(
    st.text(max_size=8),
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    max_size=3,
)


def model() -> dict[str, Any]:
    return {
        "layer.weight": np.array([[1.0, -0.5, 0.0], [3.0, 2.5, -1.0]], dtype=np.float32),
        "layer.bias": np.array([0.25, 0.0], dtype=np.float32),
    }


def test_model_bytes_are_laid_out_as_documented() -> None:
    network = model()
    expected = [
        "consilium/model/v1",
        "mlp",
        ["layer.weight", [2, 3], network["layer.weight"].astype("<f4").tobytes()],
        ["layer.bias", [2], network["layer.bias"].astype("<f4").tobytes()],
    ]
    assert cbor2.loads(model_bytes("mlp", network)) == expected


@given(network=st.text(max_size=8), given_tensors=tensors)
def test_a_model_comes_back_bit_for_bit(network: str, given_tensors: dict[str, Any]) -> None:
    data = model_bytes(network, given_tensors)
    name, loaded = load_model(data)
    assert name == network
    assert list(loaded) == list(given_tensors)
    for key, tensor in given_tensors.items():
        assert loaded[key].dtype == np.float32
        assert loaded[key].shape == tensor.shape
        assert loaded[key].tobytes() == np.ascontiguousarray(tensor).tobytes()
    assert model_bytes(name, loaded) == data


def test_equal_models_have_equal_bytes_however_they_lie_in_memory() -> None:
    network = model()
    turned = {name: np.asfortranarray(tensor) for name, tensor in network.items()}
    strided = {name: np.repeat(tensor, 2, axis=0)[::2] for name, tensor in network.items()}
    assert model_bytes("mlp", turned) == model_bytes("mlp", network)
    assert model_bytes("mlp", strided) == model_bytes("mlp", network)


def test_models_that_differ_in_anything_have_other_bytes() -> None:
    network = model()
    weight, bias = network["layer.weight"], network["layer.bias"]
    variants = [
        model_bytes("mlp", network),
        model_bytes("cnn", network),
        model_bytes("mlp", {"layer.bias": bias, "layer.weight": weight}),
        model_bytes("mlp", {"layer.weight": weight.T, "layer.bias": bias}),
        model_bytes("mlp", {"layer.weight": weight.reshape(3, 2), "layer.bias": bias}),
        model_bytes("mlp", {"layer.weights": weight, "layer.bias": bias}),
        model_bytes("mlp", {"layer.weight": np.nextafter(weight, 9), "layer.bias": bias}),
        model_bytes("mlp", {"layer.weight": weight}),
    ]
    assert len(set(variants)) == len(variants)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_is_not_finite_has_no_bytes(value: float) -> None:
    network = model()
    network["layer.bias"][1] = value
    with pytest.raises(EncodingError, match=r"finite values in layer\.bias"):
        model_bytes("mlp", network)


@pytest.mark.parametrize("kind", ["float64", "float16", ">f4", "int32"])
def test_a_model_of_another_type_has_no_bytes(kind: str) -> None:
    with pytest.raises(EncodingError, match=r"expected float32 for layer\.bias"):
        model_bytes("mlp", {"layer.bias": model()["layer.bias"].astype(kind)})


def encoded(*items: Any) -> bytes:
    return cbor2.dumps(list(items), canonical=True)


NAN = np.array([np.nan], dtype="<f4").tobytes()
NO_MODELS = {
    "empty": b"",
    "a number": b"\x01",
    "no items": encoded(),
    "label alone": encoded(MODEL_LABEL),
    "another label": encoded("consilium/model/v2", "mlp"),
    "a network that is no name": encoded(MODEL_LABEL, 5),
    "a network that is no value": encoded(MODEL_LABEL, cbor2.undefined),
    "a map": cbor2.dumps({MODEL_LABEL: 1, "mlp": 2}, canonical=True),
    "a tensor that is no list": encoded(MODEL_LABEL, "mlp", 5),
    "a tensor of two parts": encoded(MODEL_LABEL, "mlp", ["w", [1]]),
    "a name that is a number": encoded(MODEL_LABEL, "mlp", [5, [1], bytes(4)]),
    "one name twice": encoded(MODEL_LABEL, "mlp", ["w", [1], bytes(4)], ["w", [1], bytes(4)]),
    "a shape that is a number": encoded(MODEL_LABEL, "mlp", ["w", 1, bytes(4)]),
    "a shape to be guessed": encoded(MODEL_LABEL, "mlp", ["w", [-1], bytes(4)]),
    "a shape of truth values": encoded(MODEL_LABEL, "mlp", ["w", [True], bytes(4)]),
    "a shape of floats": encoded(MODEL_LABEL, "mlp", ["w", [1.0], bytes(4)]),
    "a shape beyond memory": encoded(MODEL_LABEL, "mlp", ["w", [2**70], bytes(4)]),
    "too few data": encoded(MODEL_LABEL, "mlp", ["w", [2], bytes(4)]),
    "half a value": encoded(MODEL_LABEL, "mlp", ["w", [1], bytes(6)]),
    "data as text": encoded(MODEL_LABEL, "mlp", ["w", [1], "abcd"]),
    "NaN": encoded(MODEL_LABEL, "mlp", ["w", [1], NAN]),
    "a byte too many": encoded(MODEL_LABEL, "mlp") + b"\x00",
}


@pytest.mark.parametrize("data", NO_MODELS.values(), ids=NO_MODELS)
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match="expected"):
        load_model(data)


@given(data=st.binary(max_size=60))
def test_random_bytes_are_no_model(data: bytes) -> None:
    with pytest.raises(EncodingError):
        load_model(data)


@given(at=st.integers(0), flip=st.integers(1, 255))
def test_an_altered_model_is_refused_or_another_model(at: int, flip: int) -> None:
    data = bytearray(model_bytes("mlp", model()))
    data[at % len(data)] ^= flip
    try:
        name, loaded = load_model(bytes(data))
    except EncodingError:
        return
    assert model_bytes(name, loaded) == bytes(data) != model_bytes("mlp", model())
