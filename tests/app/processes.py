"""The worker, and the whole server, as processes that a test starts, kills and waits for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.app.commandline import environment

DEADLINE_SECONDS = 240

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], alive: Callable[[], bool] = lambda: True) -> Found:
    """What `look` finds once it finds something; an error when `alive` ends before that."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert alive(), "the process ended before what was waited for came"
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)
    return found


@contextmanager
def worker(
    repository: Path, folder: Path, owner: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the installation at `folder`; killed at the end if it still runs."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.worker", "--owner", owner, "--until-stdin-closes"],
            cwd=repository,
            env=environment(folder, **more),
            stdin=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield process
    finally:
        kill(process)
        assert process.stdin is not None
        process.stdin.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as `kill -9` does, and wait for its end."""
    process.send_signal(signal.SIGKILL)
    process.wait()
