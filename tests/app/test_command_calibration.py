"""`run.py calibration`: what came true of the models' probabilities."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.cli.calibration import calibration
from app.errors import RequestError
from app.setup.commandline import parse
from tests.app.installations import settings_of


@pytest.fixture(scope="module")
def folder(
    trained: Mapping[str, Any], trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("calibration") / "instance"
    shutil.copytree(trained_folder, folder)
    (folder / "chain.json").unlink()
    return folder


def test_it_tells_both_errors_on_the_rows_that_hospitals_reported(
    folder: Path,
    trained: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_of(folder)
    monkeypatch.setattr("app.cli.calibration.Settings", lambda: settings)
    training = trained["training"]
    assert calibration(parse(["calibration", "--json"])) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["task"], found["model_sha256"]) == ("heart", trained["model_sha256"])
    last = trained["rounds"][-1]
    assert found["hospitals"] == sorted(one["name"] for one in last["hospitals"])
    assert found["test_rows"] == 185
    assert found["slope"] > 0
    for errors in found["held_out"].values():
        assert 0 < errors["expected_calibration_error"] < 0.5
        assert 0 < errors["brier_score"] < 0.25
    # After one round the model is far too shy: a curve helps.
    assert found["held_out"]["after"]["brier_score"] < found["held_out"]["before"]["brier_score"]

    assert calibration(parse(["calibration", "--training", training[:8]])) == 0
    told = capsys.readouterr().out
    assert "185 test rows of 4 hospitals" in told
    before = found["held_out"]["before"]["brier_score"]
    assert f"{before:.3f}" in told

    with pytest.raises(RequestError):
        calibration(parse(["calibration", "--training", "0" * 8]))
