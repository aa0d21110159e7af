"""The server's processes: started, watched, started again, and ended with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.parent import CANNOT_RUN

ROOT = Path(__file__).resolve().parent.parent.parent

# A process that lived this long had started well; what ends sooner is waited for ever longer.
STEADY_SECONDS = 10.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
MOST_FAILURES = 5
_TAIL = 600


class Child:
    """One process: `command` is asked for the words of each life of it, `log` takes what it says.

    It holds the reading end of a pipe as its standard input, so that it learns of its parent's
    death, even by SIGKILL. Variables of the environment that are `hidden` are not handed on to it.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        log: Path,
        descriptors: Sequence[int] = (),
        hidden: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._early_deaths = 0
        self._failures = 0
        self._command = command
        self._log = log
        self._descriptors = descriptors
        self._hidden = frozenset(hidden)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        """The number of the process, or None before its first life."""
        return self._process.pid if self._process else None

    @property
    def died(self) -> int | None:
        """How the present life ended (negative: by that signal), or None while it lasts."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Begin a life."""
        self._close_pipe()
        self._started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603, no shell, and no word from outside
                [sys.executable, "-m", *self._command(), "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={name: os.environ[name] for name in os.environ.keys() - self._hidden},
                pass_fds=tuple(self._descriptors),
                # The terminal's interrupt is for the parent, which decides when they end.
                start_new_session=True,
            )

    def pause(self) -> float:
        """Count a death; how many seconds to wait before the next life."""
        if time.monotonic() - self._started > STEADY_SECONDS:
            self._early_deaths = self._failures = 0
        self._early_deaths += 1
        # A signal tells nothing about whether it can run.
        self._failures += (self.died or 0) > 0
        return min(FIRST_PAUSE * 2.0 ** (self._early_deaths - 1), LONGEST_PAUSE)

    @property
    def is_hopeless(self) -> bool:
        """Whether another life would end as the last ones: at once, and by itself."""
        return self.died == CANNOT_RUN or self._failures >= MOST_FAILURES

    def ask_to_end(self) -> None:
        """Close the pipe: the process finishes what it is at and ends."""
        self._close_pipe()

    def wait(self, seconds: float) -> None:
        """Wait for the end; after so many seconds, kill. Safe: all state is on disk."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The end of what it said."""
        try:
            return self._log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
