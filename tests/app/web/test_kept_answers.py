"""An answer is kept with a patient: sealed, with what was entered, by the model that gave it."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.models import CaseRow
from app.services.cases import open_case
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR, AUDITOR
from fl.datasets import get_task
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD
from tests.app.web.served import Served, serve

pytestmark = pytest.mark.slow

PREDICT = "/doctor/predictions/heart/new"
KEEP = "/doctor/predictions/heart/keep"
VALUES = {
    "age": "54",
    "chol": "6,2",
    "chol-unit": "mmol/l",
    "trestbps": "130",
    "cp": "asymptomatic",
}


@pytest.fixture(scope="module")
def served(
    trained: dict[str, Any],
    trained_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cheap: Passwords,
) -> Iterator[Served]:
    """A trained installation that is served."""
    del trained
    with serve(trained_folder, tmp_path_factory.mktemp("kept") / "instance", cheap) as made:
        yield made


@pytest.fixture(scope="module")
def ward(served: Served) -> dict[str, Browser]:
    """Browsers of three doctors and of a fourth without patients."""
    names = ("bea", "carl", "dora", "eve")
    return {name: served.sign_in(served.person(name)) for name in names}


@pytest.fixture(scope="module")
def patient(ward: dict[str, Browser]) -> str:
    """The address of bea's patient, for whom carl and dora care, too."""
    page = ward["bea"].get("/patients/new").text
    offered = dict(re.findall(r'name="carers" value="(\d+)"[^>]*>\s*(\w+)', page))
    values = {"family_name": "Lind", "given_name": "Greta", "born": "1951-03-08", "quorum": "2"}
    carers = [one for one, name in offered.items() if name in ("carl", "dora")]
    agreed = {"recording": "agreed", "training": "agreed", "asked_on": "2020-01-02"}
    sent = {**values, **agreed, "sex": "female", "carers": carers}
    return str(ward["bea"].send("/patients/new", sent).location).removesuffix("?added=1")


def fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to `action`, without the browser's own token."""
    form = page[page.index(f'action="{action}"') :]
    hidden = r'<input type="hidden" name="([^"]+)" value="([^"]*)"'
    found = dict(re.findall(hidden, form[: form.index("</form>")]))
    return {name: value for name, value in found.items() if name != "csrf_token"}


def test_an_answer_is_kept_and_seen_as_asked_last(
    served: Served, ward: dict[str, Browser], patient: str
) -> None:
    bea = ward["bea"]
    page = bea.send(PREDICT, VALUES).text
    sent = fields(page, KEEP) | {"patient": patient.rsplit("/", 1)[1]}
    risk = re.search(r"<title>(\d+ %) risk of", page)
    assert risk is not None
    assert sent["chol"] == "6,2"
    kept = bea.send(KEEP, sent)
    assert kept.location == patient
    for name in ("bea", "carl", "dora"):
        assert f"{risk[1]} risk of heart disease" in ward[name].get("/patients/").text

    bea.send(f"{patient}/openings", {"reason": "A fall"})
    where = re.findall(r'action="(/patients/\w+/openings/\w+)"', ward["carl"].get(patient).text)[0]
    ward["carl"].send(where, {"action": "approve", "password": PASSWORD})
    bea.send(where, {"action": "open", "password": PASSWORD})
    record = bea.get(f"{patient}/record").text
    assert "6.2 mmol/l" in record
    assert sent["model"] in record
    assert '"values": [239.723]' in html.unescape(record)

    (answer,) = re.findall(r'name="answer" value="([0-9a-f]{64})"', record)
    outcome = {"answer": answer, f"o{answer[:12]}-came": "1", f"o{answer[:12]}-at": "2026-01-02"}
    assert bea.send(f"{patient}/record/outcomes", outcome).location == f"{patient}/record"
    (card,) = set(re.findall(r'href="(/models/[0-9a-f]{64}/card)"', page))
    for name, told in (("bea", "Only you see these counts"), ("eve", "No diagnosis was recorded")):
        assert told in ward[name].get(card).text
    part = ward["carl"].get(card).text.split('id="fared-title"')[1].split("</section>")[0]
    counted = re.findall(r'<td class="number">(\d+)</td>', part)
    assert counted.count("1") == 2

    # With the hospital, the diagnosis is a case of what was entered, as the model read it.
    assert "belongs to no hospital" in bea.get(f"{patient}/record").text
    admin = served.person("ada", ADMINISTRATOR)
    row = served.services.accounts.find_by_email("bea@c.example")
    assert row is not None
    served.services.staff.assign(admin, row.id, "Cleveland")
    assert "Record the diagnosis again" in bea.get(f"{patient}/record").text
    bea.send(f"{patient}/record/outcomes", outcome)
    assert "Among the cases of Cleveland" in bea.get(f"{patient}/record").text
    with served.services.database.transaction() as session:
        case = session.scalars(select(CaseRow)).one()
    key, task = served.federation.key_ring.case_key("Cleveland"), get_task("heart")
    values, label = open_case(key, "Cleveland", task, patient.rsplit("/", 1)[1], case.sealed)
    known = {"age": 54.0, "trestbps": 130.0, "chol": 239.723, "cp": 3.0}
    expected = [known.get(column.name) for column in task.columns]
    assert [None if math.isnan(one) else one for one in values] == expected
    assert label == 1
    auditor = served.sign_in(served.person("vera", AUDITOR))
    published = auditor.get("/datasets/heart/hospitals/Cleveland").text
    assert re.search(r"cases of its doctors’ patients who agreed to it: .*&lt;5", published)
    new = served.sign_in(admin).get("/admin/trainings/new/heart").text
    assert "unless attackers are simulated: Cleveland" in " ".join(new.split())


def test_what_was_not_kept_is_told(ward: dict[str, Browser], patient: str) -> None:
    identifier = patient.rsplit("/", 1)[1]
    sent = fields(ward["bea"].send(PREDICT, VALUES).text, KEEP)
    cases = (
        ("bea", {"patient": identifier, "model": "0" * 64}, "Another model is in use by now"),
        ("bea", {"patient": ""}, "There is no such patient among yours."),
        ("eve", {"patient": identifier}, "There is no such patient among yours."),
    )
    for who, other, told in cases:
        assert told in ward[who].send(KEEP, sent | other).text
    wrong = ward["bea"].send(KEEP, sent | {"patient": identifier, "age": "old"})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "enter the patient" in ward["eve"].send(PREDICT, VALUES).text
