"""What rounding updates to 2^-16 does to a model: `python -m bench.rounding [--seeds N]`.

Sharing rounds each entry of an update to a multiple of 2^-16. Plain FedAvg with the tasks'
defaults, with and without that rounding, paired by seed: the difference in accuracy on all
hospitals' test rows, in points, its mean with a 95 % interval, the least and the greatest. A
single training says little: a rounded model takes other local steps soon, and after some rounds it
is as far from the other one as with another seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from statistics import mean, stdev

import numpy as np

from bench.class_weights import CASES, plan_of
from crypto.fixedpoint import SCALE
from fl.attacks import Behaviour, Scene
from fl.attacks.behaviour import Vector
from fl.experiments.unshared import PastRound, train_unshared
from fl.plan import Plan
from fl.training import accuracy


class Rounded(Behaviour):
    """An honest hospital whose update is rounded as it would be to be shared."""

    def sent_update(self, trained: Vector, scene: Scene) -> Vector:
        """The difference, in multiples of 1 / SCALE."""
        rounded: Vector = np.rint(super().sent_update(trained, scene) * SCALE) / SCALE
        return rounded


def run(plan: Plan, behaviours: Mapping[str, Behaviour]) -> float:
    """The accuracy of one training, in percent."""
    tables = plan.data.load(plan.partition)
    past = PastRound({name: len(table) for name, table in tables.items()})
    rounds = [past] * plan.rounds
    return 100 * accuracy(train_unshared(plan, tables, list(tables), rounds, behaviours))


def difference(plan: Plan) -> float:
    """What rounding changes in the accuracy of one training, in points."""
    rounded = {hospital.name: Rounded() for hospital in plan.hospitals}
    return run(plan, rounded) - run(plan, {})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    print(f"{'':<38} {'mean':>14} {'least':>7} {'greatest':>9}   n = {seeds} seeds")
    for title, name, partition in CASES:
        plan = plan_of(name, partition, True, 0)
        found = [difference(replace(plan, seed=seed)) for seed in range(seeds)]
        spread = 1.96 * stdev(found) / seeds**0.5
        told = f"{mean(found):+.1f} ± {spread:.1f}"
        print(f"{title:<38} {told:>14} {min(found):>+7.1f} {max(found):>+9.1f}")


if __name__ == "__main__":
    main()
