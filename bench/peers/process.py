"""An engine's process, asked from the bench."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 900.0  # that an answer may take
# One thread a party: more only wait for each other on a machine with fewer cores than threads.
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR")
}


class EngineFailed(Exception):
    """The process ended, or did not answer in time; says what it printed last."""


class EngineProcess:
    """Runs `bench.peers.with_NAME` until it is closed."""

    def __init__(self, name: str, python: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603, no word from outside
            [str(python), "-W", "ignore", "-m", f"bench.peers.with_{name}"],
            cwd=ROOT,
            env=os.environ | ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        try:
            self.versions: dict[str, str] = self._answer()["versions"]
        except EngineFailed:
            self.close()
            raise

    def ask(self, **request: str | float) -> dict[str, Any]:
        """One measurement. Raises EngineFailed."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EngineFailed(self._last_words()) from None
        return self._answer()

    def close(self) -> None:
        """End it, with its parties."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        # An answer is one line and is written at once, so nothing is left in the buffer after it.
        assert self._process.stdout
        if not self._selector.select(SECONDS):
            raise EngineFailed(f"no answer in {SECONDS:.0f} s")
        if not (line := self._process.stdout.readline()):
            raise EngineFailed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._process.wait(30)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"exit status {self._process.returncode}"
        return said.replace(str(ROOT), ".")
