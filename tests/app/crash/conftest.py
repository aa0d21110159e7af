"""What the crash tests share: the driver, and the course that nobody disturbs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.chain import ChainEndpoint
from tests.app.crash.nursery import (
    FINISHED,
    Course,
    Install,
    Installation,
    Nursery,
    Undisturbed,
)
from tests.app.crash.promises import check_finished, remains

ROUNDS = 5


@pytest.fixture(scope="session")
def nursery(repository: Path) -> Iterator[Nursery]:
    running = Nursery(repository)
    yield running
    running.close()


@pytest.fixture
def install(nursery: Nursery, chain: ChainEndpoint, tmp_path: Path) -> Install:
    """Make an installation; `own_chain` gives it an embedded chain beside its database."""

    def make(course: Course, own_chain: bool = False) -> Installation:
        return Installation(nursery, tmp_path / "one", course, "" if own_chain else chain.url)

    return make


@pytest.fixture(scope="session")
def undisturbed(
    nursery: Nursery, chain: ChainEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """Train without a kill; rounds do not depend on how many there are."""
    folder = tmp_path_factory.mktemp("undisturbed") / "one"
    installation = Installation(nursery, folder, Course(ROUNDS), chain.url)
    assert installation.live() == FINISHED
    with remains(installation) as found:
        results = [event.values["result_hash"].hex() for event in found.summed()]
        check_finished(found, results)
    assert len(set(results)) == ROUNDS + 1
    return Undisturbed(results, installation.actions())
