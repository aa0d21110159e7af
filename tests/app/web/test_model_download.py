"""A hospital's operator gets a model as a file where the ledger lets the hospital have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.models import ResultRow
from app.services.federation import Federation
from app.services.passwords import Passwords
from app.services.roles import OPERATOR
from app.web.services import Services
from contracts.records import Permission
from tests.app.web.browser import Browser
from tests.app.web.served import serve

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
    with serve(trained_folder, tmp_path / "instance", cheap) as served:
        row = served.person("olga", OPERATOR)
        served.services.staff.assign(row, row.id, HOSPITAL)
        path = f"/operator/models/{trained['training']}"
        browser = served.sign_in(row)
        yield Clinic(served.federation, served.services, browser, path, trained["model_sha256"])


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
    row = clinic.services.accounts.find_by_email("olga@c.example")
    assert row is not None
    clinic.services.staff.assign(row, row.id, "Hospital B")
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
