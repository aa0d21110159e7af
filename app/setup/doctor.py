"""`run.py doctor`: what was found on this machine, what needs it, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from app.setup import checks, programs
from app.setup.checks import Row, Status
from app.setup.environment import Environment


def report(
    root: Path, environment: Environment, out: TextIO, environ: Mapping[str, str] = os.environ
) -> int:
    """Write the report to `out`; return 1 if something keeps the application from running."""
    rows = examine(root, environment, environ)
    out.write(render(rows))
    return exit_status(rows)


def examine(root: Path, environment: Environment, environ: Mapping[str, str]) -> list[Row]:
    """Look at everything and return the rows in the order of the report."""
    settings = {**_read_env_file(root / ".env"), **environ}
    url = settings.get("CHAIN_RPC_URL")
    instance = Path(settings.get("CONSILIUM_INSTANCE") or root / "instance")
    rows = [
        checks.check_python(),
        checks.check_environment(environment),
        checks.check_disk(root, environment.is_current()),
        checks.check_memory(),
        checks.check_clock(root),
        checks.check_loopback(),
        checks.check_instance(instance),
        checks.check_passphrase(instance),
    ]
    if url:
        rows.append(checks.check_chain(url))
    rows.append(checks.check_libgl())
    return rows + [checks.check_program(program, root) for program in programs.PROGRAMS]


def render(rows: Iterable[Row]) -> str:
    """Return the rows as text: a line each, and a line with what to do where it is needed."""
    lines = []
    problems = missing = 0
    for row in rows:
        lines.append(f"{row.status.value:<8} {row.subject:<12} {row.found} - for {row.needed_for}")
        if row.advice:
            lines.append(f"{'':<21} do: {row.advice}")
        problems += row.status is Status.PROBLEM
        missing += row.status is Status.MISSING
    lines.append("")
    lines.append(_summary(problems, missing))
    return "\n".join(lines) + "\n"


def exit_status(rows: Iterable[Row]) -> int:
    """Return 1 if one of the rows is a problem, else 0."""
    return int(any(row.status is Status.PROBLEM for row in rows))


def _read_env_file(path: Path) -> dict[str, str]:
    # The application reads the file with python-dotenv, which is not there before the set-up; plain
    # lines NAME=VALUE are all that is needed here.
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _summary(problems: int, missing: int) -> str:
    optional = f" Missing, and not needed to train: {missing}." if missing else ""
    if problems:
        return f"Problems that keep the application from running: {problems}.{optional}"
    return f"Nothing keeps the application from running.{optional}"
