"""Parties that are processes: the engine's process asks all of them, each does its part.

Standard library only: each peer's environment imports this.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from bench.peers.tasks import Task


class Part(Protocol):
    """What a party does; every party is told the same, in the same order."""

    def prepare(self, task: Task) -> None:
        """Share the models and rows."""

    def infer(self) -> None:
        """This party's part of an inference."""

    def classes(self) -> np.ndarray:
        """Of the last inference, opened, (models, rows)."""

    def traffic(self) -> tuple[int | None, int]:
        """`rounds` and `bytes` of one more inference, this party's part."""


class Parties:
    """Processes of equals, started once."""

    def __init__(self, start: Callable[[int, str], Part], count: int, meeting: str) -> None:
        """`start` makes a part of its rank and of the place where the parties meet."""
        spawning = multiprocessing.get_context("spawn")
        self._connections = []
        self.processes = []
        for rank in range(count):
            here, there = spawning.Pipe()
            process = spawning.Process(
                target=_follow, args=(start, rank, meeting, there), daemon=True
            )
            process.start()
            there.close()
            assert process.pid
            self.processes.append(process.pid)
            self._connections.append(here)
        self.ask()

    def ask(self, name: str = "", *words: object) -> list[Any]:
        """What the parties answer; a party that is gone raises EOFError here."""
        for connection in self._connections:
            connection.send((name, words))
        return [connection.recv() for connection in self._connections]


class PartiesTask:
    """A task that lies with the parties."""

    def __init__(self, parties: Parties, task: Task, share_of_rows: float) -> None:
        self._parties = parties
        self.share_of_rows = share_of_rows
        parties.ask("prepare", task)

    def infer(self) -> None:
        """By all."""
        self._parties.ask("infer")

    def classes(self) -> np.ndarray:
        """As the first party opened them."""
        opened: np.ndarray = self._parties.ask("classes")[0]
        return opened

    def traffic(self) -> dict[str, int | None]:
        """The longest count of rounds; everybody's bytes, for all rows."""
        rounds, sent = zip(*self._parties.ask("traffic"), strict=True)
        counted = None if None in rounds else max(rounds)
        return {"rounds": counted, "bytes": round(sum(sent) / self.share_of_rows)}


def _follow(
    start: Callable[[int, str], Part], rank: int, meeting: str, connection: Connection
) -> None:
    part = start(rank, meeting)
    while True:
        try:
            name, words = connection.recv()
        except EOFError:
            return
        connection.send(getattr(part, name)(*words) if name else None)
