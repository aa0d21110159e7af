"""The marker `needs`: a missing program is skipped by name, and a failure where CI is set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.setup import programs

MARKED = """\
import pytest

@pytest.mark.needs("{name}")
def test_with_the_program():
    pass
"""


def run_marked(repository: Path, folder: Path, name: str, ci: str | None) -> tuple[int, str]:
    """Run a test that needs the program `name` with nothing on PATH; return status and output."""
    file = folder / "test_marked.py"
    file.write_text(MARKED.format(name=name))
    environ = {key: value for key, value in os.environ.items() if key != "CI"}
    environ |= {"PATH": ""} | ({"CI": ci} if ci else {})
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", "pyproject.toml", "--rootdir", str(folder), str(file)],
        cwd=repository,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# Chromium is looked for on PATH alone, which these tests empty.
ADVICE = f"needs chromium: {programs.get('chromium').get}"


def test_a_missing_program_is_skipped_by_name(repository: Path, tmp_path: Path) -> None:
    status, output = run_marked(repository, tmp_path, "chromium", ci=None)
    assert (status, ADVICE in output, "1 skipped" in output) == (0, True, True), output


def test_with_ci_set_a_missing_program_is_a_failure(repository: Path, tmp_path: Path) -> None:
    status, output = run_marked(repository, tmp_path, "chromium", ci="true")
    assert (status, ADVICE in output, "1 passed" in output) == (1, True, False), output


@pytest.mark.parametrize("ci", [None, "true"])
def test_an_unknown_program_is_an_error(repository: Path, tmp_path: Path, ci: str | None) -> None:
    status, output = run_marked(repository, tmp_path, "gnache", ci)
    assert status == 1
    assert "unknown program 'gnache'" in output
