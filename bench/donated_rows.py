"""What the number of donated rows changes in the verdicts where there are more than two classes:
`python -m bench.donated_rows [--seeds N] [--rounds N] [--rows N ...]`.

Trainings of the CNN on scikit-learn's digits as ten classes, four hospitals, as the review judges
them (`fl.experiments.simulation`: its integers, in plaintext), without an attack and with one
hospital of four that attacks. Prints for each number of rows that a hospital donates of a class at
most, over all seeds and rounds: how many classes judge, the share of each attack's updates that
are rejected, of honest ones beside them and without an attack, and balanced accuracy at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Literal

from bench.image_round import HOSPITALS, digits, task_of
from fl.attacks import ATTACKS
from fl.datasets import Partition, SplitRule, Task
from fl.experiments.federations import default_federation
from fl.experiments.plaintext_review import Review
from fl.experiments.poisoning import Run, measure
from fl.experiments.simulation import Case, Outcome, simulate

ATTACKED = ("label-flip", "targeted-flip", "model-replacement", "sign-flip", "random-weights")
DEALT: dict[str, Literal["iid", "dirichlet"]] = {"evenly": "iid", "Dirichlet(1)": "dirichlet"}
COLUMNS = ("rows", "classes", *ATTACKED, "honest", "honest alone", "balanced alone", "balanced")


@dataclass(frozen=True, eq=False)
class Found:
    """The trainings of one way to deal the rows and one number of donated ones."""

    alone: list[Run]
    attacked: dict[str, list[Run]]
    classes: list[int]

    def cells(self) -> list[str]:
        """The figures of its row of the table, in the order of `COLUMNS`."""
        everybody = [run for runs in self.attacked.values() for run in runs]
        shares = [
            *(_share([run.poisoned for run in self.attacked[attack]]) for attack in ATTACKED),
            _share([run.honest for run in everybody]),
            _share([run.honest for run in self.alone]),
            mean(run.balanced for run in self.alone),
            mean(run.balanced for run in everybody),
        ]
        return [f"{mean(self.classes):.1f}", *(f"{share:.1%}" for share in shares)]


def find(
    task: Task, kind: Literal["iid", "dirichlet"], rows: int, seeds: Sequence[int], rounds: int
) -> Found:
    """Train each seed without an attack and under each, its attacker another with each seed."""
    cases = []
    for seed in seeds:
        tables = task.load(Partition(kind, HOSPITALS, 1.0, seed))
        given = default_federation(task, tables, seed, rounds, SplitRule(donated_rows=rows))
        attacker = given.names[seed % HOSPITALS]
        cases.append(Case(given, {}, Review()))
        cases += [Case(given, {attacker: ATTACKS[a].behaviour}, Review()) for a in ATTACKED]
    outcomes = simulate(cases)
    runs = [measure(one) for one in outcomes]
    kinds = 1 + len(ATTACKED)  # of each seed, in this order
    return Found(
        runs[::kinds],
        {attack: runs[place::kinds] for place, attack in enumerate(ATTACKED, start=1)},
        [classes for one in outcomes for classes in _classes(one)],
    )


def _classes(outcome: Outcome) -> list[int]:
    return [len(one.judgement.classes) for one in outcome.rounds if one.judgement is not None]


def _share(counted: Sequence[tuple[int, int]]) -> float:
    return sum(out for out, _ in counted) / sum(sent for _, sent in counted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 8, 4, 2])
    args = parser.parse_args()
    task = task_of("digits", tuple("0123456789"), partial(digits, lambda digit: digit))
    print(f"{'dealt':<13}" + "".join(f"{title:>19}" for title in COLUMNS))
    for title, kind in DEALT.items():
        for rows in args.rows:
            cells = [str(rows), *find(task, kind, rows, range(args.seeds), args.rounds).cells()]
            print(f"{title:<13}" + "".join(f"{cell:>19}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
