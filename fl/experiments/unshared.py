"""The same training without secret sharing: what the protocol costs in accuracy, if anything.

Plain FedAvg on real numbers with the plan's seeds, clip and weights, and the same hospitals
accepted round by round. It reads every hospital's rows, which no party of a federation could do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fl.datasets import Statistics, Table, encode, local_sums, split
from fl.networks import Parameters, initial_parameters
from fl.plan import Plan
from fl.strategies import plain_fedavg_round
from fl.training import evaluate, local_seed, local_update

Confusion = NDArray[np.int64]


def train_unshared(
    plan: Plan, tables: Mapping[str, Table], weights: Sequence[Mapping[str, int]]
) -> Confusion:
    """The final model's confusion matrix, int64 (classes, classes), over all hospitals' test rows.

    `weights[r]` maps the hospitals accepted in round r to their weights; entry 0 is the statistics.
    """
    task = plan.data
    parts = {name: split(table, plan.split) for name, table in tables.items()}
    sums = [local_sums(task, parts[name].train.features) for name in weights[0]]
    statistics = Statistics.from_sums(task, np.sum(sums, axis=0))
    inputs = {name: encode(task, part.train.features, statistics) for name, part in parts.items()}
    parameters = initial_parameters(plan.spec, plan.seed)
    for number, accepted in enumerate(weights[1:], start=1):
        deltas = []
        for name in accepted:
            seed = local_seed(plan.seed, number, name)
            labels = parts[name].train.labels
            update = local_update(plan.spec, parameters, inputs[name], labels, plan.local, seed)
            deltas.append(update.delta)
        parameters = plain_fedavg_round(plan.spec, parameters, deltas, list(accepted.values()))
    return _test(plan, parameters, {name: part.test for name, part in parts.items()}, statistics)


def _test(
    plan: Plan, parameters: Parameters, tests: Mapping[str, Table], statistics: Statistics
) -> Confusion:
    total = np.zeros((plan.spec.classes, plan.spec.classes), dtype=np.int64)
    for test in tests.values():
        inputs = encode(plan.data, test.features, statistics)
        total += evaluate(plan.spec, parameters, inputs, test.labels)
    return total
