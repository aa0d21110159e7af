"""The gas of every operation of the contract, kept in `gas.json`: what a change costs shows there.

For whoever changes a source: `python -m contracts.gas` writes the file, with `--check` it only
compares. Measured on a new embedded chain, in a training with four hospitals and four nodes: the
least and the most of an operation over two rounds (what is stored for the first time, or completes
a quorum, costs more).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from contracts.administration import accounts, administration
from contracts.artifact import CONTRACTS
from contracts.chain import connect
from contracts.course import DEPUTY, Course, Phase, course_account, course_key
from contracts.ledger import Ledger
from contracts.rpc import Rpc

SNAPSHOT = Path(__file__).parent / "gas.json"
HOSPITALS = NODES = 4
ROUNDS = 2

Gas = dict[str, dict[str, int]]


def measure() -> Gas:
    """The least and the most gas of each operation, by the contract's name of it.

    Raises ChainNotStarted.
    """
    spent: dict[str, list[int]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, connect(Path(folder)) as endpoint:
        deputy = course_account(DEPUTY)
        coordinator = Ledger.deploy(endpoint.url, course_key("coordinator"), deputy)
        *deployed, bound, attached = deployment_gas(endpoint.url)
        spent["deploy"].append(sum(deployed))
        spent["bind"].append(bound)
        spent["attach"].append(attached)
        course = Course(coordinator, "gas", HOSPITALS, NODES)
        other = Course(coordinator, "another", HOSPITALS, NODES)
        try:
            for phase in _phases(coordinator, course):
                spent[phase.operation] += [call().gas for call in phase.calls]
            for phase in _whole(other, rejected=1):
                for call in phase.calls:
                    call()
            for phase in (*course.come_back(), *other.appeal(ROUNDS - 1)):
                spent[phase.operation] += [call().gas for call in phase.calls]
        finally:
            for one in (course, other):
                one.close()
            coordinator.close()
    return {name: {"least": min(gas), "most": max(gas)} for name, gas in sorted(spent.items())}


def load() -> Gas:
    """What was measured last. Raises FileNotFoundError when there is no snapshot."""
    snapshot: Gas = json.loads(SNAPSHOT.read_text("utf-8"))
    return snapshot


def deployment_gas(url: str) -> list[int]:
    """The gas of the last transactions at `url`, where a federation was just deployed.

    One for each contract, the federation's last; then the calls that bind the models to it and
    attach the appeals.
    """
    with Rpc(url) as rpc:
        last = int(rpc.call("eth_blockNumber"), 16)
        blocks = range(last - len(CONTRACTS) - 1, last + 1)
        found = [rpc.call("eth_getBlockByNumber", hex(one), False) for one in blocks]
        receipts = [rpc.call("eth_getTransactionReceipt", one["transactions"][0]) for one in found]
        return [int(one["gasUsed"], 16) for one in receipts]


def differences(old: Gas, new: Gas) -> list[str]:
    """A sentence for each operation that costs something else in `new` than in `old`."""
    nothing = {"least": 0, "most": 0}
    return [
        f"{name}: {_text(old.get(name, nothing))} before, {_text(new.get(name, nothing))} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def main() -> int:
    """Write the snapshot, or compare with `--check` (exit status 1 when it differs)."""
    parser = argparse.ArgumentParser(prog="contracts.gas", description="the gas of each operation")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    fresh = measure()
    changed = differences(load() if SNAPSHOT.exists() else {}, fresh)
    for line in changed or ["the snapshot is current"]:
        sys.stdout.write(f"{line}\n")
    if check:
        return 1 if changed else 0
    SNAPSHOT.write_text(json.dumps(fresh, indent=1) + "\n", "utf-8")
    return 0


def _phases(coordinator: Ledger, course: Course) -> Iterator[Phase]:
    yield from _whole(course)
    hospitals = accounts(Course.names("gas", HOSPITALS, 0))
    nodes = accounts(Course.names("gas", 0, NODES))
    yield from administration(coordinator, hospitals, nodes)


def _whole(course: Course, rejected: int = 0) -> Iterator[Phase]:
    yield from course.start()
    for number in range(ROUNDS):
        yield from course.round(number, rejected)
    yield from course.end(ROUNDS)


def _text(gas: dict[str, int]) -> str:
    least, most = gas["least"], gas["most"]
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


if __name__ == "__main__":
    sys.exit(main())
