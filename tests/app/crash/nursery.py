"""Starts the driver and lets it live lives: a training run until it ends or is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.app.crash.actions import timeless
from tests.app.crash.driver import BROKEN, CHAIN_GONE, FAILED, FINISHED

__all__ = [
    "BROKEN",
    "CHAIN_GONE",
    "FAILED",
    "FINISHED",
    "Course",
    "Install",
    "Installation",
    "Nursery",
    "Undisturbed",
]

# What a resumed training does again without coming further. A review's session is in memory only,
# so all that it writes is written again until a life sees it through.
AGAIN = re.compile(
    r"head writes|erased|start/(CREATE|ALTER|DROP|sends deploy|commits INSERT INTO parties)"
    r"|/review/(node|commits INSERT INTO messages)"
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREE = ("Cleveland", "Hungary", "Switzerland")


@dataclass(frozen=True)
class Course:
    """What is trained. `broken` maps parties to the step that they refuse in rounds from 1 on."""

    rounds: int = 1
    hospitals: Sequence[str] = THREE
    nodes: int = 3
    seed: int = 7
    broken: Mapping[str, str] = field(default_factory=dict)


class Nursery:
    """The driver's process."""

    def __init__(self, repository: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.crash.driver"],
            cwd=repository,
            # Threads do not survive a fork, and each life is to be cheap.
            env=os.environ | dict.fromkeys(THREADS, "1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, life: Mapping[str, object]) -> int | None:
        """Live a life; its exit status, or None when it was killed as it should."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(life) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["signal"] in (None, signal.SIGKILL), answer
        status: int | None = answer["status"]
        assert status != BROKEN, "the training broke: see its traceback on standard error"
        return status

    def close(self) -> None:
        """End the driver."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


class Installation:
    """A folder in which a training is begun, killed and resumed; without `chain` it has its own."""

    def __init__(self, nursery: Nursery, folder: Path, course: Course, chain: str) -> None:
        self._nursery = nursery
        self.folder = folder
        self.course = course
        self.chain = chain
        self.lives = 0

    @property
    def words(self) -> Path:
        """The hashes of everything that parties said, over all lives."""
        return self.folder.with_suffix(".words")

    def live(
        self, kill: str | None = None, *, after: bool = False, victim: str = "trainer"
    ) -> int | None:
        """Start or resume the training; None when it was killed at the action `kill`."""
        done = [name for life in range(1, self.lives + 1) for name in self.actions(life)]
        self.lives += 1
        life = {
            **asdict(self.course),
            "folder": str(self.folder),
            "chain": self.chain,
            "log": str(self._log(self.lives)),
            "kill": kill,
            "after": after,
            "victim": victim,
            "known": [timeless(name) for name in done if AGAIN.search(name)],
        }
        self._log(self.lives).touch()
        return self._nursery.live(life)

    def actions(self, life: int | None = None) -> list[str]:
        """The actions of a life, the last one by default."""
        return self._log(life or self.lives).read_text().splitlines()

    def _log(self, life: int) -> Path:
        return self.folder.with_suffix(f".life-{life}")


Install = Callable[..., Installation]


@dataclass(frozen=True)
class Undisturbed:
    """A training without a kill: the result of each round, and the actions of each."""

    results: list[str]
    actions: list[str]

    def upto(self, round_number: int) -> list[str]:
        """The results of the rounds up to one, round 0 included."""
        return self.results[: round_number + 1]

    def step(self, step: str) -> list[str]:
        """The actions of a step of round 1."""
        return [name for name in self.actions if name.startswith(f"1/{step}/")]
