"""A server of a new installation and a browser, one of each for the whole run."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from app.setup import programs
from tests.browser.person import LONG, Person, View

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 20_000


@dataclass(frozen=True)
class Site:
    """A running server: where it is, its folder, and an account (e-mail, password) a role."""

    address: str
    folder: Path
    accounts: dict[str, tuple[str, str]]


@contextmanager
def new_site(folder: Path, repository: Path) -> Iterator[Site]:
    """A server of a new installation at `folder`, which ends without complaint."""
    with (folder.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(repository / "tests/browser/server.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=repository,
        )
    with server:
        said = json.loads(server.stdout.readline())
        accounts = {role: (email, word) for role, (email, word) in said["accounts"].items()}
        urllib.request.urlopen(said["address"], timeout=60).close()
        yield Site(said["address"], folder, accounts)
        server.stdin.close()
        assert server.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Site]:
    with new_site(tmp_path_factory.mktemp("browser") / "instance", repository) as made:
        yield made


@pytest.fixture(scope="session")
def browser(repository: Path) -> Iterator[Browser]:
    program = programs.find(programs.get("chromium"), repository)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(program), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def arrive(site: Site, browser: Browser) -> Iterator[Callable[..., Person]]:
    """Make somebody at a window of their own; signed in when a role is given."""
    with ExitStack() as closing:

        def make(view: View, role: str | None = None) -> Person:
            window = browser.new_context(
                viewport={"width": view.width, "height": 800},
                color_scheme=view.scheme,
                reduced_motion="reduce",
            )
            closing.callback(window.close)
            window.set_default_timeout(PATIENCE)
            person = Person(window.new_page(), site.address)
            if role is not None:
                person.sign_in(*site.accounts[role])
            return person

        yield make


@pytest.fixture(scope="session")
def trained(site: Site, browser: Browser) -> str:
    """The path of a finished heart training of one round."""
    return _train(site, browser, "heart")


@pytest.fixture(scope="session")
def second(site: Site, browser: Browser, trained: str) -> str:
    """The path of another finished heart training, whose model waits to be promoted."""
    return _train(site, browser, "heart")


@pytest.fixture(scope="session")
def diabetes(site: Site, browser: Browser, trained: str) -> str:
    """The path of a finished diabetes training of one round, whose model is in use."""
    return _train(site, browser, "diabetes")


@pytest.fixture(scope="session")
def on_chain(site: Site, trained: str) -> dict[str, str]:
    """Where the training's published set stands: `transaction`, `block`, and its `timeline`.

    And its model's `card`.
    """
    timeline = trained.removeprefix("/admin")
    card = f"/models/{timeline.rsplit('/', 1)[1]}/card"
    find = (
        "SELECT e.transaction_hash, e.block FROM ledger_events e "
        "WHERE e.name = 'SetPublished' AND e.round = 1 AND e.training = ?"
    )
    query = (find, (timeline.rsplit("/", 1)[1],))
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        end = time.monotonic() + LONG / 1000
        # The worker copies what the training put on the chain right after its end.
        while (row := database.execute(*query).fetchone()) is None:
            assert time.monotonic() < end, "the worker did not read the ledger"
            time.sleep(0.1)
    return {"transaction": row[0], "block": str(row[1]), "timeline": timeline, "card": card}


@pytest.fixture(scope="session")
def attacked(site: Site, browser: Browser, trained: str) -> str:
    """The path of a finished diabetes training of one round in which two hospitals attack."""
    return _train(site, browser, "diabetes", "Label flip")


@pytest.fixture(scope="session")
def poisoned(site: Site, browser: Browser, trained: str) -> str:
    """The path of a finished heart training of one round in which one hospital attacks."""
    return _train(site, browser, "heart", "Label flip", attackers=1)


@pytest.fixture(scope="session")
def poisoned_again(site: Site, browser: Browser, poisoned: str) -> str:
    """The path of another training like `poisoned`."""
    return _train(site, browser, "heart", "Label flip", attackers=1)


def _train(
    site: Site, browser: Browser, task: str, attack: str | None = None, attackers: int = 2
) -> str:
    window = browser.new_context(viewport={"width": 1280, "height": 800})
    window.set_default_timeout(PATIENCE)
    person = Person(window.new_page(), site.address)
    person.sign_in(*site.accounts["administrator"])
    person.open(f"/admin/trainings/new/{task}")
    person.page.get_by_label("Rounds", exact=True).fill("1")
    if attack is not None:
        person.page.get_by_label("Attack", exact=True).select_option(attack)
        person.page.get_by_label("Number of attackers", exact=True).fill(str(attackers))
    person.page.get_by_role("button", name="Start the training").click()
    person.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
    path = person.page.url.removeprefix(site.address)
    window.close()
    return path
