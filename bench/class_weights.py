"""What class-weighted local loss costs and gives: `python -m bench.class_weights [--seeds N]`.

Plain FedAvg with the tasks' defaults, with and without class weights, paired by seed: mean and
standard deviation over the seeds of accuracy and balanced accuracy on all hospitals' test rows.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from statistics import mean, stdev

from fl.datasets import Partition, SplitRule, get_task
from fl.experiments.unshared import PastRound, train_unshared
from fl.plan import Member, Plan
from fl.training import LocalSettings, accuracy, balanced_accuracy

CASES = (
    ("heart, its four hospitals", "heart", Partition()),
    ("diabetes, 4 hospitals, Dirichlet(1)", "diabetes", Partition("dirichlet", 4, 1.0, 7)),
    ("diabetes, 8 hospitals, Dirichlet(1)", "diabetes", Partition("dirichlet", 8, 1.0, 7)),
)


def plan_of(name: str, partition: Partition, weighted: bool, seed: int) -> Plan:
    """A plan with the task's defaults; its parties have names only, nobody signs anything."""
    task = get_task(name)
    d = task.defaults
    hospitals = tuple(Member(hospital, hospital, "") for hospital in task.load(partition))
    nodes = tuple(Member(f"Node {i}", f"Node {i}", "") for i in range(1, 5))
    local = LocalSettings(d.local_epochs, d.batch_size, d.learning_rate, d.norm_bound, weighted)
    return Plan(name, partition, SplitRule(), d.network, d.rounds, local, seed, hospitals, nodes)


def measure(plan: Plan) -> tuple[float, float]:
    """Accuracy and balanced accuracy of one training, in percent."""
    tables = plan.data.load(plan.partition)
    # Sample counts as weights; the cap of the protocol changes nothing that is compared here.
    past = PastRound({name: len(table) for name, table in tables.items()})
    confusion = train_unshared(plan, tables, list(tables), [past] * plan.rounds)
    return 100 * accuracy(confusion), 100 * balanced_accuracy(confusion)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    print(f"{'':<38} {'weights':<8} {'accuracy':>14} {'balanced':>14}   n = {seeds} seeds")
    for title, name, partition in CASES:
        for weighted in (True, False):
            plan = plan_of(name, partition, weighted, 0)
            runs = [measure(replace(plan, seed=seed)) for seed in range(seeds)]
            columns = [f"{mean(c):5.1f} ± {stdev(c):3.1f} %" for c in zip(*runs, strict=True)]
            print(f"{title:<38} {'on' if weighted else 'off':<8} {columns[0]:>14} {columns[1]:>14}")


if __name__ == "__main__":
    main()
