"""What people who watch a live page cost its training: rounds with them and without, in turn.

Blocks of rounds alternate, so that a machine that is busy with other things is so for both; the
first round after each change is left out, for the watchers come or leave in it.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from bench.processes import Peak, ServerProcesses, watch_memory
from bench.visitor import ROOT, Site, Visitor, new_site, start_training

BLOCK_ROUNDS = 4
# The rounds before the first block: the worker compiles and the pages are asked for first.
EARLY_ROUNDS = 2
LOOK_SECONDS = 0.01
MOST_RATIO = 1.1
MOST_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Round:
    """A round: whether it was watched, and what it took by the clock and of each processor."""

    watched: bool
    seconds: float
    worker: float
    web: float


@dataclass(frozen=True)
class Watched:
    """The counted rounds, what the watchers saw, and the memory at its peak."""

    rounds: list[Round]
    tally: dict[str, Any]
    peak: Peak

    def middle(self, watched: bool, key: str) -> float:
        """The median over the rounds of one kind."""
        values: list[float] = [getattr(o, key) for o in self.rounds if o.watched == watched]
        return median(values)

    def ratio(self, key: str) -> float:
        """The median of watched rounds over that of unwatched ones."""
        return self.middle(True, key) / self.middle(False, key)


class Watchers:
    """The process of the watchers (see `bench.watchers`)."""

    def __init__(self, site: Site, path: str, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.watchers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        told = {"address": site.address, "path": path, "count": count}
        self._say(json.dumps(told | {"email": site.email, "password": site.password}))
        assert self._pipe(self._process.stdout).readline() == "ready\n"

    def watch(self, wanted: bool) -> None:
        """Have them watch, or rest."""
        self._say("watch" if wanted else "rest")

    def end(self) -> dict[str, Any]:
        """Have them leave; what they saw."""
        told, _ = self._process.communicate(timeout=120)
        result: dict[str, Any] = json.loads(told)
        return result

    def _say(self, line: str) -> None:
        pipe = self._pipe(self._process.stdin)
        pipe.write(line + "\n")
        pipe.flush()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe
        return pipe


@contextmanager
def _rounds_of(folder: Path, training: str) -> Iterator[Iterator[int]]:
    """The number of each round of a training as it is finalised, read beside the server."""
    query = (
        "SELECT (SELECT count(*) FROM attempts WHERE training_id = ? AND state = 'finalised'"
        " AND round BETWEEN 1 AND 1000000), (SELECT state FROM trainings WHERE id = ?)"
    )

    def numbers() -> Iterator[int]:
        last, state = 0, "running"
        while state == "running":
            count, state = database.execute(query, (training, training)).fetchone()
            if count > last:
                last = count
                yield count
            time.sleep(LOOK_SECONDS)
        assert state == "finished", f"the training is {state}"

    with closing(sqlite3.connect(folder / "consilium.db", timeout=30)) as database:
        yield numbers()


def measure(count: int, rounds: int) -> Watched:
    """Run a training with `count` watchers in every other block of rounds."""
    with new_site() as site:
        path = start_training(Visitor(site.address, site.email, site.password), rounds)
        watchers = Watchers(site, path, count)
        processes = ServerProcesses(site.pid)
        with (
            watch_memory(processes) as peak,
            _rounds_of(site.folder, path.rsplit("/", 1)[1]) as finalised,
        ):
            found = _alternate(finalised, watchers, processes)
        return Watched(found, watchers.end(), peak)


def _alternate(
    finalised: Iterator[int], watchers: Watchers, processes: ServerProcesses
) -> list[Round]:
    found: list[Round] = []
    watched, in_block, before = False, -EARLY_ROUNDS, (0.0, 0.0, 0.0)
    for _ in finalised:
        now = (
            time.perf_counter(),
            processes.processor_seconds("worker"),
            processes.processor_seconds("web"),
        )
        if in_block > 0:
            found.append(Round(watched, *(b - a for a, b in zip(before, now, strict=True))))
        before = now
        in_block += 1
        if in_block == BLOCK_ROUNDS:
            watched, in_block = not watched, 0
            watchers.watch(watched)
    watchers.watch(False)
    return found


def print_watched(found: Watched, count: int) -> None:
    """Print what a round took without watchers and with them, their answers, and the memory."""
    numbers = {kind: sum(one.watched == kind for one in found.rounds) for kind in (False, True)}
    print(f"\nmedian round, s{'no watcher':>30}{f'{count} watchers':>14}{'ratio':>8}")
    for key, title in (
        ("seconds", "wall clock"),
        ("worker", "processor, worker"),
        ("web", "processor, web process"),
    ):
        a, b = found.middle(False, key), found.middle(True, key)
        ratio = f"{b / a:>8.2f}" if key != "web" else ""
        print(f"  {title:<28}{a:>15.2f}{b:>14.2f}{ratio}")
    print(f"  rounds{numbers[False]:>37}{numbers[True]:>14}")
    print(f"\n{'answers':<24}{'n':>6}{'median ms':>12}{'slowest ms':>12}")
    for kind, seconds in found.tally["seconds"].items():
        middle, most = 1000 * median(seconds), 1000 * max(seconds)
        print(f"  {kind:<22}{len(seconds):>6}{middle:>12.1f}{most:>12.1f}")
    print(f"  failures: {found.tally['failures'] or 'none'}")
    print(f"\nmemory at its peak (PSS), MiB of {MOST_BYTES // 2**20}")
    for name, size in sorted(found.peak.bytes.items()):
        print(f"  {name:<22}{size / 2**20:>6.0f}")
    print(f"  {'all':<22}{found.peak.sum / 2**20:>6.0f}")
