"""An engine as a process: a request a line in, a measurement a line out, both JSON.

Request: `{"task": "mlp", "models": 1, "rows": 256, "seconds": 0.5}`. The first one of a task
prepares it (sharing, compiling, warming up, comparing answers with float64's); then the inference
is repeated for about `seconds` of wall time, and the mean of one is answered. Standard
library and numpy only: each peer's environment runs this.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Protocol, TextIO

import numpy as np

from bench.peers.tasks import Task, make_task

WARM_UP = 0.2  # seconds, and at least one inference


class Prepared(Protocol):
    """A task whose models and rows lie shared with the parties."""

    share_of_rows: float  # how much of the task is computed; 1 unless that takes too long

    def infer(self) -> None:
        """All models on all rows, to shares of the predicted classes (or the classes)."""

    def classes(self) -> np.ndarray:
        """What the last inference predicted, opened, (models, rows computed)."""

    def traffic(self) -> dict[str, int | None]:
        """`rounds` and `bytes` of one inference, over all parties, or None where uncounted."""


class Engine(Protocol):
    """A way to compute a task."""

    def prepare(self, task: Task) -> Prepared:
        """Share and compile."""

    def processes(self) -> Iterable[int]:
        """The parties' processes, besides this one."""

    def versions(self) -> dict[str, str]:
        """Packages that matter, and how they are set up."""


def serve(engine: Engine, replies: TextIO) -> None:
    """Answer requests until there are no more."""
    _reply(replies, {"versions": engine.versions()})
    prepared: dict[tuple[str, int, int], tuple[Prepared, dict[str, float | None]]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = (request["task"], request["models"], request["rows"])
        if key not in prepared:
            prepared.clear()  # only one at a time: eight CNNs fill gigabytes
            prepared[key] = _prepare(engine, make_task(*key))
        task, facts = prepared[key]
        _reply(replies, facts | _measure(engine, task, request["seconds"]))


def quiet_stdout() -> TextIO:
    """The standard output for replies; what packages print goes to standard error instead."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


def process_seconds(process: int) -> float:
    """CPU seconds, user and system, of all threads of a process.

    The clock's number is made as in clock_getcpuclockid (Linux: the inverted number shifted by
    three, with 2 for the scheduler's nanoseconds).
    """
    return time.clock_gettime((~process << 3) | 2)


def _prepare(engine: Engine, task: Task) -> tuple[Prepared, dict[str, float | None]]:
    ready = engine.prepare(task)
    start = time.perf_counter()
    ready.infer()
    while time.perf_counter() - start < WARM_UP:
        ready.infer()
    predicted = np.asarray(ready.classes())
    rows = predicted.shape[1]
    right = (predicted == task.classes()[:, :rows]) | task.doubtful()[:, :rows]
    return ready, {"right": float(right.mean()), "share": ready.share_of_rows, **ready.traffic()}


def _measure(engine: Engine, task: Prepared, seconds: float) -> dict[str, float]:
    processes = [os.getpid(), *engine.processes()]
    count, start = 0, time.perf_counter()
    before = sum(map(process_seconds, processes))
    while (wall := time.perf_counter() - start) < seconds or not count:
        task.infer()
        count += 1
    cpu = sum(map(process_seconds, processes)) - before
    scale = count * task.share_of_rows
    return {"cpu": cpu / scale, "wall": wall / scale, "inferences": count}


def _reply(replies: TextIO, answer: object) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()
