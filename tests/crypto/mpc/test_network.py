"""The layer table: what can be evaluated on shares, and what is refused by name."""

from __future__ import annotations

import pytest

from crypto.errors import UnsupportedLayer
from crypto.mpc.layers import AveragePool, Conv, Linear, ReLU, check_layers
from crypto.mpc.network import stages_of

CONV = Conv(1, 2, 3, 8, 8)
LAST = Linear(2 * 16, 2)


@pytest.mark.parametrize(
    "layers",
    [
        [Linear(3, 2)],
        [Linear(3, 4), ReLU(), Linear(4, 2)],
        [CONV, ReLU(), Linear(2 * 64, 2)],
        [CONV, AveragePool(), ReLU(), LAST],
        [Conv(1, 2, 5, 8, 8, padding=0), ReLU(), LAST],
    ],
)
def test_networks_that_can_be_evaluated(layers: list[object]) -> None:
    check_layers(layers)


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ([CONV, "max-pool", ReLU(), LAST], "max-pool"),
        ([Linear(3, 4), "batch-norm", ReLU(), Linear(4, 2)], "batch-norm"),
        ([Linear(3, 4), "sigmoid", Linear(4, 2)], "sigmoid"),
        ([Linear(3, 4), object(), Linear(4, 2)], "object"),
        ([Linear(3, 4), Linear(4, 2)], "Linear"),
        ([Linear(3, 4), ReLU(), Linear(5, 2)], "Linear"),
        ([Linear(3, 4), ReLU(), ReLU(), Linear(4, 2)], "ReLU"),
        ([ReLU(), Linear(4, 2)], "ReLU"),
        ([AveragePool()], "AveragePool"),
        ([Linear(3, 4), AveragePool(), ReLU(), Linear(1, 2)], "AveragePool"),
        ([CONV, ReLU(), AveragePool(), LAST], "AveragePool"),
        ([CONV, AveragePool(), AveragePool(), ReLU(), LAST], "AveragePool"),
        ([Conv(1, 2, 3, 7, 8), AveragePool(), ReLU(), LAST], "AveragePool"),
        ([Conv(1, 2, 3, 8, 8, padding=0), AveragePool(), ReLU(), LAST], "AveragePool"),
        ([Conv(1, 2, 9, 6, 6), ReLU(), LAST], "Conv"),
        ([Conv(1, 2, 3, 6, 6, padding=-1), ReLU(), LAST], "Conv"),
        ([Conv(0, 2, 3, 6, 6), ReLU(), LAST], "Conv"),
        ([Linear(3, 1)], "Linear"),
        ([Linear(3, 2), ReLU()], "network"),
        ([CONV], "network"),
        ([], "network"),
    ],
)
def test_others_are_refused_by_name(layers: list[object], name: str) -> None:
    with pytest.raises(UnsupportedLayer, match="cannot be evaluated on shares") as caught:
        check_layers(layers)
    assert caught.value.name == name


def test_pooling_is_folded_into_the_convolution() -> None:
    first, last = stages_of([CONV, AveragePool(), ReLU(), LAST])
    assert (first.pooled, first.activated, first.shift, first.outputs) == (True, True, 18, 32)
    assert (last.pooled, last.activated, last.shift, last.outputs) == (False, False, 16, 2)
