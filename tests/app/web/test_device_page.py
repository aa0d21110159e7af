"""Predicting on the doctor's own device: what its page promises, and which model it is handed."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.models import ResultRow
from app.services.passwords import Passwords
from app.services.roles import DOCTOR
from app.web.services import Services
from fl.datasets import get_task
from fl.datasets.asking import grouped
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site
from tests.app.web.served import serve

PAGE = "/doctor/predictions/heart/device"
FILE = f"{PAGE}/model"
FORM = re.compile(r'<form method="dialog".*?</form>', re.DOTALL)


@dataclass(frozen=True)
class Ward:
    """A trained installation whose chain runs, and a doctor's browser."""

    services: Services
    doctor: Browser
    model: str

    def last(self) -> tuple[str, dict[str, Any]]:
        entry = self.services.audit.entries().entries[0]
        return entry.action, json.loads(entry.details)


@pytest.fixture(scope="module")
def ward(
    trained: dict[str, Any],
    trained_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cheap: Passwords,
) -> Iterator[Ward]:
    with serve(trained_folder, tmp_path_factory.mktemp("ward") / "instance", cheap) as served:
        doctor = served.sign_in(served.person("dora"))
        yield Ward(served.services, doctor, trained["model_sha256"])


def attribute(page: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_the_file_has_the_hashes_that_the_page_names(ward: Ward) -> None:
    page = ward.doctor.get(PAGE).text
    assert attribute(page, "data-model-sha256") == ward.model
    assert attribute(page, "data-model") == FILE
    answer = ward.doctor.get(FILE)
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    found = json.loads(answer.data)
    assert sha256(b64decode(found["model"])).hexdigest() == ward.model
    statistics = sha256(found["statistics"].encode()).hexdigest()
    assert statistics == attribute(page, "data-statistics-sha256")
    details = {"task": "heart", "model_sha256": ward.model}
    assert ward.last() == ("model.on_device", details)


def test_the_form_can_be_sent_nowhere(ward: Ward) -> None:
    """Not even without its script: the method is no sending one, and there is no address."""
    page = ward.doctor.get(PAGE).text
    (form,) = FORM.findall(page)
    assert "action" not in form
    assert "csrf_token" not in form
    assert 'autocomplete="off"' in form
    columns = [column.name for group in grouped(get_task("heart")) for column in group.columns]
    assert re.findall(r'data-column="(\w+)"', form) == columns
    assert "60 to 700 mg/dl; 1.6 to 18.1 mmol/l" in form
    assert "If empty or 0, the model assumes" in form
    assert "\N{MINUS SIGN}4 to 8" in form
    assert not Parts(page).inline
    hidden = page.index('data-part="ready" hidden')
    assert hidden < page.index(form), "values are asked for once the model was checked"


def test_the_doctors_pages_lead_there(ward: Ward) -> None:
    assert f'href="{PAGE}"' in ward.doctor.get("/doctor/").text
    result = ward.doctor.send("/doctor/predictions/heart/new", {"age": "63"})
    assert f'href="{PAGE}"' in result.text


def test_an_altered_model_is_not_handed_out(ward: Ward) -> None:
    with ward.services.database.transaction() as session:
        row = session.get_one(ResultRow, ward.model)
        body = row.body
        row.body = b"other"
    try:
        page, file = ward.doctor.get(PAGE), ward.doctor.get(FILE)
    finally:
        with ward.services.database.transaction() as session:
            mend = update(ResultRow).filter_by(sha256=ward.model).values(body=body)
            session.execute(mend)
    assert (page.status_code, file.status_code) == (409, 409)
    assert "The stored model was altered" in page.text
    assert "The stored model was altered" in file.text
    assert not FORM.findall(page.text)
    assert ward.last()[0] == "prediction.refused"


def test_without_a_model_in_use_the_page_says_so(site: Site) -> None:
    doctor = site.browser(DOCTOR)
    page = doctor.get(PAGE)
    assert page.status_code == 409
    assert "No training of heart disease has finished yet." in page.text
    assert doctor.get(FILE).status_code == 409
    assert doctor.get("/doctor/predictions/gout/device").status_code == 404
    assert doctor.get("/doctor/predictions/gout/device/model").status_code == 404
