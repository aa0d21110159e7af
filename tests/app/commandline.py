"""The application's command line in a process of its own, as `run.py` calls it after the set-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """\
import sys
from app.cli import main
from app.setup.commandline import parse
sys.exit(main(parse(sys.argv[1:])))
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a command in the installation at `folder`, free of the developer's own."""
    ours = ("CONSILIUM_", "DATABASE_URL", "CHAIN_RPC_URL")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return inherited | {"CONSILIUM_INSTANCE": str(folder), "OMP_NUM_THREADS": "1"} | more


def start(repository: Path, folder: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Start a command; its words come in pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        cwd=repository,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    repository: Path, folder: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `more` are variables of its environment."""
    with start(repository, folder, *arguments, **more) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
