"""`run.py experiment`: it lists, it runs, it keeps what came out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import experiment
from app.errors import RequestError
from app.setup import commandline
from fl.experiments.catalogue import EXPERIMENTS


def test_the_command_line_knows_every_experiment() -> None:
    assert tuple(EXPERIMENTS) == commandline.EXPERIMENTS


def test_without_a_name_it_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment.experiment(commandline.parse(["experiment"])) == 0
    assert capsys.readouterr().out.startswith("poisoning ")
    assert experiment.experiment(commandline.parse(["experiment", "--json"])) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["poisoning"]


@pytest.mark.parametrize(
    "wrong", [["alchemy"], ["poisoning", "--seeds", "0"], ["poisoning", "--seeds", "many"]]
)
def test_wrong_usage_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commandline.parse(["experiment", *wrong])
    assert ended.value.code == 2
    assert "experiment" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    arguments = ["experiment", "poisoning", "--out", str(tmp_path / "taken")]
    with pytest.raises(RequestError, match="taken"):
        experiment.experiment(commandline.parse(arguments))


@pytest.mark.slow
def test_a_quick_run_shows_tables_and_keeps_document_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "here"
    arguments = ["experiment", "poisoning", "--quick", "--seeds", "1", "--out", str(out)]
    assert experiment.experiment(commandline.parse(arguments)) == 0
    shown = capsys.readouterr()
    for heading in ("Heart, one attacker of four", "What gets through", "Targets"):
        assert heading in shown.out
    assert "poisoning.svg" in shown.err
    document = json.loads((out / "poisoning.json").read_text(encoding="utf-8"))
    assert document["seeds"] == [1]
    assert document["quick"] is True
    assert (out / "poisoning.svg").read_text(encoding="utf-8").startswith("<?xml")
