"""A site with people in every role and state, and a browser for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask

from app.models import UserRow
from app.services.passwords import Passwords
from app.services.roles import DOCTOR, ROLES
from app.services.secret_key import make_secret_key
from app.web.factory import create
from app.web.services import Services
from config import Settings
from tests.app.web.browser import Browser

PASSWORD = "correct horse battery"
# Nobody has decided, or against the person.
UNDECIDED = ("waiting", "refused", "suspended")
NOBODY = "nobody"
EVERYBODY = (*ROLES, *UNDECIDED, NOBODY)


@pytest.fixture(scope="session")
def cheap() -> Passwords:
    """Argon2id that costs next to nothing."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def settings(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a new installation that has its key and its tables."""
    for variable in ("DATABASE_URL", "CHAIN_RPC_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(tmp_path / "instance"))
    made = Settings()
    make_secret_key(made.instance_dir)
    shutil.copy(migrated, made.instance_dir / "consilium.db")
    return made


@pytest.fixture
def app(settings: Settings, cheap: Passwords) -> Iterator[Flask]:
    made = create(settings, cheap)
    yield made
    of(made).database.close()


def of(app: Flask) -> Services:
    """The services of an application, outside of a request."""
    found: Services = app.extensions["consilium"]
    return found


@dataclass(frozen=True)
class Site:
    """The application and its people: `rows` by role, or by state for whoever has no role."""

    app: Flask
    services: Services
    rows: dict[str, UserRow]

    def row(self, who: str) -> UserRow:
        """The person as the database has it now."""
        found = self.services.accounts.find(self.rows[who].id)
        assert found is not None
        return found

    def browser(self, who: str = NOBODY, **environment: str) -> Browser:
        """A new browser in which this person is signed in."""
        browser = Browser(self.app, **environment)
        if who != NOBODY:
            answer = browser.sign_in(self.rows[who].email, PASSWORD)
            assert answer.status_code == 303, answer.text
        return browser


@pytest.fixture
def site(app: Flask) -> Site:
    """Alice of each role, Bob of each state that has none."""
    services = of(app)
    rows: dict[str, UserRow] = {}
    for who in (*ROLES, *UNDECIDED):
        row = services.accounts.register(
            f"{who}@clinic.example", f"Alice {who}", "Clinic Road 1", DOCTOR, PASSWORD
        )
        assert row is not None
        rows[who] = row
    admin = rows["administrator"]
    for role in ROLES:
        rows[role] = services.accounts.authorise(admin, rows[role].id, role)
    services.accounts.refuse(admin, rows["refused"].id, "Not of this clinic")
    services.accounts.authorise(admin, rows["suspended"].id, DOCTOR)
    services.accounts.suspend(admin, rows["suspended"].id, "Left the clinic")
    return Site(app, services, rows)


@pytest.fixture
def open_as(site: Site) -> Callable[[str], Browser]:
    """Sign somebody in in a new browser."""
    return site.browser
