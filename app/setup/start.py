"""From the command line to the application: set up what is missing, then continue inside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.setup import commandline, doctor
from app.setup.console import Console
from app.setup.environment import Environment
from app.setup.errors import InstallFailed, SetupError
from app.setup.process import replace_process
from app.setup.stamp import DEVELOPMENT

STATUS_SETUP_FAILED = 3
STATUS_INTERRUPTED = 130


def main(arguments: Sequence[str], root: str) -> int:
    """Carry out a command line in the repository at `root`; return the exit status."""
    console = Console()
    try:
        return _dispatch(list(arguments), Path(root), console)
    except SetupError as error:
        if isinstance(error, InstallFailed):
            console.say(error.output)
        console.say(f"\n{error}\n{error.advice}")
        return STATUS_SETUP_FAILED
    except KeyboardInterrupt:
        console.say(
            "\nInterrupted. A training that was under way goes on with the next start,"
            "\nor in a server that runs already; an administrator can stop it there."
        )
        return STATUS_INTERRUPTED


def pytest_command(python: Path, args: argparse.Namespace) -> list[str]:
    """Return the command that runs the tests that `args` (of `run.py test`) asks for."""
    chosen = {(False, False): ["-m", "not slow"], (True, False): [], (False, True): ["-m", "slow"]}
    which = chosen[args.slow, args.slow_only]
    # A module's tests share what is costly to start, so modules are what the cores divide.
    own = any(word.startswith(("-n", "--numprocesses")) for word in args.pytest_args)
    cores = [] if own else ["-n", "auto", "--dist", "loadscope"]
    return [str(python), "-m", "pytest", *which, *cores, *args.pytest_args]


def _dispatch(arguments: list[str], root: Path, console: Console) -> int:
    args = commandline.parse(arguments)
    environment = Environment(root, console)
    if args.command == "doctor":
        return doctor.report(root, environment, sys.stdout)
    if args.command == "test":
        environment.ensure(DEVELOPMENT)
        os.chdir(root)
        replace_process(pytest_command(environment.python, args))
    environment.ensure()
    if not environment.is_active():
        replace_process([str(environment.python), str(root / "run.py"), *arguments])
    from app.cli import main as run_command  # needs what was installed just now

    return run_command(args)
