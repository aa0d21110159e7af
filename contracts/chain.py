"""Reach a chain: the embedded one, started where it does not run yet, or another one by its URL.

The embedded chain is a process of its own beside its database. Whoever starts it holds its
standard input; when the starter dies, even by SIGKILL, the chain ends. Others attach to it through
`chain.json` and lose it when the starter ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from contracts.embedded import LOCKED, NOTICE
from contracts.errors import (
    ChainNotStarted,
    ChainUnreachable,
    Refused,
    RpcFailed,
    WrongChain,
)
from contracts.rpc import Rpc

DATABASE = "chain.db"
LOG = "chain.log"
CHAIN_ID = 1337
# What an account should own where gas costs something, and what it is given (wei).
LEAST_BALANCE = 10**18
GRANT = 10 * 10**18


@dataclass(frozen=True, slots=True)
class ChainEndpoint:
    """A chain that answers at `url`."""

    url: str
    chain_id: int
    kind: Literal["embedded", "external"]
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def started_here(self) -> bool:
        """Whether `close` will stop it."""
        return self._process is not None

    @property
    def ended(self) -> bool:
        """Whether the embedded chain that this `connect` started has ended since."""
        return self._process is not None and self._process.poll() is not None

    def close(self) -> None:
        """Stop the embedded chain if it was started by this `connect`; else do nothing."""
        if self._process is not None:
            _stop(self._process)

    def __enter__(self) -> ChainEndpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    folder: Path,
    *,
    rpc_url: str | None = None,
    chain_id: int | None = None,
    port: int = 0,
    deadline: float = 30.0,
) -> ChainEndpoint:
    """Return a chain that answers: the one at `rpc_url`, or the embedded one of `folder`.

    The embedded chain's database, log and notice lie in `folder`; `port` 0 means its last one, or
    any. Without `chain_id` an external chain may have any, the embedded one has 1337. `deadline`
    is in seconds.

    Raises:
        ChainUnreachable: nothing answers at `rpc_url`.
        ChainNotStarted: the embedded chain did not become ready.
        WrongChain: it answers with another chain id.
    """
    if rpc_url is not None:
        return _external(rpc_url, chain_id)
    folder.mkdir(parents=True, exist_ok=True)
    expected = CHAIN_ID if chain_id is None else chain_id
    running = _attach(folder)
    if running is None:
        running = _start(folder, expected, port, deadline)
    if running.chain_id != expected:
        running.close()
        raise WrongChain(f"chain id {expected}", f"{running.chain_id} at {running.url}")
    return running


def reach(folder: Path, *, rpc_url: str | None = None) -> ChainEndpoint:
    """Return the chain that `connect` would find running; never start one.

    Raises:
        ChainUnreachable: none answers.
    """
    if rpc_url is not None:
        return _external(rpc_url, None)
    running = _attach(folder)
    if running is None:
        raise ChainUnreachable(str(folder / DATABASE), "the embedded chain does not run")
    return running


def fund(endpoint: ChainEndpoint, accounts: Iterable[str]) -> None:
    """See that `accounts` can pay for gas: nothing to do where it is free.

    Elsewhere an account below one ether is given ten by the node's own unlocked account, as
    development chains (Ganache, Anvil) have.

    Raises:
        Refused: gas costs something, an account owns too little, the node has no unlocked account.
    """
    with Rpc(endpoint.url) as rpc:
        if int(rpc.call("eth_gasPrice"), 16) == 0:
            return
        poor = [one for one in accounts if _balance(rpc, one) < LEAST_BALANCE]
        purses = rpc.call("eth_accounts") if poor else []
        if poor and not purses:
            raise Refused("Unfunded", {"accounts": ", ".join(poor), "least_wei": LEAST_BALANCE})
        for account in poor:
            gift = {"from": purses[0], "to": account, "value": hex(GRANT), "gas": hex(21_000)}
            rpc.call("eth_sendTransaction", gift)
        _await_balances(rpc, poor)


def _balance(rpc: Rpc, account: str) -> int:
    return int(rpc.call("eth_getBalance", account, "latest"), 16)


def _await_balances(rpc: Rpc, accounts: list[str], deadline: float = 60.0) -> None:
    end = time.monotonic() + deadline
    for account in accounts:
        while _balance(rpc, account) < LEAST_BALANCE:
            if time.monotonic() > end:
                raise ChainUnreachable(rpc.url, f"the funds of {account} were not mined in time")
            time.sleep(0.05)


def _external(rpc_url: str, chain_id: int | None) -> ChainEndpoint:
    with Rpc(rpc_url) as rpc:
        actual = int(rpc.call("eth_chainId"), 16)
    if chain_id is not None and actual != chain_id:
        raise WrongChain(f"chain id {chain_id}", f"{actual} at {rpc_url}")
    return ChainEndpoint(rpc_url, actual, "external")


def _attach(folder: Path, pid: int | None = None) -> ChainEndpoint | None:
    """Return the chain that `chain.json` tells of, if it answers under the same name."""
    try:
        notice: dict[str, Any] = json.loads((folder / NOTICE).read_text("utf-8"))
        if pid is not None and notice["pid"] != pid:
            return None
        url = f"http://127.0.0.1:{notice['port']}"
        # Another program may have the port by now, even another embedded chain.
        with Rpc(url, deadline=5.0) as rpc:
            if rpc.call("consilium_instance") != notice["instance"]:
                return None
        return ChainEndpoint(url, int(notice["chain_id"]), "embedded")
    except (OSError, ValueError, KeyError, TypeError, ChainUnreachable, RpcFailed):
        return None


def _start(folder: Path, chain_id: int, port: int, deadline: float) -> ChainEndpoint:
    end = time.monotonic() + deadline
    process = _spawn(folder, chain_id, port)
    while time.monotonic() < end:
        status = process.poll()
        found = _attach(folder, process.pid if status is None else None)
        if found is not None and status is None:
            return ChainEndpoint(found.url, found.chain_id, "embedded", process)
        if status is not None:
            _stop(process)
            if found is not None:
                return found
            if status != LOCKED:
                raise _not_started(folder, f"ended with status {status}")
            # Another process is starting its chain, or its chain is about to end.
            process = _spawn(folder, chain_id, port)
        time.sleep(0.02)
    _stop(process)
    raise _not_started(folder, f"silent for {deadline:g} s")


def _not_started(folder: Path, problem: str) -> ChainNotStarted:
    return ChainNotStarted(str(folder / DATABASE), problem, _tail(folder / LOG))


def _spawn(folder: Path, chain_id: int, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "contracts.embedded", "--until-stdin-closes"]
    command += ["--database", str((folder / DATABASE).resolve())]
    command += ["--chain-id", str(chain_id), "--port", str(port)]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(  # noqa: S603, no shell, and no word from outside
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=Path(__file__).parent.parent,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        # Safe at any moment: what was answered is on disk.
        process.kill()
        process.wait()


def _tail(log: Path, most: int = 600) -> str:
    try:
        return log.read_bytes()[-most:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
