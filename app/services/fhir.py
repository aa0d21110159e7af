"""A FHIR R4 Bundle of Observations as values for a form (hl7.org/fhir/R4/observation.html).

LOINC codes say what was measured and UCUM codes in which unit. Of each code the newest observation
counts. A Patient beside them tells age and sex. Nothing is guessed: what is not final, not exact,
undated among others or in another unit is told and not used, and a bundle about several patients is
refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from app.errors import RequestError
from app.services.fhir_patient import Fact, facts, only_patient
from contracts.json_depth import load_json
from fl.datasets.loinc import SYSTEM, Code, codes_of

LARGEST: Final = 256 * 1024
MOST_OBSERVATIONS: Final = 2000
_UCUM: Final = "http://unitsofmeasure.org"
_FINAL: Final = ("final", "amended", "corrected")
_LONGEST_SHOWN: Final = 60
# As long as a number may be in the form.
_MOST_DIGITS: Final = 20
_BEYOND: Final = 10**20


@dataclass(frozen=True)
class Vital:
    """What one column is filled with: the value as it was written, its unit, when measured.

    `name` is what it is called, `source` its LOINC code or the element of Patient.
    """

    column: str
    text: str
    unit: str
    name: str
    source: str
    at: datetime | None


@dataclass(frozen=True)
class Vitals:
    """What a bundle gave: a value for each column, and of the rest what it is and why not used."""

    used: tuple[Vital, ...]
    unused: tuple[tuple[str, str], ...]


def read_bundle(task: str, content: bytes) -> Vitals:
    """Read a bundle for a task. Raises RequestError, with what was expected."""
    entries = _entries(_bundle(content))
    resources = [_map(entry.get("resource")) for entry in entries]
    observations = [one for one in resources if one.get("resourceType") == "Observation"]
    patients = {str(_map(one.get("subject")).get("reference", "")) for one in observations} - {""}
    if len(patients) > 1:
        raise RequestError(
            f"The bundle is about {len(patients)} patients: send one patient’s observations."
        )
    patient = only_patient(entries, patients)
    if not observations and patient is None:
        raise RequestError("The bundle holds no Observation.")
    codes, found = codes_of(task), dict[str, list[Vital]]()
    unused: list[tuple[str, str]] = []
    for observation in observations:
        for measured in _measured(observation):
            code = next((codes[one] for one in _loinc(measured) if one in codes), None)
            if code is None:
                unused.append((_name(measured), "this question does not ask for it"))
            elif problem := _problem(observation, measured, code):
                unused.append((code.name, problem))
            else:
                found.setdefault(code.column, []).append(_vital(observation, measured, code))
    used = []
    for vitals in found.values():
        newest, why = _newest(vitals)
        if newest is not None:
            used.append(newest)
        unused += [(one.name, why) for one in vitals if one is not newest]
    if patient is not None:
        told = facts(task, patient, _day(observations))
        used += [_of_patient(one) for one in told if not one.problem]
        unused += [(one.element.name, one.problem) for one in told if one.problem]
    return Vitals(tuple(used), tuple(dict.fromkeys(unused)))


def _bundle(content: bytes) -> Mapping[str, Any]:
    if len(content) > LARGEST:
        raise RequestError(f"Expected at most {LARGEST // 1024} KB.")
    try:
        text = content.decode("utf-8-sig")
        # Decimals, so that a number stays as it was measured and written.
        told = load_json(text, parse_float=Decimal, parse_constant=_refuse)
    except ValueError as error:
        raise RequestError("Expected a FHIR bundle as JSON; this is no JSON.") from error
    kind = told.get("resourceType") if isinstance(told, dict) else None
    if kind != "Bundle":
        came = f"a resource {_short(kind)}" if kind else "something else"
        raise RequestError(f"Expected a FHIR resource Bundle, got {came}.")
    bundle: Mapping[str, Any] = told
    return bundle


def _entries(bundle: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = _list(bundle.get("entry"))
    if len(entries) > MOST_OBSERVATIONS:
        raise RequestError(f"Expected at most {MOST_OBSERVATIONS} entries, got {len(entries)}.")
    return [_map(entry) for entry in entries]


def _day(observations: Sequence[Mapping[str, Any]]) -> date:
    """The day of the newest observation, on which the patient is as old as the values are of; else
    today.
    """
    dated = [at for at in map(_when, observations) if at is not None and at is not _UNREADABLE]
    return max(dated, default=datetime.now(UTC)).date()


def _of_patient(fact: Fact) -> Vital:
    unit = "years" if fact.element.element == "birthDate" else ""
    source = f"Patient.{fact.element.element}"
    return Vital(fact.element.column, fact.text, unit, fact.element.name, source, None)


def _measured(observation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The observation, and each of its components; a panel without a value only has these."""
    components = [_map(one) for one in _list(observation.get("component"))]
    if "valueQuantity" in observation or not components:
        yield observation
    yield from components


def _problem(observation: Mapping[str, Any], measured: Mapping[str, Any], code: Code) -> str:
    """Why a measurement cannot be used, or ""."""
    status, quantity = observation.get("status"), measured.get("valueQuantity")
    if status not in _FINAL:
        return f"its status is {_short(status)}, not final"
    if not isinstance(quantity, dict):
        return "it has no quantity"
    value, unit = quantity.get("value"), quantity.get("code")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "its value is no number"
    if len(_number(value)) > _MOST_DIGITS:
        return "its value is too long a number"
    if quantity.get("comparator"):
        return "its value is not exact"
    if quantity.get("system") != _UCUM or not isinstance(unit, str) or unit not in code.units:
        expected = " or ".join(code.units)
        return f"its unit is {_short(unit or quantity.get('unit'))}, expected {expected} (UCUM)"
    if _when(observation) is _UNREADABLE:
        return "it is not told when it was measured, or not as FHIR has it"
    return ""


def _vital(observation: Mapping[str, Any], measured: Mapping[str, Any], code: Code) -> Vital:
    quantity, at = measured["valueQuantity"], _when(observation)
    text = _number(quantity["value"])
    return Vital(code.column, text, code.units[quantity["code"]], code.name, code.loinc, at)


def _newest(vitals: list[Vital]) -> tuple[Vital | None, str]:
    """The newest of a column's, and why the others are not used; None where nobody can tell."""
    if len(vitals) == 1:
        return vitals[0], ""
    dated = [one for one in vitals if one.at is not None]
    if len(dated) < len(vitals):
        return None, "there are several, and not each tells when it was measured"
    latest = max(one.at for one in dated if one.at is not None)
    newest = [one for one in dated if one.at == latest]
    if len({(one.text, one.unit) for one in newest}) > 1:
        return None, "there are several of one moment that differ"
    return newest[0], "a newer one is used"


# Stands for a moment that is there and cannot be read.
_UNREADABLE: Final = datetime.min.replace(tzinfo=UTC)


def _when(observation: Mapping[str, Any]) -> datetime | None:
    """When it was measured; None where that is not told. A day counts from its beginning."""
    period = _map(observation.get("effectivePeriod"))
    told = (observation.get("effectiveDateTime"), observation.get("effectiveInstant"))
    text = next((one for one in (*told, period.get("end"), period.get("start")) if one), None)
    if text is None:
        return None
    if not isinstance(text, str):
        return _UNREADABLE
    filled = f"{text}-01-01" if len(text) == 4 else f"{text}-01" if len(text) == 7 else text
    try:
        at = datetime.fromisoformat(filled)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return _UNREADABLE


def _loinc(measured: Mapping[str, Any]) -> Iterator[str]:
    for coding in _list(_map(measured.get("code")).get("coding")):
        one = _map(coding)
        if one.get("system") == SYSTEM and isinstance(one.get("code"), str):
            yield one["code"]


def _name(measured: Mapping[str, Any]) -> str:
    """What a measurement is called: by its display, text or code."""
    code = _map(measured.get("code"))
    codings = [_map(one) for one in _list(code.get("coding"))]
    names = [one.get("display") for one in codings] + [code.get("text")]
    names += [one.get("code") for one in codings]
    return _short(next((one for one in names if one), "an observation without a code"))


def _number(value: int | Decimal) -> str:
    """A number without an exponent; of one that no form takes anything that is too long."""
    too_long = "9" * (_MOST_DIGITS + 1)
    if not -_BEYOND < value < _BEYOND:
        return too_long
    if isinstance(value, int):
        return str(value)
    exponent = value.as_tuple().exponent
    return f"{value:f}" if isinstance(exponent, int) and exponent > -30 else too_long


def _refuse(constant: str) -> Any:
    raise ValueError(f"expected numbers, got {constant}")


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _short(value: Any) -> str:
    text = str(value) if value else "not told"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
