"""The same training without secret sharing: what the protocol costs in accuracy, if anything.

Plain FedAvg on real numbers with the plan's seeds, each round's norm bound and weights, and the
same hospitals accepted round by round; in a simulation its attackers attack here, too. It reads
every hospital's rows, which no party of a federation could do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crypto.fixedpoint import SCALE
from fl.attacks import HONEST, Behaviour, Scene
from fl.attacks.behaviour import Rows, Vector
from fl.clipping import clip
from fl.datasets import Statistics, Table, encode, local_sums, split
from fl.networks import Parameters, initial_parameters
from fl.plan import LARGEST_NORM_BOUND, Plan
from fl.strategies import plain_fedavg_round
from fl.training import evaluate, local_seed, local_update

Confusion = NDArray[np.int64]


@dataclass(frozen=True)
class PastRound:
    """A round as it went: the weights of the accepted, and the norm bound in units of 2^-16.

    Without weights the round kept its model; without a bound the plan's holds.
    """

    weights: Mapping[str, int]
    norm_bound: int | None = None


@dataclass(frozen=True, eq=False)
class _Replay:
    """What the rounds are trained again from: rows by hospital, and who attacks."""

    plan: Plan
    rows: Mapping[str, Rows]
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)

    def sent(self, name: str, number: int, parameters: Parameters, bound: float) -> Vector:
        """The difference that a hospital sent in a round, as it was before it was encoded."""
        behaviour = self.behaviours.get(name, HONEST)
        scene = self._scene(name, number, parameters, bound)
        rows = behaviour.rows(*self.rows[name], scene)
        return behaviour.sent_update(self._trained(name, number, parameters, rows), scene)

    def _trained(self, name: str, number: int, parameters: Parameters, rows: Rows) -> Vector:
        """A trained difference, not yet cut to the round's bound."""
        settings = replace(self.plan.local.in_round(number), norm_bound=LARGEST_NORM_BOUND)
        seed = local_seed(self.plan.seed, number, name)
        return local_update(self.plan.spec, parameters, *rows, settings, seed).delta

    def _scene(self, name: str, number: int, parameters: Parameters, bound: float) -> Scene:
        drawn = [hospital.name for hospital in self.plan.drawn(number)]

        def honest() -> dict[str, Vector]:
            others = [n for n in drawn if n not in self.behaviours]
            return {
                n: clip(self._trained(n, number, parameters, self.rows[n]), bound) for n in others
            }

        return Scene(
            spec=self.plan.spec,
            hospital=name,
            attackers=tuple(n for n in drawn if n in self.behaviours),
            hospitals=len(drawn),
            round=number,
            seed=self.plan.seed,
            norm_bound=bound,
            parameters=parameters,
            honest=honest,
        )


@dataclass(frozen=True, eq=False)
class Unshared:
    """A model that was trained in the clear, and the statistics that its inputs are scaled by."""

    parameters: Parameters
    statistics: Statistics


def train_unshared(
    plan: Plan,
    tables: Mapping[str, Table],
    summed: Collection[str],
    rounds: Sequence[PastRound],
    behaviours: Mapping[str, Behaviour] | None = None,
) -> Confusion:
    """The final model's confusion matrix, int64 (classes, classes), over all hospitals' test rows.

    The arguments are those of `train_model`.
    """
    model = train_model(plan, tables, summed, rounds, behaviours)
    total = np.zeros((plan.spec.classes, plan.spec.classes), dtype=np.int64)
    for table in tables.values():
        test = split(table, plan.split).test
        inputs = encode(plan.data, test.features, model.statistics)
        total += evaluate(plan.spec, model.parameters, inputs, test.labels)
    return total


def train_model(
    plan: Plan,
    tables: Mapping[str, Table],
    summed: Collection[str],
    rounds: Sequence[PastRound],
    behaviours: Mapping[str, Behaviour] | None = None,
) -> Unshared:
    """The model after all rounds.

    `summed` are the hospitals in the statistics, `rounds` how round 1, 2, ... went, `behaviours`
    what the attackers do.
    """
    task = plan.data
    parts = {name: split(table, plan.split) for name, table in tables.items()}
    sums = [local_sums(task, parts[name].train.features) for name in summed]
    statistics = Statistics.from_sums(task, np.sum(sums, axis=0))
    rows = {
        name: (encode(task, part.learned.features, statistics), part.learned.labels)
        for name, part in parts.items()
    }
    replay = _Replay(plan, rows, behaviours or {})
    parameters = initial_parameters(plan.spec, plan.seed)
    for number, past in enumerate(rounds, start=1):
        if not past.weights:
            continue
        bound = past.norm_bound / SCALE if past.norm_bound else plan.local.norm_bound
        deltas = [replay.sent(name, number, parameters, bound) for name in past.weights]
        parameters = plain_fedavg_round(plan.spec, parameters, deltas, list(past.weights.values()))
    return Unshared(parameters, statistics)
