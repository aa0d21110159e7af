"""Other programs' chains, started as README says, for the tests and measurements that need one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from app.setup import programs
from contracts.chain import ChainEndpoint, connect
from contracts.errors import ChainUnreachable

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
# Anvil writes its state when it ends; so much is more than it takes.
END_SECONDS = 30.0


@contextmanager
def ganache(folder: Path, *options: str) -> Iterator[ChainEndpoint]:
    """Ganache with its database in `folder`."""
    command = ["--wallet.deterministic", "--database.dbPath", str(folder / "db")]
    command += ["--chain.chainId", "1337", "--chain.networkId", "1337", *options]
    with _running("ganache", command, folder, signal.SIGKILL) as endpoint:
        yield endpoint


@contextmanager
def anvil(
    folder: Path, *options: str, end: signal.Signals = signal.SIGTERM
) -> Iterator[ChainEndpoint]:
    """Anvil with its state in `folder`, ended by the signal `end`."""
    command = ["--chain-id", "1337", "--state", str(folder / "state.json"), *options]
    with _running("anvil", command, folder, end) as endpoint:
        yield endpoint


@contextmanager
def _running(
    name: str, options: Sequence[str], folder: Path, end: signal.Signals
) -> Iterator[ChainEndpoint]:
    port = _free_port()
    program = programs.find(programs.get(name), ROOT) or name
    log = folder / "log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [str(program), "-p", str(port), *options],
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        yield _await_chain(folder, f"http://127.0.0.1:{port}")
    finally:
        _end(process, end)


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """End the whole group: what npm installs is a script that starts the program."""
    group = process.pid
    with suppress(ProcessLookupError):
        os.killpg(group, how)
    process.wait()
    deadline = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)
        os.killpg(group, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_chain(folder: Path, url: str) -> ChainEndpoint:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return connect(folder, rpc_url=url)
        except ChainUnreachable:
            time.sleep(0.05)
    raise AssertionError((folder / "log").read_text())
