"""The measurement of watched rounds counts what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from bench import watched
from bench.processes import Peak, ServerProcesses
from bench.watched import BLOCK_ROUNDS, EARLY_ROUNDS, Round, Watched


class Watchers:
    """Notes when watching begins and ends."""

    def __init__(self) -> None:
        self.wishes: list[bool] = []

    def watch(self, wanted: bool) -> None:
        self.wishes.append(wanted)


def test_blocks_alternate_and_the_round_of_a_change_is_left_out() -> None:
    watchers, blocks = Watchers(), 4
    finalised: Iterator[int] = iter(range(1, EARLY_ROUNDS + blocks * BLOCK_ROUNDS + 2))
    found = watched._alternate(finalised, watchers, ServerProcesses(os.getpid()))
    alone, together = [False] * (BLOCK_ROUNDS - 1), [True] * (BLOCK_ROUNDS - 1)
    counted = [one.watched for one in found]
    assert counted[-4 * len(alone) :] == alone + together + alone + together
    assert watchers.wishes == [True, False, True, False, False]


def test_ratio_is_of_medians() -> None:
    rounds = [Round(False, 1, 2, 0), Round(False, 3, 2, 0), Round(False, 2, 2, 0)]
    found = Watched([*rounds, Round(True, 3, 3, 1)], {}, Peak())
    assert found.ratio("seconds") == 1.5
    assert found.ratio("worker") == 1.5


def test_processes_are_told_apart_and_have_memory_and_time() -> None:
    words = [sys.executable, "-c", "import sys; sys.stdin.read()", "app.worker"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as child:
        processes = ServerProcesses(os.getpid())
        assert child.pid in processes.by_name()["worker"]
        assert os.getpid() in processes.by_name()["supervisor"]
        assert processes.bytes()["worker"] > 100_000
        assert processes.processor_seconds("supervisor") > 0
        assert ServerProcesses(child.pid).processor_seconds("chain") == 0


def test_peak_is_the_greatest_sum() -> None:
    peak = Peak()
    for now in ({"web": 3, "chain": 1}, {"web": 2, "chain": 4}, {"web": 5, "chain": 0}):
        peak.see(now)
    assert (peak.sum, peak.bytes) == (6, {"web": 2, "chain": 4})
