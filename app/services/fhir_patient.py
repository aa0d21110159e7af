"""Age and sex from the Patient of a FHIR R4 Bundle (hl7.org/fhir/R4/patient.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.errors import RequestError
from fl.datasets.person import Element, elements_of


@dataclass(frozen=True)
class Fact:
    """What an element fills its column with, or, where it cannot, why."""

    element: Element
    text: str
    problem: str = ""


def only_patient(
    entries: Sequence[Mapping[str, Any]], references: set[str]
) -> Mapping[str, Any] | None:
    """The Patient among a bundle's entries; `references` are the subjects of its observations.

    Raises RequestError for several, and for another than the observations are about.
    """
    found = [one for one in entries if _resource(one).get("resourceType") == "Patient"]
    if len(found) > 1:
        raise RequestError(f"The bundle holds {len(found)} patients: send one patient’s data.")
    if not found:
        return None
    patient = _resource(found[0])
    names = {str(found[0].get("fullUrl") or ""), f"Patient/{patient.get('id') or ''}"}
    known = names - {"", "Patient/"}
    if known and any(not _names(one, known) for one in references):
        raise RequestError("The bundle’s observations are about another patient than it holds.")
    return patient


def facts(task: str, patient: Mapping[str, Any], on: date) -> list[Fact]:
    """What a task asks of a patient, as it was on a day."""
    return [
        _age(one, patient.get("birthDate"), on)
        if one.element == "birthDate"
        else _sex(one, patient.get("gender"))
        for one in elements_of(task)
        if patient.get(one.element) is not None
    ]


def _names(reference: str, known: set[str]) -> bool:
    """Whether a reference, relative or absolute, is to one of these names."""
    return any(reference == name or reference.endswith(f"/{name}") for name in known)


def _age(element: Element, born: Any, on: date) -> Fact:
    try:
        birthday = date.fromisoformat(born) if isinstance(born, str) and len(born) == 10 else None
    except ValueError:
        birthday = None
    if birthday is None:
        return Fact(element, "", "the date of birth is not told to the day, or not as FHIR has it")
    years = on.year - birthday.year - ((on.month, on.day) < (birthday.month, birthday.day))
    if years < 0:
        return Fact(element, "", "the date of birth is later than the measurements")
    return Fact(element, str(years))


def _sex(element: Element, gender: Any) -> Fact:
    value = element.values.get(gender) if isinstance(gender, str) else None
    if value is None:
        expected = " or ".join(element.values)
        return Fact(element, "", f"the patient’s administrative gender is not told as {expected}")
    return Fact(element, value)


def _resource(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("resource")
    return found if isinstance(found, dict) else {}
