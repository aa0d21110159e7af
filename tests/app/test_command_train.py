"""`run.py train`: one JSON document on standard output, progress beside it, and its promises."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from app.setup.console import Console
from app.setup.environment import Environment
from config import TRAINING_LOCK
from fl.round import STEPS
from tests.app import commandline

HOSPITALS = ["Cleveland", "Hungary", "Switzerland", "VA Long Beach"]
SHA256 = re.compile(r"[0-9a-f]{64}")
TRANSACTION = re.compile(r"0x[0-9a-f]{64}")

# The document of the issue: exactly these keys, each with its type or its form; of a tuple one.
FAULT = {"party": str, "step": str, "reason": str}
HOSPITAL = {
    "name": str,
    "samples": int,
    "update_sha256": SHA256,
    "transaction": TRANSACTION,
    "verdict": str,
    "balanced_accuracy": (float, None),
    "threshold": (float, None),
    "reason": str,
    "warnings": [str],
    "appeal": str,
}
COSTS = {
    "bytes": int,
    "seconds": dict.fromkeys(STEPS, float),
    "bytes_by_step": dict.fromkeys(STEPS, int),
    "hospitals": [HOSPITAL],
    "not_drawn": [str],
    "committee": [str],
    "signers": [{"node": str, "transaction": TRANSACTION}],
    "faults": [FAULT],
}
COUNTS = {"accepted": int, "rejected": int, "refused": int}
ROUND = {
    "round": int,
    "accuracy": float,
    "train_accuracy": float,
    "balanced_accuracy": float,
    "auc": float,
    "loss": float,
    "test_rows": int,
    "model_sha256": SHA256,
    "kept": bool,
    "reason": str,
    "norm_bound": float,
    "flagged": [str],
    **COUNTS,
    **COSTS,
}
JUDGED = {"rows": int, "accuracy": float, "balanced_accuracy": float, "confusion": [[int]]}
PARTS = {"train": JUDGED, "test": JUDGED | {"auc": (float, None), "loss": (float, None)}}
DOCUMENT = {
    "task": str,
    "seed": int,
    "model": str,
    "state": str,
    "reason": str,
    "training": SHA256,
    "accuracy": float,
    "balanced_accuracy": float,
    "plain_accuracy": float,
    "model_sha256": SHA256,
    "simulation": None,
    "fedavg_accuracy": None,
    "oracle_accuracy": None,
    "poisoning": {"rounds": int, "counts": COUNTS, "kept_out": float},
    "detection": None,
    "detection_by_attack": None,
    "results": {
        "round": int,
        "model_sha256": SHA256,
        "classes": [str],
        "hospitals": [{"name": str, **PARTS}],
        "pooled": PARTS,
        "reliability": [
            {"low": float, "high": float, "rows": int, "said": float, "came_true": float}
        ],
    },
    "statistics": {"round": int, "statistics_sha256": SHA256, **COSTS},
    "donation": {
        "round": int,
        "set_sha256": SHA256,
        **COSTS,
        "hospitals": [HOSPITAL | {"rows": ([int], None)}],
    },
    "rounds": [ROUND],
    "failed": [{"round": int, "title": str, "attempt": int, "reason": str, "faults": [FAULT]}],
}
REJECTIONS = {"count": int, "of": int, "share": float, "low": float, "high": float}
ATTACKER = {"attacker": bool, "attack": (str, None)}
ATTACKED = DOCUMENT | {
    "simulation": {"attack": str, "attackers": [str]},
    "detection": {"true_rejections": REJECTIONS, "false_rejections": REJECTIONS},
    "detection_by_attack": {"label-flip": REJECTIONS},
    "fedavg_accuracy": float,
    "oracle_accuracy": float,
    "statistics": DOCUMENT["statistics"] | {"hospitals": [HOSPITAL | ATTACKER]},
    "donation": DOCUMENT["donation"]
    | {"hospitals": [HOSPITAL | ATTACKER | {"rows": ([int], None)}]},
    "rounds": [ROUND | {"hospitals": [HOSPITAL | ATTACKER]}],
}


def slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


def check(value: Any, form: Any, where: str = "document") -> None:
    """Compare a value with a form strictly: no key more or less, no bool for an int."""
    if isinstance(form, dict):
        assert isinstance(value, dict), where
        assert set(value) == set(form), where
        for key, part in form.items():
            check(value[key], part, f"{where}.{key}")
    elif isinstance(form, list):
        assert isinstance(value, list), where
        for number, part in enumerate(value):
            check(part, form[0], f"{where}[{number}]")
    elif isinstance(form, tuple):
        check(value, form[-1 if value is None else 0], where)
    elif form is None:
        assert value is None, where
    elif isinstance(form, re.Pattern):
        assert isinstance(value, str), where
        assert form.fullmatch(value), where
    else:
        assert type(value) is form, where


def test_the_document_has_the_promised_form(trained: dict[str, Any]) -> None:
    check(trained, DOCUMENT)


def test_the_check_is_strict(trained: dict[str, Any]) -> None:
    for wrong in (
        trained | {"surplus": 1},
        {key: value for key, value in trained.items() if key != "accuracy"},
        trained | {"seed": True},
        trained | {"model_sha256": trained["model_sha256"].upper()},
        trained | {"rounds": [trained["statistics"]]},
    ):
        with pytest.raises(AssertionError):
            check(wrong, DOCUMENT)


def test_the_document_says_what_was_done(trained: dict[str, Any]) -> None:
    assert (trained["task"], trained["seed"], trained["model"]) == ("heart", 7, "mlp")
    assert (trained["state"], trained["reason"], trained["failed"]) == ("finished", "", [])
    assert [one["round"] for one in trained["rounds"]] == [1]
    assert trained["statistics"]["round"] == 0
    (last,) = trained["rounds"]
    assert last["model_sha256"] == trained["model_sha256"]
    assert last["accuracy"] == trained["accuracy"]
    results = trained["results"]
    assert [one["name"] for one in results["hospitals"]] == HOSPITALS
    assert results["pooled"]["test"]["accuracy"] == trained["accuracy"]
    tested = [one["test"]["rows"] for one in results["hospitals"]]
    assert (
        results["pooled"]["test"]["rows"]
        == sum(tested)
        == sum(map(sum, results["pooled"]["test"]["confusion"]))
    )
    assert {one["verdict"] for one in trained["statistics"]["hospitals"]} == {"not verified"}
    assert {one["verdict"] for one in trained["donation"]["hospitals"]} == {"accepted"}
    for one in (trained["statistics"], trained["donation"], last):
        assert [hospital["name"] for hospital in one["hospitals"]] == HOSPITALS
        assert one["faults"] == []
        assert one["bytes"] == sum(one["bytes_by_step"].values())
    transactions = [
        hospital["transaction"]
        for one in (trained["statistics"], trained["donation"], last)
        for hospital in one["hospitals"]
    ]
    assert len(set(transactions)) == len(transactions)


def test_every_update_was_tested_and_signed_for(trained: dict[str, Any]) -> None:
    (last,) = trained["rounds"]
    assert {one["verdict"] for one in last["hospitals"]} <= {"accepted", "rejected"}
    assert last["accepted"] == sum(one["verdict"] == "accepted" for one in last["hospitals"])
    for one in last["hospitals"]:
        assert one["balanced_accuracy"] * 20 == int(one["balanced_accuracy"] * 20)
        assert 0.5 <= one["threshold"] <= 0.75
    for one in (trained["donation"], last):
        assert len(one["committee"]) == 3
        assert len(one["signers"]) >= 3
    rows = {one["name"]: one["rows"] for one in trained["donation"]["hospitals"]}
    assert rows["Cleveland"] == [16, 16]
    assert all(0 <= count <= 16 for counts in rows.values() for count in counts)


@pytest.mark.slow
def test_an_attack_is_found_and_the_truth_told(repository: Path, tmp_path: Path) -> None:
    arguments = ("train", "--rounds", "2", "--attack", "label-flip", "--attackers", "Hungary")
    done = commandline.run(repository, tmp_path, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "Simulated attack by Hungary. Trains on turned labels" in done.stderr
    document = json.loads(done.stdout)
    check(document, ATTACKED)
    assert document["simulation"] == {"attack": "label-flip", "attackers": ["Hungary"]}
    for one in document["rounds"]:
        verdicts = {h["name"]: h["verdict"] for h in one["hospitals"]}
        assert verdicts["Hungary"] == "rejected"
        assert {h["name"] for h in one["hospitals"] if h["attacker"]} == {"Hungary"}
        (reason,) = [h["reason"] for h in one["hospitals"] if h["name"] == "Hungary"]
        assert "below the threshold" in reason


@pytest.mark.slow
def test_without_a_review_updates_are_summed_untested(repository: Path, tmp_path: Path) -> None:
    done = commandline.run(repository, tmp_path, "train", "--rounds", "1", "--no-review", "--json")
    assert done.returncode == 0, done.stderr
    assert "Updates are summed untested." in done.stderr
    document = json.loads(done.stdout)
    assert (document["donation"], document["poisoning"]) == (None, None)
    (only,) = document["rounds"]
    assert {one["verdict"] for one in only["hospitals"]} == {"not verified"}
    assert {one["balanced_accuracy"] for one in only["hospitals"]} == {None}
    assert commandline.run(repository, tmp_path, "verify").returncode == 0


def test_accuracy_is_within_a_point_of_the_unshared_training(trained: dict[str, Any]) -> None:
    assert abs(trained["accuracy"] - trained["plain_accuracy"]) <= 0.01
    assert 0.5 < trained["balanced_accuracy"] <= 1.0


def test_progress_goes_to_standard_error(trained: dict[str, Any], trained_folder: Path) -> None:
    lines = (trained_folder / "progress.txt").read_text().splitlines()
    assert lines[0] == f"Training heart with {', '.join(HOSPITALS)}: 1 round, seed 7."
    assert len(lines) == 1 + 3 * len(STEPS)
    assert sum(line.startswith("donated rows") for line in lines) == len(STEPS)
    assert sum(line.startswith("statistics") for line in lines) == len(STEPS)
    assert sum(line.startswith("round 1/1") for line in lines) == len(STEPS)


@pytest.mark.slow
def test_without_json_there_are_tables_and_another_seed_gives_another_model(
    repository: Path, tmp_path: Path, trained: dict[str, Any]
) -> None:
    done = commandline.run(repository, tmp_path, "train", "--rounds", "1", "--seed", "8")
    assert done.returncode == 0, done.stderr
    for word in ("accuracy", "hospital", "transaction", "seconds", "consilium.db", "chain.db"):
        assert word in done.stdout
    assert all(name in done.stdout for name in HOSPITALS)
    (model,) = re.findall(r"model ([0-9a-f]{64})", done.stdout)
    assert model != trained["model_sha256"]


@pytest.mark.slow
def test_diabetes_is_trained_and_within_a_point(repository: Path, tmp_path: Path) -> None:
    arguments = ("train", "--task", "diabetes", "--hospitals", "6", "--rounds", "3", "--json")
    document = json.loads(commandline.run(repository, tmp_path, *arguments).stdout)
    check(document, DOCUMENT)
    assert [len(one["hospitals"]) for one in document["rounds"]] == [6, 6, 6]
    assert abs(document["accuracy"] - document["plain_accuracy"]) <= 0.01


@pytest.mark.slow
def test_ten_rounds_of_heart_are_within_a_point(repository: Path, tmp_path: Path) -> None:
    arguments = ("train", "--task", "heart", "--rounds", "10", "--json")
    document = json.loads(commandline.run(repository, tmp_path, *arguments).stdout)
    check(document, DOCUMENT)
    assert [one["round"] for one in document["rounds"]] == list(range(1, 11))
    assert abs(document["accuracy"] - document["plain_accuracy"]) <= 0.01
    assert document["accuracy"] > 0.7


@pytest.mark.slow
def test_a_second_training_at_once_is_refused(repository: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / TRAINING_LOCK):
        done = commandline.run(repository, tmp_path, "train", "--rounds", "1", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "another process is training" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_of_two_trainings_that_meet_one_is_refused_and_the_seed_decides_the_other(
    repository: Path, tmp_path: Path, trained: dict[str, Any]
) -> None:
    arguments = ("train", "--rounds", "1", "--json")
    with commandline.start(repository, tmp_path, *arguments) as first:
        assert first.stderr is not None
        line = first.stderr.readline()
        second = commandline.run(repository, tmp_path, *arguments)
        output, errors = first.communicate()
    assert line.startswith("Training heart"), line + errors
    assert second.returncode == 1
    assert "another process is training" in second.stderr
    assert (first.returncode, json.loads(output)["model_sha256"]) == (0, trained["model_sha256"])


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("train", "--hospitals", "Cleveland,Hungary"), 2, "at least 3 hospitals"),
        (("train", "--rounds", "0"), 2, "whole number from 1"),
        (("train", "--task", "lung"), 2, "invalid choice: 'lung'"),
        (("train", "--rounds", "51"), 1, "expected at most 50 rounds, got 51"),
        # As the one before, these load everything that trains.
        slow(("train", "--hospitals", "Cleveland,Hungary,Zurich"), 1, "got Zurich"),
        slow(("train", "--attack", "alie", "--attackers", "5"), 1, "expected 1 to 4 attackers"),
        slow(("train", "--attack", "alie", "--attackers", "Zurich"), 1, "got Zurich"),
    ],
)
def test_what_cannot_be_done_has_a_sentence_and_an_exit_status(
    repository: Path,
    trained: dict[str, Any],
    trained_folder: Path,
    arguments: tuple[str, ...],
    status: int,
    sentence: str,
) -> None:
    done = commandline.run(repository, trained_folder, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_chain_that_is_not_there_has_a_sentence(repository: Path, tmp_path: Path) -> None:
    done = commandline.run(
        repository, tmp_path, "train", "--json", CHAIN_RPC_URL="http://127.0.0.1:9"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_run_py_itself_trains_again_and_installs_nothing(
    repository: Path, trained: dict[str, Any], trained_folder: Path, tmp_path: Path
) -> None:
    # In a copy: every other test finds one training in the folder.
    folder = tmp_path / "instance"
    shutil.copytree(trained_folder, folder)
    own = Environment(repository, Console())
    if not (own.is_active() and own.is_current()):
        pytest.skip("needs the environment that run.py made")
    done = subprocess.run(
        [sys.executable, "run.py", "train", "--rounds", "1", "--json"],
        cwd=repository,
        env=commandline.environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nstalling" not in done.stderr
    document = json.loads(done.stdout)
    assert document["model_sha256"] == trained["model_sha256"]
    assert document["training"] != trained["training"]
