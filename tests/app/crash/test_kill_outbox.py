"""The sender, or the chain, is killed with SIGKILL at each step of the outbox.

What was written down is mined in the end, whoever sends it; and everything happened once: the
chain holds as many transactions as there were things to do, and none that failed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from sqlalchemy import select

from app.database import Database
from app.models import OutgoingRow
from app.stores.outbox import TableOutbox
from contracts.chain import connect
from contracts.delivery import Delivery
from contracts.errors import ChainUnreachable
from contracts.ledger import Ledger, Role
from contracts.outbox import Outgoing
from contracts.rpc import Rpc
from tests.app.crash.actions import kill_chain, kill_self
from tests.contracts.parties import digest, point, private_key

SEND, RECEIPT = "eth_sendRawTransaction", "eth_getTransactionReceipt"
# Of a transaction's way, in its order.
MOMENTS = [f"{when} {step}" for step in ("put", SEND, RECEIPT) for when in ("before", "after")]
HOSPITALS = [Account.from_key(private_key(number)).address for number in range(2, 8)]
ANCHORS = 6
# What creates a federation's contracts, and binds models and appeals to its trainings.
CREATIONS = 6 + 2
THINGS = CREATIONS + len(HOSPITALS) + ANCHORS
FINISHED, CHAIN_GONE = 0, 3


def do_everything(ledger: Ledger) -> None:
    """What is to be done once, by a caller who does not know what was done before."""
    for account in HOSPITALS:
        ledger.registry.register(account, Role.HOSPITAL, point(account))
    for number in range(ANCHORS):
        ledger.anchors.anchor(10 * number + 1, 10 * number + 10, digest(f"root {number}"))


def live(folder: Path, moment: str | None, whom: Callable[[], None]) -> None:
    """Open the installation as every start does, do everything, and let `whom` die at `moment`."""
    watch(moment, whom)
    database = Database(f"sqlite:///{folder / 'consilium.db'}")
    database.migrate()
    try:
        with connect(folder) as endpoint:
            with Rpc(endpoint.url) as rpc:
                outbox = TableOutbox(database, genesis(rpc))
                Delivery(rpc, outbox).bring_all()
            deputy = Account.from_key(private_key(1)).address
            with_ledger(Ledger.deploy(endpoint.url, private_key(0), deputy, outbox))
    except ChainUnreachable:
        os._exit(CHAIN_GONE)
    os._exit(FINISHED)


def with_ledger(ledger: Ledger) -> None:
    do_everything(ledger)
    ledger.close()


def watch(moment: str | None, whom: Callable[[], None]) -> None:
    """Let `whom` die when `moment` comes first; this changes the process that is about to die."""
    put, call = TableOutbox.put, Rpc.call

    def around(step: str, act: Callable[[], Any]) -> Any:
        if moment == f"before {step}":
            whom()
        result = act()
        if moment == f"after {step}":
            whom()
        return result

    def putting(outbox: TableOutbox, outgoing: Outgoing) -> None:
        around("put", lambda: put(outbox, outgoing))

    def calling(rpc: Rpc, method: str, *params: Any) -> Any:
        return around(method, lambda: call(rpc, method, *params))

    TableOutbox.put = putting  # type: ignore[method-assign]
    Rpc.call = calling  # type: ignore[method-assign]


def genesis(rpc: Rpc) -> str:
    return str(rpc.call("eth_getBlockByNumber", "0x0", False)["hash"].removeprefix("0x"))


def run(folder: Path, moment: str | None, whom: Callable[[], None]) -> int | None:
    """A life in a process of its own; how it ended."""
    life = processes().Process(target=live, args=(folder, moment, whom))
    life.start()
    life.join(120)
    return life.exitcode


@cache
def processes() -> ForkServerContext:
    """A server without threads makes them: a fork of this process could inherit a held lock."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def written(folder: Path) -> set[str]:
    """The transactions that stand in the outbox."""
    database = Database(f"sqlite:///{folder / 'consilium.db'}")
    try:
        with database.transaction() as session:
            return set(session.scalars(select(OutgoingRow.transaction)))
    finally:
        database.close()


def deliver(folder: Path) -> list[dict[str, Any]]:
    """Open the installation without doing anything; the receipts of what was written down."""
    database = Database(f"sqlite:///{folder / 'consilium.db'}")
    try:
        with connect(folder) as endpoint, Rpc(endpoint.url) as rpc:
            Delivery(rpc, TableOutbox(database, genesis(rpc))).bring_all()
            return [rpc.call(RECEIPT, one) for one in sorted(written(folder))]
    finally:
        database.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("victim", ["sender", "chain"])
def test_killed_at_each_step_nothing_is_lost_and_nothing_happens_twice(
    tmp_path: Path, victim: str
) -> None:
    whom: Callable[[], None] = kill_self
    ended = -signal.SIGKILL
    if victim == "chain":
        whom, ended = partial(kill_chain, tmp_path), CHAIN_GONE
    seen: set[str] = set()
    came = 0
    for moment in cycle(MOMENTS):
        status = run(tmp_path, moment, whom)
        # What was once written down is never given up.
        assert seen <= written(tmp_path)
        seen |= written(tmp_path)
        if status == FINISHED:
            break
        assert status == ended, moment
        came += 1
        # Each way once through the moments brings at least one transaction.
        assert came <= THINGS * len(MOMENTS), "the sender does not come on"
    assert came > 2 * len(MOMENTS)
    check_everything_happened_once(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_written_down_is_mined_without_its_caller(tmp_path: Path, moment: str) -> None:
    assert run(tmp_path, moment, kill_self) == -signal.SIGKILL
    receipts = deliver(tmp_path)
    assert len(receipts) == (0 if moment == "before put" else 1)
    assert all(int(one["status"], 16) == 1 for one in receipts)
    assert run(tmp_path, None, kill_self) == FINISHED
    check_everything_happened_once(tmp_path)


def check_everything_happened_once(folder: Path) -> None:
    receipts = deliver(folder)
    assert len(receipts) == THINGS
    assert all(int(one["status"], 16) == 1 for one in receipts)
    with connect(folder) as endpoint, Rpc(endpoint.url) as rpc:
        sender = Account.from_key(private_key(0)).address
        assert int(rpc.call("eth_getTransactionCount", sender, "latest"), 16) == THINGS
        # The embedded chain mines a block a transaction.
        assert int(rpc.call("eth_blockNumber"), 16) == THINGS
