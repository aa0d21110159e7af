"""Run another program and follow what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

KEPT_LINES = 60

_NOT_FOR_CHILDREN = (
    # Without bytecode caches every start compiles torch and sympy again.
    "PYTHONDONTWRITEBYTECODE",
    "PIP_NO_COMPILE",
    # These lead an environment's Python to packages that are not the environment's.
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
)


@dataclass(frozen=True)
class Finished:
    """How a program ended: its exit status and the last lines of its output."""

    status: int
    output: str


Follow = Callable[[str], None]
Runner = Callable[[Sequence[str], Follow], Finished]


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without what would make a virtual environment's Python slow or impure."""
    return {name: value for name, value in environ.items() if name not in _NOT_FOR_CHILDREN}


def run_and_follow(command: Sequence[str], follow: Follow) -> Finished:
    """Run `command`, hand each line that it prints to `follow`, and return how it ended.

    The child inherits the set-up's lock (see `lock`), so that an installation whose parent was
    killed still keeps others out until it has ended.
    """
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(  # noqa: S603 - the command is the set-up's own list of words
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=child_environment(os.environ),
        close_fds=False,
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            follow(line.strip())
    return Finished(process.returncode, "\n".join(lines))


def replace_process(command: Sequence[str]) -> NoReturn:
    """Continue as `command`; its exit status and signals become this process's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    environ = child_environment(os.environ)
    if sys.platform != "win32":
        os.execve(command[0], list(command), environ)  # noqa: S606 - no shell is wanted
    sys.exit(subprocess.run(list(command), env=environ, check=False).returncode)  # noqa: S603
