"""Doctors at a record over the years: vitals, charts, diagnoses, consent, and deletion when due."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from flask import Flask
from sqlalchemy import update

from app.models import PatientEntryRow, PatientVersionRow
from app.models.base import now
from app.services.record_entries import Answer, Figure
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of
from tests.app.web.test_charts import COUNTED, charts, drawn
from tests.app.web.test_patient_pages import NAME, REASON, action_of, doctors, seal, told

# The fixture is that of the patients' pages.
__all__ = ("doctors",)

PRESSURE = {"trestbps": "137", "measured": "2024-05-06"}


def open_record(doctors: dict[str, Browser], patient: str) -> None:
    """Have bea's request approved by carl, and open the record."""
    doctors["bea"].send(f"{patient}/openings", {"reason": REASON})
    where = action_of(doctors["carl"].get(patient).text)
    doctors["carl"].send(where, {"action": "approve", "password": PASSWORD})
    doctors["bea"].send(where, {"action": "open", "password": PASSWORD})


def keep(app: Flask, patient: str, risk: float, model: str = "ab" * 32) -> None:
    """Keep an answer with a patient, as bea does it at a result's page."""
    made = of(app)
    row = made.accounts.find_by_email("bea@c.example")
    assert row is not None
    token = made.sessions.open(row)
    key = made.open_keys.find(token, made.open_keys.unlock(row, token, PASSWORD))
    assert key is not None
    figure = Figure("trestbps", "Resting blood pressure", 141.5, "mmHg")
    answer = Answer(
        "heart", "Heart disease", f"{risk * 100:.0f} % risk of heart disease", (("Age", "63"),),
        "version 1", model, "2026-01-02T10:00:00", (figure,), risk,
    )  # fmt: skip
    made.patients.keep(row, key, patient.rsplit("/", 1)[1], answer)


def test_vitals_are_sealed_without_opening_and_drawn_on_the_open_record(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    form = carl.get(f"{patient}/vitals/heart").text
    assert "No model is asked" in form
    wrong = carl.send(f"{patient}/vitals/heart", {**PRESSURE, "measured": "2999-01-01"})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "a day to come" in wrong.text
    assert 'value="137"' in wrong.text
    no_day = carl.send(f"{patient}/vitals/heart", {**PRESSURE, "measured": "yesterday"})
    assert no_day.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    nothing = told(carl.send(f"{patient}/vitals/heart", {"measured": "2024-05-06"}).text)
    assert "Enter at least one value that was measured." in nothing
    unlikely = carl.send(f"{patient}/vitals/heart", {**PRESSURE, "trestbps": "250"})
    assert "Is 250 mmHg right?" in unlikely.text
    sent = carl.send(f"{patient}/vitals/heart", PRESSURE)
    assert sent.location == f"{patient}?added=1"
    assert "data-forgets" in carl.get(sent.location).text
    assert "Recorded vitals carl" in told(carl.get(patient).text)
    assert carl.get(f"{patient}/vitals/nothing").status_code == HTTPStatus.NOT_FOUND
    assert doctors["eve"].get(f"{patient}/vitals/heart").status_code == HTTPStatus.NOT_FOUND

    keep(app, patient, 0.61)
    open_record(doctors, patient)
    record = bea.get(f"{patient}/record")
    assert record.headers["Cache-Control"] == "no-store"
    found = {drawn(canvas, part)["unit"]: part for canvas, part in charts(record.text)}
    assert set(found) == {"%", "mmHg"}
    for canvas, part in charts(record.text):
        chart = drawn(canvas, part)
        assert re.search(r'aria-label="[^"]{20,}"', canvas)
        assert chart["across"] == "date"
        for label, value in zip(chart["labels"], chart["series"][0]["values"], strict=True):
            assert label[:10] in told(part)
            assert f"{value:g}" in told(part)
        assert COUNTED.search(told(part)), part
    assert "99 of 100 published patients have: 95 to 192" in told(found["mmHg"])
    assert "Measured on 2024-05-06, entered by carl" in told(record.text)


def test_a_record_without_numbers_says_so(app: Flask, doctors: dict[str, Browser]) -> None:
    patient = seal(app, doctors["bea"])
    open_record(doctors, patient)
    page = doctors["bea"].get(f"{patient}/record").text
    assert "Nothing to draw yet." in page
    assert "<canvas" not in page


def test_a_diagnosis_is_recorded_for_an_answer(app: Flask, doctors: dict[str, Browser]) -> None:
    bea = doctors["bea"]
    patient = seal(app, bea)
    keep(app, patient, 0.61)
    keep(app, patient, 0.2, "cd" * 32)
    open_record(doctors, patient)
    page = bea.get(f"{patient}/record").text
    newest, first = re.findall(r'name="answer" value="([0-9a-f]{64})"', page)
    where, prefix = f"{patient}/record/outcomes", f"o{first[:12]}-"
    values = {f"{prefix}at": "2026-02-03", f"{prefix}basis": "Angiography"}
    wrong = bea.send(where, {"answer": first, **values})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert wrong.text.count("Choose whether the diagnosis was confirmed.") == 1
    assert 'value="Angiography"' in wrong.text
    done = bea.send(where, {"answer": first, f"{prefix}came": "1", **values})
    assert done.location == f"{patient}/record"
    shown = bea.get(f"{patient}/record").text
    assert "Diagnosis: yes of 2026-02-03, Angiography; recorded by bea" in told(shown)
    assert shown.count("Diagnosis: yes") == 1
    assert newest not in told(shown)
    held = bea.send(f"{patient}/record/export").text
    assert "Angiography" in held
    unknown = {"answer": "0" * 64, "o000000000000-came": "1", "o000000000000-at": "2026-02-03"}
    assert "no such answer" in bea.send(where, unknown, follow_redirects=True).text
    closed = doctors["carl"].send(where, {"answer": first, f"{prefix}came": "0", **values})
    assert "closed" in doctors["carl"].get(closed.location, follow_redirects=True).text


def test_nobody_is_recorded_without_consent_or_another_basis(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea = doctors["bea"]
    for wrong, said in (
        ({"recording": ""}, "Say whether the patient agreed"),
        ({"recording": "refused"}, "does not agree to be recorded"),
        ({"recording": "another legal basis"}, "on which other legal basis"),
        ({"asked_on": ""}, "Enter the day on which the patient was asked."),
        ({"asked_on": "2999-01-01"}, "a day to come"),
    ):
        with pytest.raises(AssertionError, match=said):
            seal(app, bea, **wrong)
    assert "No patient is sealed to you yet" in bea.get("/patients/").text
    basis = {"recording": "another legal basis", "basis": "Emergency care"}
    patient = seal(app, bea, **basis)
    open_record(doctors, patient)
    assert "such as emergency care: Emergency care" in told(bea.get(f"{patient}/record").text)


def test_consent_is_changed_with_history_and_taken_back(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    there = f"{patient}/record/consent"
    assert bea.get(there).location == patient
    open_record(doctors, patient)
    page = bea.get(there).text
    assert re.search(r'name="recording" value="agreed" checked', page)
    again = {"training": "agreed", "asked_on": "2024-03-04", "recording": "agreed"}
    assert bea.send(there, again).location == f"{patient}/record"
    shown = told(bea.get(f"{patient}/record").text)
    assert "asked on 2024-03-04, noted by bea" in shown
    assert "asked on 2020-01-02, noted by bea" in shown
    changed = {"family_name": NAME, "given_name": "Greta", "born": "1951-03-08", "notes": "More"}
    bea.send(f"{patient}/record/edit", {**changed, "sex": "female"})
    assert "asked on 2024-03-04" in told(bea.get(f"{patient}/record").text)

    bea.send(there, {**again, "recording": "refused"})
    assert "does not agree to be recorded. Nothing is added" in told(
        bea.get(f"{patient}/record").text
    )
    assert "nothing is added" in told(carl.get(patient).text)
    refused = carl.send(f"{patient}/vitals/heart", PRESSURE)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "does not agree to be recorded" in refused.text
    assert 'value="137"' in refused.text


def test_what_is_due_is_listed_prolonged_and_erased(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient, other = seal(app, bea), seal(app, bea, given_name="Hanna")
    assert "No record of yours is due for deletion." in bea.get("/patients/?due=1").text
    early = bea.send(f"{patient}/erase", {"sure": "y", "password": PASSWORD})
    assert "The record is kept until" in bea.get(early.location).text
    with of(app).database.transaction() as session:
        then = now() - timedelta(days=11 * 366)
        for table in (PatientVersionRow, PatientEntryRow):
            session.execute(update(table).values(made_at=then))
    carl_list = carl.get("/patients/?due=1").text
    assert "G.L." in carl_list
    assert "Due for deletion (2)" in told(carl_list)

    nothing = bea.send(f"{patient}/longer", {"until": "", "why": ""})
    assert nothing.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Give the reason" in nothing.text
    before = bea.send(f"{patient}/longer", {"until": "2020-01-01", "why": "A trial"})
    assert "Choose a day after" in before.text
    assert 'value="A trial"' in before.text
    until = (now() + timedelta(days=100)).date().isoformat()
    assert bea.send(f"{patient}/longer", {"until": until, "why": "A trial"}).location == patient
    page = told(bea.get(patient).text)
    assert f"this record until {until}" in page
    assert "Prolonged how long the record is kept bea" in page
    left = told(carl.get("/patients/?due=1").text)
    assert "G.L." not in left
    assert "H.L." in left

    unsure = carl.send(f"{other}/erase")
    assert unsure.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Tick the box" in unsure.text
    without = carl.send(f"{other}/erase", {"sure": "y"})
    assert "Enter your password." in without.text
    assert re.search(r'name="sure"[^>]*checked|checked[^>]*name="sure"', without.text)
    assert doctors["eve"].send(f"{other}/erase").status_code == HTTPStatus.NOT_FOUND
    erased = carl.send(f"{other}/erase", {"sure": "y", "password": PASSWORD})
    assert erased.location == "/patients/"
    assert doctors["bea"].get(other).status_code == HTTPStatus.NOT_FOUND
