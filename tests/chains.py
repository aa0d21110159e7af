"""The chains that tests run on: the embedded one; among the long tests Ganache and Anvil.

A conftest takes the fixtures from here; each lives as long as the run. What the ledger does is
shown on all of them; what the parties make of each other's faults is the same on each, and shown
on one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain import ChainEndpoint, connect
from tests.contracts import external
from tests.contracts.clique import clique

CHAINS = [
    "embedded",
    pytest.param("ganache", marks=[pytest.mark.needs("ganache"), pytest.mark.slow]),
    pytest.param("anvil", marks=[pytest.mark.needs("anvil"), pytest.mark.slow]),
]
on_all_chains = pytest.mark.parametrize("chain", CHAINS, indirect=True, scope="session")
# The first account pays for those of all tests.
ETHER = "1000000"


@pytest.fixture(scope="session")
def embedded_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    """The embedded chain."""
    with connect(tmp_path_factory.mktemp("chain")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def clique_chain() -> Iterator[ChainEndpoint]:
    """py-evm's chain whose blocks are sealed by three authorities in turn."""
    with clique() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ganache_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    """Ganache."""
    folder = tmp_path_factory.mktemp("ganache")
    with external.ganache(folder, "--wallet.defaultBalance", ETHER) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def anvil_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    """Anvil."""
    with external.anvil(tmp_path_factory.mktemp("anvil"), "--balance", ETHER) as endpoint:
        yield endpoint


def started(request: pytest.FixtureRequest) -> ChainEndpoint:
    """The chain that a fixture's parameter names."""
    endpoint: ChainEndpoint = request.getfixturevalue(f"{request.param}_chain")
    return endpoint
