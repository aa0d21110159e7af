"""A hospital's operator gets a model as a file where the ledger lets the hospital have it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.models import ResultRow
from app.services.federation import Federation, open_federation
from app.services.passwords import Passwords
from app.services.roles import OPERATOR
from app.services.secret_key import make_secret_key
from app.web.factory import create
from app.web.services import Services
from contracts.records import Permission
from tests.app.installations import settings_of
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of

HOSPITAL = "Hungary"


@dataclass(frozen=True)
class Clinic:
    """A trained installation whose chain runs, and a browser of the hospital's operator."""

    federation: Federation
    services: Services
    browser: Browser
    path: str
    sha256: str

    def account(self) -> str:
        return self.federation.keys(HOSPITAL).account

    def last_action(self) -> str:
        return self.services.audit.entries().entries[0].action


@pytest.fixture
def clinic(
    trained: dict[str, Any], trained_folder: Path, tmp_path: Path, cheap: Passwords
) -> Iterator[Clinic]:
    folder = tmp_path / "instance"
    shutil.copytree(trained_folder, folder)
    settings = settings_of(folder)
    make_secret_key(folder)
    with open_federation(settings) as federation:
        app = create(settings, cheap)
        services = of(app)
        row = services.accounts.register("o@clinic.example", "Olga", "Road 1", OPERATOR, PASSWORD)
        assert row is not None
        services.accounts.authorise(row, row.id, OPERATOR)
        services.operators.assign(row, row.id, HOSPITAL)
        browser = Browser(app)
        assert browser.sign_in(row.email, PASSWORD).status_code == 303
        path = f"/operator/models/{trained['training']}"
        yield Clinic(federation, services, browser, path, trained["model_sha256"])
        services.database.close()


def test_a_hospital_gets_its_model_until_it_loses_the_permission(clinic: Clinic) -> None:
    assert f'href="{clinic.path}"' in clinic.browser.get("/operator/").text
    answer = clinic.browser.get(clinic.path)
    assert sha256(answer.data).hexdigest() == clinic.sha256
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=model-heart-")
    assert clinic.last_action() == "model.downloaded"
    registry = clinic.federation.ledger.registry
    registry.revoke(Permission.DOWNLOADER, clinic.account())
    answer = clinic.browser.get(clinic.path)
    assert (answer.status_code, answer.location) == (303, "/operator/")
    assert "does not hold DOWNLOADER" in clinic.browser.get("/operator/").text
    assert clinic.last_action() == "model.refused"
    registry.grant(Permission.DOWNLOADER, clinic.account())
    assert sha256(clinic.browser.get(clinic.path).data).hexdigest() == clinic.sha256


def test_a_hospital_that_took_no_part_gets_nothing(clinic: Clinic) -> None:
    row = clinic.services.accounts.find_by_email("o@clinic.example")
    assert row is not None
    clinic.services.operators.assign(row, row.id, "Hospital B")
    assert clinic.path not in clinic.browser.get("/operator/").text
    assert clinic.browser.get(clinic.path).status_code == 303
    assert "Hospital B has no finished model" in clinic.browser.get("/operator/").text


def test_an_altered_model_is_not_handed_out(clinic: Clinic) -> None:
    with clinic.services.database.transaction() as session:
        altered = update(ResultRow).where(ResultRow.sha256 == clinic.sha256).values(body=b"other")
        session.execute(altered)
    assert clinic.browser.get(clinic.path).status_code == 303
    assert "was altered" in clinic.browser.get("/operator/").text


def test_an_unknown_training_is_refused(clinic: Clinic) -> None:
    assert clinic.browser.get(f"/operator/models/{'0' * 64}").status_code == 303
    assert "has no finished model" in clinic.browser.get("/operator/").text
