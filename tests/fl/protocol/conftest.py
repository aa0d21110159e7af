"""A chain for the whole run, a contract and a database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from app.database import Database
from contracts.chain import ChainEndpoint
from tests.chains import anvil_chain, embedded_chain, ganache_chain, started
from tests.fl.protocol.federation import Federation

__all__ = ["anvil_chain", "embedded_chain", "ganache_chain"]


@pytest.fixture(scope="session", params=["embedded"])
def chain(request: pytest.FixtureRequest) -> ChainEndpoint:
    """The embedded chain; the modules that say so run on the others, too."""
    return started(request)


class Federate(Protocol):
    def __call__(self, **settings: Any) -> Federation: ...


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database without rows, to be copied."""
    path = tmp_path_factory.mktemp("database") / "blank.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def federate(chain: ChainEndpoint, blank: Path, tmp_path: Path) -> Iterator[Federate]:
    """Return a maker of federations; each is closed after the test."""
    made: list[Federation] = []

    def make(**settings: Any) -> Federation:
        made.append(Federation(chain, tmp_path / str(len(made)), blank, **settings))
        return made[-1]

    yield make
    for federation in made:
        federation.close()
