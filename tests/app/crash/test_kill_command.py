"""The command itself, with its own chain, is killed at its n-th line, and then repeated."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from fl.round import STEPS
from tests.app import commandline

TRAIN = ("train", "--rounds", "1", "--json")
# A line before the steps; then those of the statistics, of the donation and of round 1 are told.
# Between any two actions kills `test_kill_trainer`; here it is the command around them that counts.
LAST = 1 + 3 * len(STEPS)
LINES = [*range(1, LAST, 9), LAST]


def kill_at_line(repository: Path, folder: Path, number: int) -> list[str]:
    """Kill the command when its progress has so many lines; return them."""
    lines: list[str] = []
    with commandline.start(repository, folder, *TRAIN) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if len(lines) == number:
                process.kill()
                break
        assert process.wait() == -signal.SIGKILL
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("number", LINES)
def test_the_command_resumes(
    repository: Path, tmp_path: Path, trained: dict[str, Any], number: int
) -> None:
    kill_at_line(repository, tmp_path, number)
    done = commandline.run(repository, tmp_path, *TRAIN)
    assert done.returncode == 0, done.stderr
    # Killed at the very last line, nothing may be left to resume.
    assert number == LAST or "Resuming" in done.stderr
    document = json.loads(done.stdout)
    assert document["model_sha256"] == trained["model_sha256"]
    assert [one["round"] for one in document["rounds"]] == [1]
    verified = commandline.run(repository, tmp_path, "verify")
    assert verified.returncode == 0, verified.stdout
