"""The poisoning experiment: pairing, intervals, tables, figure and, at length, its targets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fl.errors import UnknownExperimentError
from fl.experiments import poisoning_report
from fl.experiments.catalogue import EXPERIMENTS, Options, get_experiment
from fl.experiments.intervals import Interval, interval
from fl.experiments.poisoning import COMPARED, NONE, REVIEW, Results, run_scenario
from fl.experiments.poisoning_figure import draw
from fl.experiments.poisoning_report import scenarios


def test_an_interval_by_hand() -> None:
    # Mean 0.2, standard deviation 0.1, t(0.975, 2) = 4.303.
    known = interval([0.1, 0.2, 0.3])
    assert known.mean == pytest.approx(0.2)
    assert known.half_width == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert interval([0.5]) == Interval(0.5, None)
    assert Interval(0.7834, 0.0061).percent() == "78.3 ± 0.6"
    assert Interval(-0.0012, None).points() == "-0.1"
    assert interval([0.0, 1.0] * 50).half_width == pytest.approx(1.96 * 0.0502519, rel=1e-4)


def test_an_unknown_experiment_is_refused_with_the_names() -> None:
    assert get_experiment("poisoning") is EXPERIMENTS["poisoning"]
    with pytest.raises(UnknownExperimentError, match="poisoning; got 'alchemy'"):
        get_experiment("alchemy")


@pytest.fixture(scope="module")
def small() -> Results:
    scenario = replace(scenarios(True)[0], attacks=("backdoor",), rounds=2)
    told: list[str] = []
    results = run_scenario(scenario, (1, 2), told.append)
    assert told == [f"{scenario.title}: none", f"{scenario.title}: backdoor"]
    return results


def test_every_hospital_attacks_in_turn_in_every_seed(small: Results) -> None:
    for defence in COMPARED:
        assert [len(runs) for runs in small.runs[NONE, defence].values()] == [1, 1]
        assert [len(runs) for runs in small.runs["backdoor", defence].values()] == [4, 4]
    # Two rounds: of the attacker two updates, of the three others six.
    assert {run.poisoned[1] for run in small.runs["backdoor", REVIEW][1]} == {2}
    assert {run.honest[1] for run in small.runs["backdoor", REVIEW][1]} == {6}
    assert small.runs[NONE, REVIEW][1][0].honest[1] == 8


def test_differences_are_taken_within_a_seed(small: Results) -> None:
    first, second = (
        small.by_seed("backdoor", defence, lambda run: run.accuracy) for defence in COMPARED[:2]
    )
    assert small.paired(
        ("backdoor", COMPARED[0]), ("backdoor", COMPARED[1]), lambda run: run.accuracy
    ) == [a - b for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_the_figure_is_the_same_bytes_again(
    small: Results, tmp_path: Path, suffix: str, begins: bytes
) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    draw([small], one)
    draw([small], two)
    assert one.read_bytes().startswith(begins)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_the_rule_meets_its_targets(tmp_path: Path) -> None:
    report = poisoning_report.run(Options(seeds=5, quick=True), lambda _line: None)
    missed = [one for one in report.document["targets"] if not one["met"]]
    assert len(report.document["targets"]) == 10
    assert missed == []
    report.draw(tmp_path / "poisoning.svg")
    assert "backdoor" in (tmp_path / "poisoning.svg").read_text(encoding="utf-8")
    # What gets through is said: the backdoor works on most patients with its trigger.
    through = next(grid for grid in report.grids if grid.title.startswith("What gets through"))
    assert "backdoor" in {row[1] for row in through.rows}
    assert json.loads(json.dumps(report.document, allow_nan=False)) == report.document
