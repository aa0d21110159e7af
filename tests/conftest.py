"""What all tests share: programs that a test needs, and hypothesis without a clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from app.setup import programs

ROOT = Path(__file__).resolve().parent.parent

# A deadline would make a property depend on how busy the machine is.
settings.register_profile("consilium", deadline=None)
settings.load_profile("consilium")


def pytest_configure(config: pytest.Config) -> None:
    """Let tests find by name, on PATH, whatever `programs.find` finds."""
    on_path = os.environ.get("PATH", "").split(os.pathsep)
    more = [str(folder) for folder in programs.folders(ROOT) if str(folder) not in on_path]
    os.environ["PATH"] = os.pathsep.join([*on_path, *more])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing, by name; fail it where CI promises them."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            program = programs.get(name)
            if programs.find(program, ROOT) is None:
                reason = f"needs {name}: {program.get}"
                if os.environ.get("CI"):
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the folder that holds run.py."""
    return ROOT
