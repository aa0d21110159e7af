"""What the application's tests share: a chain, a trained installation, both databases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from app.services.federation import open_federation
from app.services.requests import TrainingRequest
from app.services.simulation import Simulation
from app.services.trainings import Trainings
from contracts.chain import ChainEndpoint, connect
from tests.app import commandline
from tests.app.clinic import Clinic, Doctor
from tests.app.installations import settings_of
from tests.app.mariadb import Emptied, MariaDB


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainEndpoint]:
    """One embedded chain for many installations; each deploys a contract of its own."""
    with connect(tmp_path_factory.mktemp("chain")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with the application's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "consilium.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
    return path


@pytest.fixture
def clinic(migrated: Path, tmp_path: Path) -> Iterator[Clinic]:
    """A clinic on a database of its own."""
    made = Clinic(Path(shutil.copy(migrated, tmp_path / "clinic.db")))
    yield made
    made.database.close()


@pytest.fixture
def trio(clinic: Clinic) -> tuple[Doctor, Doctor, Doctor]:
    """Three doctors, who may care for a patient together."""
    return clinic.doctor("bea"), clinic.doctor("carl"), clinic.doctor("dora")


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation in which `train --rounds 1 --json` ran; see `trained`.

    Shared by all tests of a worker: whoever changes it takes a copy.
    """
    return tmp_path_factory.mktemp("trained") / "instance"


@pytest.fixture(scope="session")
def trained(repository: Path, trained_folder: Path) -> dict[str, Any]:
    """What `train --rounds 1 --json` printed."""
    done = commandline.run(repository, trained_folder, "train", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    (trained_folder / "progress.txt").write_text(done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="session")
def attacked_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with one finished round, in which Hungary attacks."""
    folder = tmp_path_factory.mktemp("attacked") / "instance"
    with open_federation(settings_of(folder)) as federation:
        trainings = Trainings(federation)
        plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1))
        simulation = Simulation("label-flip", ("Hungary",))
        started = trainings.start(plan, simulation=simulation)
        assert trainings.run(started, lambda _: None).finished
    return folder


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server of the tests' own."""
    with MariaDB() as server:
        yield server


# What holds on one database holds on the other; that is shown among the long tests.
MARIADB = pytest.param("mariadb", marks=[pytest.mark.needs("mariadb"), pytest.mark.slow])


KINDS = ["sqlite", MARIADB]


@pytest.fixture(params=KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        server: MariaDB = request.getfixturevalue("mariadb")
        url = server.new_database()
    with closing(Database(url)) as made:
        yield made


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: MariaDB) -> Emptied:
    """A database on MariaDB with the application's tables, for one test after the other."""
    url = mariadb.new_database()
    with closing(Database(url)) as database:
        database.migrate()
    return Emptied(url)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of each kind in turn, with the application's tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated'), tmp_path / 'test.db')}"
    else:
        emptied: Emptied = request.getfixturevalue("migrated_mariadb")
        emptied.empty()
        url = emptied.url
    with closing(Database(url)) as made:
        yield made
