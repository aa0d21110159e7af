"""FedAvg: the global model moves by the mean of the hospitals' updates, weighted by samples.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-Efficient Learning of Deep Networks
from Decentralized Data", AISTATS 2017, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fl.errors import LayoutError, SettingsError
from fl.networks import NetworkSpec, Parameters
from fl.training import apply_update


def weighted_mean(
    deltas: Sequence[NDArray[np.float64]], weights: Sequence[int]
) -> NDArray[np.float64]:
    """Return sum_i w_i delta_i / sum_i w_i, float64 (parameters,).

    Raises SettingsError when there is no update, not one weight for each or a weight below 1, and
    LayoutError when the updates differ in length.
    """
    if not deltas or len(deltas) != len(weights) or min(weights) < 1:
        raise SettingsError(
            f"expected a weight from 1 for each update; got {len(deltas)} updates, "
            f"weights {list(weights)}"
        )
    if len({delta.shape for delta in deltas}) != 1:
        raise LayoutError(f"expected equal lengths; got {[delta.shape for delta in deltas]}")
    total = np.zeros_like(deltas[0], dtype=np.float64)
    for delta, weight in zip(deltas, weights, strict=True):
        total += weight * delta
    mean: NDArray[np.float64] = total / sum(weights)
    return mean


def plain_fedavg_round(
    spec: NetworkSpec,
    parameters: Mapping[str, NDArray[np.float32]],
    deltas: Sequence[NDArray[np.float64]],
    weights: Sequence[int],
) -> Parameters:
    """Return the global model after one round of FedAvg in the clear.

    Raises what ``weighted_mean`` and ``apply_update`` raise.
    """
    return apply_update(spec, parameters, weighted_mean(deltas, weights))
