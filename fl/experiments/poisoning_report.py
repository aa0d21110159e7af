"""What the poisoning experiment shows: tables, targets, figure, document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fl.attacks import ATTACKS
from fl.experiments.catalogue import Options
from fl.experiments.intervals import interval
from fl.experiments.poisoning import (
    COMPARED,
    FEDAVG,
    MAIN_ATTACKS,
    NONE,
    ORACLE,
    REVIEW,
    TAINTED,
    TITLES,
    Results,
    Scenario,
    run_scenario,
)
from fl.experiments.poisoning_figure import draw
from fl.experiments.poisoning_targets import (
    Target,
    honest,
    left_out,
    poisoned,
    targets_of,
    versus,
)
from fl.experiments.report import Grid, Report

NAME = "poisoning"
TITLE = "Poisoned updates against the encrypted review and published defences"
QUICK_ATTACKS = (*MAIN_ATTACKS, "backdoor", TAINTED)
# Attacks of which fewer than this share is left out are listed as getting through.
CAUGHT = 0.98

_HEART = Scenario(
    "heart", "Heart, one attacker of four", "heart", 4, 1, "accuracy", tuple(ATTACKS), in_turn=True
)
_THIRD = Scenario(
    "diabetes-3", "Diabetes, three attackers of eight", "diabetes", 8, 3, "balanced", tuple(ATTACKS)
)
_MAJORITY = Scenario(
    "diabetes-5", "Diabetes, five attackers of eight", "diabetes", 8, 5, "balanced", MAIN_ATTACKS
)


def run(options: Options, progress: Callable[[str], None]) -> Report:
    """Run all scenarios over the seeds 1, 2, ...; in quick mode fewer attacks and no baselines."""
    seeds = range(1, options.seeds + 1)
    results = [run_scenario(one, seeds, progress) for one in scenarios(options.quick)]
    targets = [target for one in results for target in targets_of(one)]
    grids = [grid for one in results for grid in (_accuracy_grid(one), _review_grid(one))]
    grids += [_through_grid(results), _target_grid(targets)]
    document = {
        "experiment": NAME,
        "title": TITLE,
        "quick": options.quick,
        "seeds": list(seeds),
        "scenarios": [_document(one) for one in results],
        "targets": [{"target": t.text, "measured": t.measured, "met": t.met} for t in targets],
    }
    return Report(NAME, TITLE, tuple(grids), document, partial(draw, results))


def scenarios(quick: bool) -> tuple[Scenario, ...]:
    """The scenarios of a full or of a quick run."""
    if not quick:
        return _HEART, _THIRD, _MAJORITY
    return (
        replace(_HEART, attacks=QUICK_ATTACKS, defences=COMPARED),
        replace(_THIRD, attacks=MAIN_ATTACKS, defences=COMPARED),
        replace(_MAJORITY, attacks=("label-flip",), defences=COMPARED),
    )


def _accuracy_grid(results: Results) -> Grid:
    scenario = results.scenario
    rows = [
        (attack, *(interval(results.by_seed(attack, d, scenario.value)).percent() for d in columns))
        for columns in [scenario.defences]
        for attack in (NONE, *scenario.attacks)
    ]
    metric = "Accuracy" if scenario.metric == "accuracy" else "Balanced accuracy"
    return Grid(
        f"{scenario.title}: {metric.lower()}, percent",
        ("attack", *(TITLES[defence] for defence in scenario.defences)),
        tuple(rows),
        (
            "Mean ± half of the 95 % interval over the seeds. Review: the encrypted review's rule, "
            "computed in plaintext. The others are plaintext baselines: FedAvg has no norm bound, "
            "the bounded mean leaves nobody out, the oracle leaves out exactly the attackers.",
        ),
    )


_REVIEW_COLUMNS = (
    "attack",
    "poisoned out, %",
    "honest out, %",
    "points to oracle",
    "points to FedAvg",
    "slices aside",
    "rounds kept",
)
_REVIEW_NOTE = (
    "Slices aside: attackers' / honest hospitals'. Rounds kept: too few accepted, so the model "
    "stayed."
)


def _review_grid(results: Results) -> Grid:
    rows = tuple(_review_row(results, attack) for attack in (NONE, *results.scenario.attacks))
    title = f"{results.scenario.title}: what the review did"
    return Grid(title, _REVIEW_COLUMNS, rows, (_REVIEW_NOTE,))


def _review_row(results: Results, attack: str) -> tuple[str, ...]:
    runs = [run_ for seed in results.runs[attack, REVIEW].values() for run_ in seed]
    return (
        attack,
        left_out(results, attack, poisoned).percent() if attack != NONE else "-",
        left_out(results, attack, honest).percent(),
        versus(results, attack, ORACLE).points(),
        versus(results, attack, FEDAVG).points(),
        f"{sum(r.flagged[1] for r in runs)} / {sum(r.flagged[0] for r in runs)}",
        str(sum(r.kept for r in runs)),
    )


_THROUGH_COLUMNS = ("federation", "attack", "accepted, %", "points to oracle", "trigger works, %")
_THROUGH_NOTE = (
    "Trigger works: sick patients with the trigger who are called healthy, in brackets without an "
    "attack. A backdoor leaves the donated rows' answers alone, so no test of answers finds it; a "
    "scaled sign flip that is short enough still answers well."
)


def _through_grid(results: Sequence[Results]) -> Grid:
    rows = tuple(
        _through_row(one, attack)
        for one in results
        for attack in one.scenario.attacks
        if ATTACKS[attack].poisons and left_out(one, attack, poisoned).mean < CAUGHT
    )
    return Grid("What gets through the review", _THROUGH_COLUMNS, rows, (_THROUGH_NOTE,))


def _through_row(results: Results, attack: str) -> tuple[str, ...]:
    marked, clean = (
        interval(results.by_seed(name, REVIEW, lambda run_: run_.triggered)).percent()
        for name in (attack, NONE)
    )
    return (
        results.scenario.title,
        attack,
        f"{100 * (1 - left_out(results, attack, poisoned).mean):.1f}",
        versus(results, attack, ORACLE).points(),
        f"{marked} ({clean})" if attack == "backdoor" else "-",
    )


def _target_grid(targets: Sequence[Target]) -> Grid:
    rows = tuple((t.text, t.measured, "yes" if t.met else "NO") for t in targets)
    return Grid("Targets", ("target", "measured", "met"), rows)


def _document(results: Results) -> dict[str, Any]:
    scenario = results.scenario
    attacks = (NONE, *scenario.attacks)
    pairs = [(attack, defence) for attack in attacks for defence in scenario.defences]
    return {
        "key": scenario.key,
        "title": scenario.title,
        "task": scenario.task,
        "hospitals": scenario.hospitals,
        "attackers": scenario.attackers,
        "rounds": scenario.rounds,
        "metric": scenario.metric,
        "trainings": [_training_document(results, *pair) for pair in pairs],
        "review": [_review_document(results, attack) for attack in attacks],
    }


def _training_document(results: Results, attack: str, defence: str) -> dict[str, Any]:
    return {
        "attack": attack,
        "defence": defence,
        "accuracy": _numbers(results.by_seed(attack, defence, lambda r: r.accuracy)),
        "balanced_accuracy": _numbers(results.by_seed(attack, defence, lambda r: r.balanced)),
        "trigger_works": _numbers(results.by_seed(attack, defence, lambda r: r.triggered)),
    }


def _review_document(results: Results, attack: str) -> dict[str, Any]:
    runs = [run_ for seed in results.runs[attack, REVIEW].values() for run_ in seed]
    ratio = results.ratio(attack, poisoned)
    return {
        "attack": attack,
        "poisoned_rejected": _numbers(ratio) if ratio else None,
        "honest_rejected": _numbers(results.ratio(attack, honest)),
        "to_oracle": _numbers(
            results.paired((attack, REVIEW), (attack, ORACLE), results.scenario.value)
        ),
        "to_fedavg": _numbers(
            results.paired((attack, REVIEW), (attack, FEDAVG), results.scenario.value)
        ),
        "slices_set_aside": {
            "attackers": sum(r.flagged[1] for r in runs),
            "honest": sum(r.flagged[0] for r in runs),
        },
        "rounds_without_new_model": sum(r.kept for r in runs),
        "rounds": len(runs) * results.scenario.rounds,
    }


def _numbers(values: Sequence[float]) -> dict[str, Any]:
    known = interval(values)
    return {"mean": known.mean, "half_width": known.half_width, "by_seed": list(values)}
