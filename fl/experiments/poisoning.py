"""Poisoned updates: what each attack does to each defence, over paired seeds.

Every seed gives all cases the same hospitals, the same initial model and the same order of rows, so
that differences between two defences are differences between pairs. Where one hospital of four
attacks, each of them does in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from fl.attacks import ATTACKS, HONEST
from fl.attacks.data import TARGET_CLASS, stamp
from fl.batched import batched_predictions
from fl.datasets import Partition, get_task
from fl.defences import DEFENCES, Defence
from fl.experiments.federations import Federation, default_federation
from fl.experiments.plaintext_review import Review
from fl.experiments.simulation import Case, Outcome, RoundResult, Unbounded, simulate
from fl.networks import NetworkSpec
from fl.training import accuracy, balanced_accuracy

NONE = "none"
REVIEW, FEDAVG, ORACLE = "review", "fedavg", "oracle"
MAIN_ATTACKS = ("label-flip", "targeted-flip", "model-replacement")
TAINTED = "tainted-slice"
COMPARED = (REVIEW, FEDAVG, ORACLE)
ALL_DEFENCES = (REVIEW, FEDAVG, *DEFENCES)
TITLES = {
    REVIEW: "Review",
    FEDAVG: "FedAvg",
    **{name: defence.title for name, defence in DEFENCES.items()},
}
ATTACKER_SEED = 0xA77AC4


@dataclass(frozen=True)
class Scenario:
    """A federation and how many of it attack; `in_turn`: every hospital once a seed.

    `metric` is what its tables compare: "accuracy" or "balanced" (balanced accuracy).
    """

    key: str
    title: str
    task: str
    hospitals: int
    attackers: int
    metric: Literal["accuracy", "balanced"]
    attacks: tuple[str, ...]
    defences: tuple[str, ...] = ALL_DEFENCES
    in_turn: bool = False
    rounds: int = 10

    def value(self, run: Run) -> float:
        """The metric of a run."""
        return run.accuracy if self.metric == "accuracy" else run.balanced


@dataclass(frozen=True, eq=False)
class Run:
    """One training's figures: shares from 0 to 1, and counts of updates over all rounds.

    `triggered` is the share of sick test rows that are called healthy once they carry the
    backdoor's trigger. `poisoned` and `honest` are (left out, sent), `flagged` slices of honest
    donors and of attackers, `kept` rounds without a new model.
    """

    accuracy: float
    balanced: float
    triggered: float
    poisoned: tuple[int, int] = (0, 0)
    honest: tuple[int, int] = (0, 0)
    flagged: tuple[int, int] = (0, 0)
    kept: int = 0


Key = tuple[str, str]  # attack, defence


@dataclass(eq=False)
class Results:
    """All runs of a scenario: by attack and defence, then by seed."""

    scenario: Scenario
    runs: dict[Key, dict[int, list[Run]]] = field(default_factory=dict)

    def by_seed(self, attack: str, defence: str, value: Callable[[Run], float]) -> list[float]:
        """The value's mean in each seed, in the seeds' order."""
        seeds = self.runs[attack, defence]
        return [float(np.mean([value(run) for run in runs])) for runs in seeds.values()]

    def paired(self, first: Key, second: Key, value: Callable[[Run], float]) -> list[float]:
        """The difference of two cases' values in each seed."""
        pairs = zip(self.by_seed(*first, value), self.by_seed(*second, value), strict=True)
        return [a - b for a, b in pairs]

    def ratio(self, attack: str, value: Callable[[Run], tuple[int, int]]) -> list[float]:
        """Of the review: counted of all, in each seed that has any."""
        ratios = []
        for runs in self.runs[attack, REVIEW].values():
            counted = sum(value(run)[0] for run in runs)
            total = sum(value(run)[1] for run in runs)
            if total:
                ratios.append(counted / total)
        return ratios


def run_scenario(
    scenario: Scenario, seeds: Sequence[int], progress: Callable[[str], None]
) -> Results:
    """Run all attacks of a scenario against all its defences; `progress` is told each attack."""
    federations = {seed: _federation(scenario, seed) for seed in seeds}
    results = Results(scenario)
    # The oracle leaves the attackers out, so what they would have sent makes no difference to it.
    oracles: dict[tuple[int, tuple[str, ...]], Run] = {}
    for attack in (NONE, *scenario.attacks):
        progress(f"{scenario.title}: {attack}")
        keys = [
            (defence, seed, group)
            for seed, federation in federations.items()
            for group in _groups(scenario, federation, seed, attack)
            for defence in scenario.defences
        ]
        new = [key for key in keys if key[0] != ORACLE or key[1:] not in oracles]
        cases = [_case(federations[seed], group, attack, d) for d, seed, group in new]
        found = dict(zip(new, map(measure, simulate(cases)), strict=True))
        oracles |= {key[1:]: run for key, run in found.items() if key[0] == ORACLE}
        for defence, seed, group in keys:
            run = oracles[seed, group] if defence == ORACLE else found[defence, seed, group]
            by_seed = results.runs.setdefault((attack, defence), {})
            by_seed.setdefault(seed, []).append(run)
    return results


def _federation(scenario: Scenario, seed: int) -> Federation:
    task = get_task(scenario.task)
    partition = None
    if not task.hospitals:
        partition = Partition("dirichlet", scenario.hospitals, task.partition.alpha, seed)
    return default_federation(task, task.load(partition), seed, scenario.rounds)


def _groups(
    scenario: Scenario, federation: Federation, seed: int, attack: str
) -> Iterator[tuple[str, ...]]:
    """Who attacks: nobody, each in turn, or a group drawn from the seed."""
    if attack == NONE:
        yield ()
    elif scenario.in_turn:
        yield from ((name,) for name in federation.names)
    else:
        generator = np.random.Generator(np.random.PCG64([ATTACKER_SEED, seed]))
        chosen = generator.choice(len(federation.names), scenario.attackers, replace=False)
        yield tuple(federation.names[index] for index in sorted(chosen.tolist()))


def _case(federation: Federation, group: Sequence[str], attack: str, defence: str) -> Case:
    behaviour = HONEST if attack == NONE else ATTACKS[attack].behaviour
    behaviours = dict.fromkeys(group, behaviour)
    known: Mapping[str, Review | Unbounded] = {REVIEW: Review(), FEDAVG: Unbounded()}
    against: Review | Unbounded | Defence = known.get(defence) or DEFENCES[defence]
    return Case(federation, behaviours, against)


def measure(outcome: Outcome) -> Run:
    """The figures of one simulated training, on the pooled test rows of all hospitals."""
    federation = outcome.case.federation
    features, labels = federation.test
    sick = labels != TARGET_CLASS
    rows = np.concatenate([features, stamp(features[sick])])
    found = batched_predictions(federation.spec, outcome.model[None], rows)[0]
    confusion = _confusion(federation.spec, labels, found[: len(labels)])
    triggered = float((found[len(labels) :] == TARGET_CLASS).mean())
    run = Run(accuracy(confusion), balanced_accuracy(confusion), triggered)
    return _counted(run, outcome) if isinstance(outcome.case.defence, Review) else run


def _confusion(
    spec: NetworkSpec, labels: np.ndarray, found: np.ndarray
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    confusion = np.zeros((spec.classes, spec.classes), dtype=np.int64)
    np.add.at(confusion, (labels, found), 1)
    return confusion


def _counted(run: Run, outcome: Outcome) -> Run:
    """The run with what the review did: who was left out, which slices were set aside."""
    names, rounds = outcome.case.federation.names, outcome.rounds
    attackers = set(outcome.case.attackers)
    honest = set(names) - attackers
    flagged = [names[i] for one in rounds if one.judgement for i in one.judgement.flagged]
    least = outcome.case.federation.least_accepted
    return replace(
        run,
        poisoned=_left_out(rounds, attackers),
        honest=_left_out(rounds, honest),
        flagged=(sum(n in honest for n in flagged), sum(n in attackers for n in flagged)),
        kept=sum(len(r.accepted) < least for r in rounds),
    )


def _left_out(rounds: Sequence[RoundResult], group: set[str]) -> tuple[int, int]:
    """Of the updates that the group sent, how many were left out, and all."""
    sent = [one.sent & group for one in rounds]
    out = (names - one.accepted for names, one in zip(sent, rounds, strict=True))
    return sum(map(len, out)), sum(map(len, sent))
