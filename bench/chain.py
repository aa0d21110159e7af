"""What the contract's operations cost on each chain: `python -m bench.chain [--quick]`.

On the embedded chain, and on Ganache and Anvil where they are installed, each new and started as
README says:

  operations    latency (median and 99th percentile, in milliseconds) and gas (median) of each, in
                trainings with 4 hospitals and 4 nodes. Latency is what a party waits: the call that
                asks whether the contract would refuse, signing, sending, the receipt. `n` is how
                often; of few, the 99th percentile is close to the longest
  rounds        transactions a second in a whole round (opening, joins, submissions, reveals,
                agreement, votes, and what is read in between) with 8, 32 and 100 hospitals and 4
                nodes, parties calling from 16 threads of one process; the median of the rounds. The
                contract takes at most 64 hospitals a training, so 100 are two trainings of 50 side
                by side, each with its own nodes, under one coordinator, who calls one by one
  length        embedded chain only: the time of a `register` on a chain of 10,000 blocks over the
                same on one of 10, both running, taken in turn; the ratio of medians

The chains take turns, so that a busy machine is busy for all; clients and chains run on the same
one, so figures are for comparing chains, not for what a machine could do. Takes about ten minutes
on a quiet machine; `--quick` takes one of everything and a chain of 500 blocks, and writes no file.
Without it, bench/results/chain.json is written.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from app.setup import programs
from bench.long_chain import SHORT, length
from bench.verification import machine
from contracts.administration import DOCTORS, accounts, administration
from contracts.chain import ChainEndpoint, connect, fund
from contracts.course import DEPUTY, Course, Phase, course_account, course_key
from contracts.gas import deployment_gas
from contracts.ledger import Ledger
from tests.contracts import external

RESULTS = Path(__file__).parent / "results" / "chain.json"
NODES = 4
THREADS = 16
# By what the table calls it: the hospitals of each training that runs at the same time.
ROUNDS = {"8": [8], "32": [32], "100": [50, 50]}

Start = Callable[[Path], AbstractContextManager[ChainEndpoint]]
Figures = dict[str, dict[str, Any]]


def _ganache(folder: Path) -> AbstractContextManager[ChainEndpoint]:
    # Its first account pays for all, and a thousand ether are too few for this many parties.
    return external.ganache(folder, "--wallet.defaultBalance", "1000000")


CHAINS: dict[str, Start] = {"embedded": connect, "ganache": _ganache, "anvil": external.anvil}


def installed() -> list[str]:
    """The chains that can be started here."""
    return [
        name
        for name in CHAINS
        if name == "embedded" or programs.find(programs.get(name), external.ROOT)
    ]


def open_course(endpoint: ChainEndpoint, lead: Ledger, name: str, hospitals: int) -> Course:
    """A course whose parties can pay."""
    names = Course.names(name, hospitals, NODES)
    fund(endpoint, map(course_account, (DEPUTY, *DOCTORS, *names)))
    return Course(lead, name, hospitals, NODES)


def operations(
    endpoints: Mapping[str, ChainEndpoint], courses: int, rounds: int
) -> dict[str, Figures]:
    """Latency and gas by chain and operation, over so many trainings of so many rounds in turn."""
    samples = {name: Samples() for name in endpoints}
    for number in range(courses):
        for name, endpoint in endpoints.items():
            samples[name].take(endpoint, number, rounds)
    return {name: one.figures() for name, one in samples.items()}


class Samples:
    """What the operations took on one chain so far."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._gas: dict[str, list[int]] = defaultdict(list)

    def take(self, endpoint: ChainEndpoint, number: int, rounds: int) -> None:
        """Add a training, which no other one of this chain may have the number of.

        It has at least two rounds: the first one makes no model. Binding counts to the deployment.
        """
        start = time.perf_counter()
        lead = Ledger.deploy(endpoint.url, course_key("coordinator"), course_account(DEPUTY))
        taken = time.perf_counter() - start
        self._add("deploy", taken, sum(deployment_gas(endpoint.url)[:-2]))
        name = f"operations {number}"
        course = open_course(endpoint, lead, name, 4)
        parties = accounts(Course.names(name, 4, 0)), accounts(Course.names(name, 0, NODES))
        self._time(chain(whole(course, rounds), administration(lead, *parties)))
        # Rolling back needs another model in between, an appeal a rejected hospital.
        other = open_course(endpoint, lead, f"between {number}", 4)
        for phase in whole(other, rounds, rejected=1):
            for call in phase.calls:
                call()
        self._time(chain(course.come_back(), other.appeal(rounds - 1)))
        for ledger in (course, other, lead):
            ledger.close()

    def _time(self, phases: Iterable[Phase]) -> None:
        for phase in phases:
            for call in phase.calls:
                start = time.perf_counter()
                receipt = call()
                self._add(phase.operation, time.perf_counter() - start, receipt.gas)

    def figures(self) -> Figures:
        """The table of the chain."""
        return {
            name: {
                "n": len(taken),
                "median_ms": 1000 * median(taken),
                "p99_ms": 1000 * percentile99(taken),
                "gas": round(median(self._gas[name])),
            }
            for name, taken in self._seconds.items()
        }

    def _add(self, operation: str, seconds: float, gas: int) -> None:
        self._seconds[operation].append(seconds)
        self._gas[operation].append(gas)


def whole(course: Course, rounds: int, rejected: int = 0) -> Iterator[Phase]:
    """A training from its registrations to its end; each round rejects so many hospitals."""
    yield from course.start()
    for number in range(rounds):
        yield from course.round(number, rejected)
    yield from course.end(rounds)


def percentile99(values: list[float]) -> float:
    """The 99th percentile, between the two nearest values; of one value, itself."""
    return quantiles(values, n=100, method="inclusive")[-1] if len(values) > 1 else values[0]


def throughput(endpoint: ChainEndpoint, trainings: list[int], rounds: int) -> dict[str, Any]:
    """Transactions a second in rounds of these trainings, side by side; the median of rounds."""
    lead = Ledger.deploy(endpoint.url, course_key("coordinator"), course_account(DEPUTY))
    names = [f"round {trainings} {number}" for number in range(len(trainings))]
    courses = [
        open_course(endpoint, lead, name, hospitals)
        for name, hospitals in zip(names, trainings, strict=True)
    ]
    for course in courses:
        for phase in course.start():
            for call in phase.calls:
                call()
    taken, sent = [], 0
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(rounds):
            start = time.perf_counter()
            sent = sum(
                run(phases, pool)
                for phases in zip(*(course.round(number) for course in courses), strict=True)
            )
            taken.append(time.perf_counter() - start)
    for course in courses:
        course.close()
    lead.close()
    middle = median(taken)
    return {
        "trainings": trainings,
        "transactions": sent,
        "seconds": middle,
        "per_second": sent / middle,
    }


def run(phases: tuple[Phase, ...], pool: ThreadPoolExecutor) -> int:
    """Do the same phase of each training; how many transactions that were."""
    calls = [call for phase in phases for call in phase.calls]
    if phases[0].parallel:
        for done in [pool.submit(call) for call in calls]:
            done.result()
    else:
        for call in calls:
            call()
    return len(calls)


def show(name: str, figures: Figures, rounds: Figures) -> None:
    """The tables of a chain."""
    print(f"\n{name}\n{'operation':<20} {'n':>5} {'median ms':>10} {'p99 ms':>8} {'gas':>10}")
    for operation, row in figures.items():
        cells = f"{row['n']:>5} {row['median_ms']:>10.1f} {row['p99_ms']:>8.1f} {row['gas']:>10,}"
        print(f"{operation:<20} {cells}")
    for hospitals, row in rounds.items():
        side = " in two trainings" if len(row["trainings"]) > 1 else ""
        print(
            f"round of {hospitals} hospitals{side}: {row['transactions']} transactions in "
            f"{row['seconds']:.2f} s, {row['per_second']:.0f} a second"
        )


def main() -> None:
    """Print the tables, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one of everything, no file")
    quick = parser.parse_args().quick
    courses, rounds, turns, blocks = (1, 2, 20, 500) if quick else (25, 4, 300, 10_000)
    before, names = machine(), installed()
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        endpoints = {}
        for name in names:
            folder = Path(root) / name
            folder.mkdir()
            endpoints[name] = stack.enter_context(CHAINS[name](folder))
            fund(endpoints[name], [course_account("coordinator")])
        figures = operations(endpoints, courses, rounds)
        found: dict[str, Figures] = {name: {} for name in names}
        for hospitals, trainings in ROUNDS.items():
            for name, endpoint in endpoints.items():
                found[name][hospitals] = throughput(endpoint, trainings, rounds)
    for name in names:
        show(name, figures[name], found[name])
    chains = {name: {"operations": figures[name], "rounds": found[name]} for name in names}
    ratio = length(blocks, turns)
    print(
        f"\nembedded, a transaction at {blocks:,} blocks over one at {SHORT}: {ratio['ratio']:.2f} "
        f"({ratio['median_ms'][1]:.1f} over {ratio['median_ms'][0]:.1f} ms)"
    )
    for name in CHAINS.keys() - set(names):
        print(f"{name} is not installed: {programs.get(name).get}")
    if not quick:
        document = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": before | {"load_after": machine()["load_before"]},
            "chains": chains,
            "length": ratio,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
