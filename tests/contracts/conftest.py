"""Chains for the contract's tests: the embedded one, and Ganache among the long tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.chain import ChainEndpoint, connect, fund
from contracts.errors import ChainUnreachable
from tests.contracts.parties import Federation, all_accounts

# The contract is the same on every chain; other programs' chains are for the long tests.
CHAINS = [
    "embedded",
    pytest.param("ganache", marks=[pytest.mark.needs("ganache"), pytest.mark.slow]),
]


@pytest.fixture(scope="session")
def embedded_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    with connect(tmp_path_factory.mktemp("chain")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ganache_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    folder = tmp_path_factory.mktemp("ganache")
    port = _free_port()
    command = [shutil.which("ganache") or "ganache", "-p", str(port), "--wallet.deterministic"]
    command += ["--database.dbPath", str(folder / "db"), "--chain.chainId", "1337"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        endpoint = _await_chain(folder, f"http://127.0.0.1:{port}")
        fund(endpoint, all_accounts())
        yield endpoint
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=CHAINS)
def chain(request: pytest.FixtureRequest) -> ChainEndpoint:
    """Each chain in turn: what the contract promises, it promises on all of them."""
    endpoint: ChainEndpoint = request.getfixturevalue(f"{request.param}_chain")
    return endpoint


@pytest.fixture
def parties(chain: ChainEndpoint) -> Iterator[Federation]:
    """Return a fresh contract with four hospitals and four nodes, none of them registered."""
    federation = Federation(chain.url)
    yield federation
    federation.close()


@pytest.fixture
def federation(parties: Federation) -> Federation:
    """Return a fresh contract with everybody registered and the training open."""
    parties.register()
    parties.open_training()
    return parties


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_chain(folder: Path, url: str) -> ChainEndpoint:
    for _ in range(600):
        try:
            return connect(folder, rpc_url=url)
        except ChainUnreachable:
            time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())
