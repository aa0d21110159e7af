"""An answer is kept with a patient: sealed, with what was entered, by the model that gave it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from app.services.passwords import Passwords
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD
from tests.app.web.served import serve

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
def ward(
    trained: dict[str, Any],
    trained_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cheap: Passwords,
) -> Iterator[dict[str, Browser]]:
    """Browsers of three doctors and of a fourth without patients, in a trained installation."""
    del trained
    with serve(trained_folder, tmp_path_factory.mktemp("kept") / "instance", cheap) as served:
        names = ("bea", "carl", "dora", "eve")
        yield {name: served.sign_in(served.person(name)) for name in names}


@pytest.fixture(scope="module")
def patient(ward: dict[str, Browser]) -> str:
    """The address of bea's patient, for whom carl and dora care, too."""
    page = ward["bea"].get("/patients/new").text
    offered = dict(re.findall(r'name="carers" value="(\d+)"[^>]*>\s*(\w+)', page))
    values = {"family_name": "Lind", "given_name": "Greta", "born": "1951-03-08", "quorum": "2"}
    carers = [one for one, name in offered.items() if name in ("carl", "dora")]
    agreed = {"recording": "agreed", "training": "agreed", "asked_on": "2020-01-02"}
    sent = {**values, **agreed, "sex": "female", "carers": carers}
    return str(ward["bea"].send("/patients/new", sent).location)


def fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to `action`, without the browser's own token."""
    form = page[page.index(f'action="{action}"') :]
    hidden = r'<input type="hidden" name="([^"]+)" value="([^"]*)"'
    found = dict(re.findall(hidden, form[: form.index("</form>")]))
    return {name: value for name, value in found.items() if name != "csrf_token"}


def test_an_answer_is_kept_and_seen_as_asked_last(ward: dict[str, Browser], patient: str) -> None:
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
