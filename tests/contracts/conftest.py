"""Federations of bare accounts on each chain, for the contracts' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain import ChainEndpoint, fund
from tests.chains import CHAINS, anvil_chain, clique_chain, embedded_chain, ganache_chain, started
from tests.contracts.parties import Federation, all_accounts
from tests.contracts.stage import Stage

__all__ = ["anvil_chain", "clique_chain", "embedded_chain", "ganache_chain"]


@pytest.fixture(scope="session", params=CHAINS)
def chain(request: pytest.FixtureRequest) -> ChainEndpoint:
    """Each chain in turn: what the contract promises, it promises on all of them."""
    return started(request)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A federation with everything in it; nothing is done in it."""
    made = Stage()
    yield made
    made.world.close()


@pytest.fixture
def parties(chain: ChainEndpoint) -> Iterator[Federation]:
    """Return a fresh contract with four hospitals and four nodes, none of them registered."""
    fund(chain, all_accounts())
    federation = Federation(chain.url)
    yield federation
    federation.close()


@pytest.fixture
def federation(parties: Federation) -> Federation:
    """Return a fresh contract with everybody registered and the training open."""
    parties.register()
    parties.open_training()
    return parties
