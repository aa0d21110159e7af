"""A FHIR bundle is read by LOINC and UCUM codes: the newest counts, and nothing is guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RequestError
from app.services.fhir import LARGEST, Vitals, read_bundle
from fl.datasets import get_task
from fl.datasets.loinc import every_code
from fl.datasets.units import asked_units

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def quantity(value: object, unit: str = "mm[Hg]", **other: object) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit} | other


def observation(code: str, value: object = None, **other: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code, "display": f"display of {code}"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-11-20T08:00:00+01:00",
    }
    return made | ({} if value is None else {"valueQuantity": value}) | other


def read(*resources: object, task: str = "heart") -> Vitals:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in resources],
    }
    return read_bundle(task, json.dumps(bundle).encode())


def values(found: Vitals) -> dict[str, tuple[str, str]]:
    return {one.column: (one.text, one.unit) for one in found.used}


def test_every_code_leads_to_a_column_in_a_unit_that_the_form_has() -> None:
    assert every_code()
    for code in every_code():
        (column,) = [c for c in get_task(code.task).columns if c.name == code.column]
        assert set(code.units.values()) <= {one.name for one in asked_units(column)}
        assert code.source == f"https://loinc.org/{code.loinc}/"
        assert code.read.startswith("https://")
    assert len({(one.task, one.column) for one in every_code()}) == len(every_code())


def test_a_panel_and_a_laboratory_value_fill_their_fields() -> None:
    panel = observation(
        "85354-9",
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "valueQuantity": quantity(148),
            },
            {
                "code": {"coding": [{"system": LOINC, "code": "8462-4"}]},
                "valueQuantity": quantity(91),
            },
        ],
    )
    chol = observation("2093-3", quantity(212.50, "mg/dL"))
    patient = {"resourceType": "Patient", "name": [{"family": "Lindqvist"}]}
    found = read(patient, panel, chol)
    assert values(found) == {"trestbps": ("148", "mmHg"), "chol": ("212.5", "mg/dl")}
    assert found.unused == (("8462-4", "this question does not ask for it"),)
    assert values(read(panel, task="diabetes")) == {"BloodPressure": ("91", "mmHg")}


def test_a_number_stays_as_it_was_written() -> None:
    text = json.dumps(
        {
            "resourceType": "Bundle",
            "entry": [{"resource": observation("2093-3", quantity("X", "mg/dL"))}],
        }
    )
    for written, expected in (("212.50", "212.50"), ("0.1", "0.1"), ("2.1e2", "210")):
        found = read_bundle("heart", text.replace('"X"', written).encode())
        assert values(found) == {"chol": (expected, "mg/dl")}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_wins_in_whatever_order_and_zone(order: tuple[int, ...]) -> None:
    told = [
        observation("8480-6", quantity(120), effectiveDateTime="2026-11"),
        observation("8480-6", quantity(130), effectiveDateTime="2026-11-20T23:30:00-05:00"),
        observation("8480-6", quantity(140), effectivePeriod={"end": "2026-11-21T02:00:00Z"}),
    ]
    del told[2]["effectiveDateTime"]
    found = read(*(told[at] for at in order))
    assert values(found) == {"trestbps": ("130", "mmHg")}
    assert found.unused == (("Systolic blood pressure", "a newer one is used"),)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"status": "preliminary"}, "its status is preliminary, not final"),
        ({"status": "entered-in-error"}, "its status is entered-in-error, not final"),
        ({"valueQuantity": quantity(19.7, "kPa")}, "its unit is kPa, expected mm[Hg] (UCUM)"),
        ({"valueQuantity": {"value": 148, "unit": "mmHg"}}, "its unit is mmHg, expected mm[Hg]"),
        ({"valueQuantity": quantity(148, comparator="<")}, "its value is not exact"),
        ({"valueQuantity": quantity("148")}, "its value is no number"),
        ({"valueQuantity": quantity(True)}, "its value is no number"),
        ({"valueQuantity": quantity(10**30)}, "its value is too long a number"),
        ({"valueQuantity": quantity(148, code=["mm[Hg]"])}, "its unit is ['mm[Hg]'], expected"),
        ({"valueQuantity": []}, "it has no quantity"),
        ({"effectiveDateTime": "yesterday"}, "it is not told when it was measured"),
    ],
)
def test_what_cannot_be_used_is_told(other: dict[str, Any], why: str) -> None:
    found = read(observation("8480-6", quantity(148)) | other)
    assert found.used == ()
    ((name, told),) = found.unused
    assert name == "Systolic blood pressure"
    assert told.startswith(why)


def test_nobody_guesses_which_of_several_counts() -> None:
    undated = observation("8480-6", quantity(150))
    del undated["effectiveDateTime"]
    assert values(read(undated)) == {"trestbps": ("150", "mmHg")}
    found = read(undated, observation("8480-6", quantity(148)))
    assert found.used == ()
    assert "not each tells when it was measured" in found.unused[0][1]
    same = [observation("8480-6", quantity(value)) for value in (148, 149)]
    assert "of one moment that differ" in read(*same).unused[0][1]
    assert values(read(same[0], same[0])) == {"trestbps": ("148", "mmHg")}


def test_a_code_of_another_system_is_no_loinc_code() -> None:
    code = {"coding": [{"system": "urn:local", "code": "8480-6", "display": "Local"}]}
    found = read(observation("8480-6", quantity(148)) | {"code": code})
    assert (found.used, found.unused) == ((), (("Local", "this question does not ask for it"),))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "this is no JSON"),
        (b"\xff\xfe{}", "this is no JSON|Expected a FHIR"),
        (b"[" * 100_000, "this is no JSON"),
        (b'{"a":' * 40_000, "this is no JSON"),
        (b'{"' + b'\\"' * 50_000 + b'": ' + b"[" * 50_000, "this is no JSON"),
        (b'{"resourceType": "Bundle", "entry": NaN}', "this is no JSON"),
        (b"[]", "got something else"),
        (b'{"resourceType": "Patient"}', "Bundle, got a resource Patient"),
        (b'{"resourceType": "Bundle"}', "holds no Observation"),
        (b'{"resourceType": "Bundle", "entry": {"a": 1}}', "holds no Observation"),
        (b" " * (LARGEST + 1), "at most 256 KB"),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_bundle("heart", content)


def test_brackets_in_a_text_are_no_nesting() -> None:
    told = observation("8480-6", quantity(148), note=[{"text": "[{" * 500 + '\\"' + "[" * 500}])
    assert values(read(told)) == {"trestbps": ("148", "mmHg")}


def test_two_patients_in_one_bundle_are_refused() -> None:
    other = observation("2093-3", quantity(210, "mg/dL"), subject={"reference": "Patient/2"})
    with pytest.raises(RequestError, match="about 2 patients"):
        read(observation("8480-6", quantity(148)), other)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "code", "coding", "system", "reference", "end", "resourceType"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*observation("8480-6", 1), "component"]), JSON))
def test_whatever_an_observation_holds_it_is_read_or_told(other: dict[str, Any]) -> None:
    made = observation("8480-6", quantity(148)) | other | {"resourceType": "Observation"}
    found = read(made)
    assert {one.column for one in found.used} <= {"trestbps", "chol"}
