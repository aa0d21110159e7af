"""The pages of a trained installation whose chain runs, and people who are signed in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from flask import Flask

from app.models import UserRow
from app.services.federation import Federation, open_federation
from app.services.passwords import Passwords
from app.services.roles import DOCTOR
from app.services.secret_key import make_secret_key
from app.web.factory import create
from app.web.services import Services
from tests.app.installations import settings_of
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of


@dataclass(frozen=True)
class Served:
    """The application, outside of a request, and the federation that it shows."""

    app: Flask
    federation: Federation

    @property
    def services(self) -> Services:
        """What its pages use."""
        return of(self.app)

    def person(self, name: str, role: str = DOCTOR) -> UserRow:
        """Somebody new in this role."""
        accounts = self.services.accounts
        row = accounts.register(f"{name}@c.example", name, "Road 1", role, PASSWORD)
        assert row is not None
        return accounts.authorise(row, row.id, role)

    def sign_in(self, row: UserRow) -> Browser:
        """A new browser in which this person is signed in."""
        browser = Browser(self.app)
        assert browser.sign_in(row.email, PASSWORD).status_code == HTTPStatus.SEE_OTHER
        return browser


@contextmanager
def serve(trained_folder: Path, folder: Path, passwords: Passwords) -> Iterator[Served]:
    """Serve a copy, at `folder`, of the installation at `trained_folder`."""
    shutil.copytree(trained_folder, folder)
    make_secret_key(folder)
    settings = settings_of(folder)
    with open_federation(settings) as federation:
        app = create(settings, passwords)
        yield Served(app, federation)
        of(app).database.close()
