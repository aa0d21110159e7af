"""A bundle's Patient tells age and sex: as old as at the measurements, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RequestError
from fl.datasets import get_task
from fl.datasets.person import every_element
from tests.app.test_fhir import JSON, observation, quantity, read, values


def patient(**elements: object) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "1"} | elements


PRESSURE = observation("8480-6", quantity(148))  # Of 20 November 2026.


def test_every_element_leads_to_a_column_and_its_values() -> None:
    for one in every_element():
        (column,) = [c for c in get_task(one.task).columns if c.name == one.column]
        if one.element == "birthDate":
            assert (column.kind, column.unit) == ("number", "years")
        else:
            assert set(one.values) == {"female", "male"}
            assert {c.value for c in column.categories} == set(one.values.values())


def test_age_and_sex_fill_their_fields_beside_the_measurements() -> None:
    found = read(patient(birthDate="1965-11-20", gender="male"), PRESSURE)
    expected = {"trestbps": ("148", "mmHg"), "age": ("61", "years"), "sex": ("Male", "")}
    assert values(found) == expected
    assert {one.source for one in found.used} == {"8480-6", "Patient.birthDate", "Patient.gender"}
    pima = read(patient(birthDate="1965-11-20", gender="male"), PRESSURE, task="diabetes")
    assert values(pima) == {"Age": ("61", "years")}


@pytest.mark.parametrize(("born", "age"), [("1965-11-20", "61"), ("1965-11-21", "60")])
def test_the_age_is_that_of_the_day_of_the_newest_measurement(born: str, age: str) -> None:
    older = observation("2093-3", quantity(210, "mg/dL"), effectiveDateTime="2025-01-01")
    assert values(read(patient(birthDate=born), PRESSURE, older))["age"] == (age, "years")


def test_without_a_measurement_it_is_that_of_today() -> None:
    today = datetime.now(UTC).date()
    born = date(today.year - 40, 1, 1)
    assert values(read(patient(birthDate=born.isoformat()))) == {"age": ("40", "years")}


@pytest.mark.parametrize(
    ("elements", "name", "why"),
    [
        ({"birthDate": "1965"}, "Age", "not told to the day"),
        ({"birthDate": "1965-11"}, "Age", "not told to the day"),
        ({"birthDate": "20.11.1965"}, "Age", "not told to the day"),
        ({"birthDate": ["1965-11-20"]}, "Age", "not told to the day"),
        ({"birthDate": "2026-11-21"}, "Age", "later than the measurements"),
        ({"gender": "other"}, "Sex", "not told as female or male"),
        ({"gender": "unknown"}, "Sex", "not told as female or male"),
        ({"gender": {}}, "Sex", "not told as female or male"),
    ],
)
def test_what_cannot_be_used_is_told(elements: dict[str, Any], name: str, why: str) -> None:
    found = read(patient(**elements), PRESSURE)
    assert values(found) == {"trestbps": ("148", "mmHg")}
    ((told, reason),) = found.unused
    assert told == name
    assert why in reason


def test_several_patients_or_another_one_are_refused() -> None:
    with pytest.raises(RequestError, match="holds 2 patients"):
        read(patient(), patient(id="2"), PRESSURE)
    with pytest.raises(RequestError, match="about another patient"):
        read(patient(id="2", birthDate="1965-11-20"), PRESSURE)
    # Which patient an observation is about may be told by an address, or not at all.
    absolute = {"subject": {"reference": "https://hospital.example/fhir/Patient/1"}}
    assert "age" in values(read(patient(birthDate="1965-11-20"), PRESSURE | absolute))
    assert "age" in values(read(patient(birthDate="1965-11-20"), PRESSURE | {"subject": {}}))


@given(st.dictionaries(st.sampled_from(["id", "birthDate", "gender", "name"]), JSON))
def test_whatever_a_patient_holds_it_is_read_told_or_refused(elements: dict[str, Any]) -> None:
    try:
        found = read(patient() | elements, PRESSURE)
    except RequestError:
        return
    assert {one.column for one in found.used} <= {"trestbps", "age", "sex"}
