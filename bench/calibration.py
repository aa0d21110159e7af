"""Whether calibration helps on rows that it was not fitted to: `python -m bench.calibration`.

Plain FedAvg with the tasks' defaults, five and fifteen rounds, over seeds: the mean of the expected
calibration error (ten groups) and of the Brier score, of the model's own scores and of calibrated
ones, on all hospitals' test rows by five-fold cross-validation (`fl.calibration.held_out`). Sharing
changes scores as little as another seed does (`bench.rounding`), so nothing is shared here.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from bench.class_weights import CASES, plan_of
from fl.calibration import HeldOut, held_out
from fl.datasets import encode, split
from fl.evaluation import score_counts
from fl.experiments.unshared import PastRound, train_model
from fl.plan import Plan
from fl.training import probabilities

ROUNDS = (5, 15)


def scores_of(plan: Plan) -> NDArray[np.int64]:
    """The final model's scores on all hospitals' test rows, (2, BINS)."""
    tables = plan.data.load(plan.partition)
    past = PastRound({name: len(table) for name, table in tables.items()})
    model = train_model(plan, tables, list(tables), [past] * plan.rounds)
    total = np.zeros((), dtype=np.int64)
    for table in tables.values():
        test = split(table, plan.split).test
        inputs = encode(plan.data, test.features, model.statistics)
        found = probabilities(plan.spec, model.parameters, inputs)[:, 1]
        total = total + score_counts(found, test.labels)
    return total


def measure(plan: Plan, seeds: int) -> list[HeldOut]:
    """The errors of a training of each seed; Raises ValueError where there are too few rows."""
    found = [held_out(scores_of(replace(plan, seed=seed))) for seed in range(seeds)]
    judged = [one for one in found if one is not None]
    if len(judged) < seeds:
        raise ValueError("a seed left too few rows of a class")
    return judged


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    print(f"{'':<36} {'rounds':>6} {'rows':>5} {'calibration error':>19} {'Brier score':>17}")
    for title, name, partition in CASES:
        for rounds in ROUNDS:
            found = measure(replace(plan_of(name, partition, True, 0), rounds=rounds), seeds)
            columns = [
                f"{mean(getattr(one.before, key) for one in found):.3f} -> "
                f"{mean(getattr(one.after, key) for one in found):.3f}"
                for key in ("expected", "brier")
            ]
            rows = found[0].rows
            print(f"{title:<36} {rounds:>6} {rows:>5} {columns[0]:>19} {columns[1]:>17}")


if __name__ == "__main__":
    main()
