"""The command line: what it accepts, what it refuses, and which Pythons it answers to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from app.setup import commandline, start
from app.setup.python_version import is_supported, refusal

COMMANDS = (
    "train", "verify", "dossier", "ledger", "password", "keys", "policy", "calibration",
    "experiment", "test", "doctor",
)  # fmt: skip


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_versions_are_not_refused(version: tuple[int, int]) -> None:
    assert is_supported(version)
    assert refusal(version) == ""


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 14), (4, 0)])
def test_another_version_gets_one_sentence_that_names_it(version: tuple[int, int]) -> None:
    sentence = refusal(version)
    assert "Python 3.11 to 3.13" in sentence
    assert f"this is Python {version[0]}.{version[1]}." in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "name", ["run.py", "app/__init__.py", "app/setup/__init__.py", "app/setup/python_version.py"]
)
def test_what_runs_before_the_version_check_can_be_read_by_an_old_python(
    repository: Path, name: str
) -> None:
    tree = ast.parse((repository / name).read_text(encoding="utf-8"), feature_version=(3, 6))
    future = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(node.module == "__future__" for node in future)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_answers_without_any_set_up(
    repository: Path, tmp_path: Path, arguments: list[str]
) -> None:
    # -I -S: nothing but the standard library can be imported.
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from app.setup.start import main"
    code += "; main(sys.argv[2:], sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(repository), str(tmp_path), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage: run.py" in done.stdout
    assert "example" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_general_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commandline.parse(["--help"])
    printed = capsys.readouterr().out
    named = {line.split()[0] for line in printed.splitlines() if line.startswith("    ")}
    assert set(COMMANDS) <= named


def test_no_command_means_start_with_the_options_of_train() -> None:
    alone, train = vars(commandline.parse([])), vars(commandline.parse(["train"]))
    assert alone.pop("command") == "start"
    assert train.pop("command") == "train"
    assert alone == train
    assert not alone["fresh"]


def test_fresh_belongs_to_the_start() -> None:
    args = commandline.parse(["--fresh"])
    assert (args.command, args.fresh) == ("start", True)


def test_password_takes_a_name_with_spaces() -> None:
    assert commandline.parse(["password", "Ada Berg"]).name == "Ada Berg"


def test_every_option_of_train_arrives() -> None:
    line = "train --task diabetes --hospitals 8 --partition dirichlet --alpha 0.5 --rounds 3"
    line += " --local-epochs 2 --learning-rate 0.01 --seed 11 --json"
    args = commandline.parse(line.split())
    assert (args.task, args.hospitals, args.partition) == ("diabetes", 8, "dirichlet")
    assert (args.alpha, args.rounds, args.local_epochs) == (0.5, 3, 2)
    assert args.joining is None
    joined = commandline.parse(["train", "--task", "diabetes", "--joining", "Bern,Basel"])
    assert joined.joining == ("Bern", "Basel")
    assert commandline.parse(["train", "--task", "diabetes", "--joining", "none"]).joining == ()
    assert (args.learning_rate, args.seed, args.json) == (0.01, 11, True)


@pytest.mark.parametrize("command", ["train", "policy"])
def test_an_imported_task_is_named_in_full(command: str) -> None:
    assert commandline.parse([command, "--task", "stroke-0123456789ab"]).task == (
        "stroke-0123456789ab"
    )


def test_hospitals_are_named_between_commas() -> None:
    args = commandline.parse(["train", "--hospitals", "Cleveland, Hungary,VA Long Beach"])
    assert args.hospitals == ("Cleveland", "Hungary", "VA Long Beach")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("train --rounds 0", "--rounds: expected a whole number from 1"),
        ("train --rounds many", "got 'many'"),
        ("train --local-epochs -1", "--local-epochs: expected"),
        ("train --learning-rate 0", "--learning-rate: expected a number above 0"),
        ("train --learning-rate nan", "--learning-rate: expected"),
        ("train --learning-rate inf", "--learning-rate: expected"),
        ("train --seed -1", "--seed: expected a whole number from 0"),
        ("train --task lung", "invalid choice: 'lung'"),
        ("train --task ../x-0123456789ab", "invalid choice"),
        ("policy --task stroke", "invalid choice: 'stroke'"),
        ("train --hospitals 5", "heart takes names, got 5"),
        ("train --task diabetes --hospitals 3", "expected 4 to 10, got 3"),
        ("train --task diabetes --hospitals 11", "expected 4 to 10, got 11"),
        ("train --hospitals a,b", "at least 3 hospitals, got 2"),
        ("train --hospitals a,,b,c", "different names between commas"),
        ("train --hospitals a,b,c,a", "different names between commas"),
        ("train --alpha 1", "--partition and --alpha are for diabetes"),
        ("train --task diabetes --partition iid --alpha 1", "iid splits evenly"),
        ("train --joining Bern", "--joining is for diabetes; heart takes names: --hospitals"),
        ("train --task diabetes --alpha 0", "--alpha: expected a number above 0"),
        ("train --round 1", "unrecognized arguments: --round"),
        ("policy --faults 1", "expected --task"),
        ("policy --task heart --fewest-hospitals 2", "whole number from 3 to 64"),
        ("verify a.json now", "unrecognized arguments: now"),
        ("verify a.json --hospital Oslo", "belongs to this installation; leave out FILE"),
        ("verify --federation 00", "belong to a dossier: give its FILE"),
        ("dossier", "required: FILE"),
        ("dossier --round x a.json", "--round: expected a whole number from 0"),
        ("dossier --model 00 --round 1 a.json", "not allowed with"),
        ("dossier --model 00 --training 00 a.json", "--model says which training it is"),
        ("password", "required: NAME"),
        ("--fresh train", "--fresh stands alone"),
        ("test --slow --slow-only", "not allowed with"),
        ("trian", "invalid choice: 'trian'"),
    ],
)
def test_a_wrong_option_is_named_and_ends_with_status_2(
    line: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        commandline.parse(line.split())
    assert stopped.value.code == 2
    assert expected in capsys.readouterr().err


CORES = ["-n", "auto", "--dist", "loadscope"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("test", ["-m", "not slow", *CORES]),
        ("test --slow", CORES),
        ("test --slow-only", ["-m", "slow", *CORES]),
        (
            "test -k shamir -x tests/crypto",
            ["-m", "not slow", *CORES, "-k", "shamir", "-x", "tests/crypto"],
        ),
        ("test --slow -m needs", [*CORES, "-m", "needs"]),
        ("test -n 0 tests/fl", ["-m", "not slow", "-n", "0", "tests/fl"]),
        ("test -- --help", ["-m", "not slow", *CORES, "--help"]),
    ],
)
def test_further_arguments_of_test_are_pytests(line: str, expected: list[str]) -> None:
    command = start.pytest_command(Path("python"), commandline.parse(line.split()))
    assert command == ["python", "-m", "pytest", *expected]


def test_the_course_of_a_training_is_asked_for() -> None:
    asked = ("--decay", "0.9", "--share", "0.5", "--stop-accuracy", "0.85", "--patience", "3")
    args = commandline.parse(["train", *asked])
    assert (args.decay, args.share, args.stop_accuracy, args.patience) == (0.9, 0.5, 0.85, 3)
    for usual in (commandline.parse(["train"]), commandline.parse([])):
        assert usual.decay is usual.share is usual.stop_accuracy is usual.patience is None


@pytest.mark.parametrize("option", ["--decay", "--share", "--stop-accuracy", "--patience"])
@pytest.mark.parametrize("value", ["0", "1.5", "-1", "much"])
def test_a_course_that_cannot_be_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commandline.parse(["train", option, value])
    assert f"argument {option}: expected" in capsys.readouterr().err
