"""Chains for the contract's tests: the embedded one; among the long tests three others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain import ChainEndpoint, connect, fund
from tests.contracts import external
from tests.contracts.clique import clique
from tests.contracts.parties import Federation, all_accounts

# The contract is the same on every chain; the others are for the long tests.
CHAINS = [
    "embedded",
    pytest.param("clique", marks=pytest.mark.slow),
    pytest.param("ganache", marks=[pytest.mark.needs("ganache"), pytest.mark.slow]),
    pytest.param("anvil", marks=[pytest.mark.needs("anvil"), pytest.mark.slow]),
]


@pytest.fixture(scope="session")
def embedded_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    with connect(tmp_path_factory.mktemp("chain")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def clique_chain() -> Iterator[ChainEndpoint]:
    with clique() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ganache_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    folder = tmp_path_factory.mktemp("ganache")
    with external.ganache(folder) as endpoint:
        fund(endpoint, all_accounts())
        yield endpoint


@pytest.fixture(scope="session")
def anvil_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    folder = tmp_path_factory.mktemp("anvil")
    with external.anvil(folder) as endpoint:
        fund(endpoint, all_accounts())
        yield endpoint


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
