"""Processor time and memory of a server's processes, from Linux's /proc."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What tells a process of the server from the others, in its command line.
_MARKS = {"app.server": "web", "app.worker": "worker", "contracts.embedded": "chain"}
_TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcesses:
    """The processes below `root`: web, worker, chain, and the supervisor, which is `root`."""

    def __init__(self, root: int) -> None:
        self._root = root

    def by_name(self) -> dict[str, list[int]]:
        """The numbers of the living ones; what a named one has started counts as its own."""
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            fields = _stat(int(folder.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(folder.name))
        found: dict[str, list[int]] = {}
        waiting = [(self._root, "supervisor")]
        while waiting:
            number, above = waiting.pop()
            name = next((n for mark, n in _MARKS.items() if mark in _words(number)), above)
            found.setdefault(name, []).append(number)
            waiting += [(child, name) for child in children.get(number, ())]
        return found

    def processor_seconds(self, name: str) -> float:
        """User and system time so far of the processes of this name, and of their ended ones."""
        stats = [_stat(number) for number in self.by_name().get(name, ())]
        return sum(sum(int(ticks) for ticks in stat[11:15]) for stat in stats if stat) / _TICKS

    def bytes(self) -> dict[str, int]:
        """The proportional share (PSS) of memory of each name, now."""
        return {
            name: sum(_pss(number) for number in numbers)
            for name, numbers in self.by_name().items()
        }


class Peak:
    """The greatest sum of PSS that was seen, and what each name had at that moment."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}

    @property
    def sum(self) -> int:
        """All of it, in bytes."""
        return sum(self.bytes.values())

    def see(self, now: dict[str, int]) -> None:
        """Keep what is more than before."""
        if sum(now.values()) > self.sum:
            self.bytes = now


@contextmanager
def watch_memory(processes: ServerProcesses, seconds: float = 1.0) -> Iterator[Peak]:
    """Look at the memory every so many seconds until the block ends."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        while not over.wait(seconds):
            peak.see(processes.bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak.see(processes.bytes())


def _stat(number: int) -> list[str]:
    """The fields of /proc/N/stat from the third on; empty when the process has ended."""
    try:
        # The second field, the name, may hold spaces and brackets.
        return Path(f"/proc/{number}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _words(number: int) -> list[str]:
    try:
        return Path(f"/proc/{number}/cmdline").read_text("utf-8").split("\0")
    except OSError:
        return []


def _pss(number: int) -> int:
    try:
        told = Path(f"/proc/{number}/smaps_rollup").read_text("utf-8")
    except OSError:
        return 0
    return next(int(s.split()[1]) * 1024 for s in told.splitlines() if s.startswith("Pss:"))
