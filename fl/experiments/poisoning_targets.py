"""What the poisoning experiment is measured by, and what the rule is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from fl.experiments.intervals import Interval, interval
from fl.experiments.poisoning import (
    FEDAVG,
    MAIN_ATTACKS,
    NONE,
    ORACLE,
    REVIEW,
    TAINTED,
    Results,
    Run,
    Scenario,
)


@dataclass(frozen=True)
class Target:
    """A measured figure beside what it should be."""

    text: str
    measured: str
    met: bool


def versus(results: Results, attack: str, other: str) -> Interval:
    """The review's metric less another defence's, paired by seed."""
    return interval(results.paired((attack, REVIEW), (attack, other), results.scenario.value))


def left_out(results: Results, attack: str, who: Callable[[Run], tuple[int, int]]) -> Interval:
    """The share of updates that the review left out."""
    return interval(results.ratio(attack, who) or [0.0])


def poisoned(run_: Run) -> tuple[int, int]:
    """Attackers' updates: left out, sent."""
    return run_.poisoned


def honest(run_: Run) -> tuple[int, int]:
    """Honest hospitals' updates: left out, sent."""
    return run_.honest


def targets_of(results: Results) -> list[Target]:
    """What the rule is held to, each at its worst among flips and replacement."""
    attacks = [attack for attack in MAIN_ATTACKS if attack in results.scenario.attacks]
    if results.scenario.key == "heart":
        caught = min(left_out(results, attack, poisoned).mean for attack in attacks)
        rejected = _at_least(results.scenario, "poisoned updates rejected", caught, 0.98)
        harmless = _harmless(results, attacks, 0.05, 0.005, 0.005)
        return [rejected, *harmless, *_tainted(results)]
    if results.scenario.key == "diabetes-3":
        return _harmless(results, attacks, 0.15, 0.01, 0.025)
    return [_survived(results, attacks)]


def _harmless(
    results: Results, attacks: Sequence[str], honest_out: float, oracle: float, fedavg: float
) -> list[Target]:
    """Few honest updates are left out, and the metric stays near the oracle's and FedAvg's."""
    scenario = results.scenario
    metric = "accuracy" if scenario.metric == "accuracy" else "balanced accuracy"
    rejected = max(left_out(results, attack, honest).mean for attack in (NONE, *attacks))
    to_oracle = min(versus(results, attack, ORACLE).mean for attack in attacks)
    to_fedavg = versus(results, NONE, FEDAVG).mean
    return [
        _at_most(scenario, "honest updates rejected", rejected, honest_out),
        _no_further(scenario, f"{metric} to the oracle's", to_oracle, oracle),
        _no_further(scenario, f"without attack, {metric} to FedAvg's", to_fedavg, fedavg),
    ]


def _tainted(results: Results) -> list[Target]:
    """Donated rows with flipped labels are set aside and take no honest hospital with them."""
    scenario, runs = results.scenario, results.runs.get((TAINTED, REVIEW), {})
    flagged = [run.flagged[1] / scenario.rounds for seed in runs.values() for run in seed]
    if not flagged:
        return []
    more = left_out(results, TAINTED, honest).mean - left_out(results, NONE, honest).mean
    text = f"{scenario.title}: honest updates rejected beside a tainted slice, at most 1 point more"
    return [
        _at_least(scenario, "tainted slices set aside", fmean(flagged), 1.0),
        Target(text, f"{100 * more:+.1f} points", more <= 0.01),
    ]


def _survived(results: Results, attacks: Sequence[str]) -> Target:
    """A majority of attackers does not keep the federation from learning."""
    ahead = min(versus(results, attack, FEDAVG).mean for attack in attacks)
    balanced = min(
        fmean(results.by_seed(attack, REVIEW, lambda run: run.balanced)) for attack in attacks
    )
    text = f"{results.scenario.title}: balanced accuracy above 60 %, ahead of FedAvg"
    measured = f"{100 * balanced:.1f} %, {100 * ahead:+.1f} points"
    return Target(text, measured, balanced > 0.6 and ahead > 0.0)


def _at_least(scenario: Scenario, what: str, share: float, least: float) -> Target:
    text = f"{scenario.title}: {what}, at least {100 * least:g} %"
    return Target(text, f"{100 * share:.1f} %", share >= least)


def _at_most(scenario: Scenario, what: str, share: float, most: float) -> Target:
    text = f"{scenario.title}: {what}, at most {100 * most:g} %"
    return Target(text, f"{100 * share:.1f} %", share <= most)


def _no_further(scenario: Scenario, what: str, difference: float, most: float) -> Target:
    text = f"{scenario.title}: {what}, at most {100 * most:g} points below"
    return Target(text, f"{100 * difference:+.1f} points", difference >= -most)
