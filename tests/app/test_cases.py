"""Cases: made by diagnosis and consent, sealed to the doctor's hospital, taken back."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.models import CaseRow
from app.services.cases import open_case
from app.services.keys import KeyRing
from app.services.passphrase import Passphrase
from app.services.patient_consent import AGREED, REFUSED, Consent
from app.services.record_check import as_logged
from app.services.record_entries import NOT_KNOWN, NOT_TRUE, TRUE, Answer, Came, Outcome
from crypto.errors import SealError
from fl.datasets import get_task
from tests.app.clinic import GRETA, HEART, Clinic, Doctor, opened, verified

ON = "2024-01-02"
WILLING = replace(GRETA, consent=Consent(AGREED, AGREED, "2020-01-02", "", "bea"))
UNWILLING = replace(GRETA, consent=Consent(AGREED, REFUSED, "2020-01-03", "", "bea"))
ASKED = replace(
    HEART, risk=0.61, inputs=(("age", 63.0), ("sex", 1.0), ("cp", 3.0), ("chol", 239.5))
)
Trio = tuple[Doctor, Doctor, Doctor]


@pytest.fixture
def ring(clinic: Clinic) -> KeyRing:
    """The clinic's own: another object, the same files."""
    return KeyRing(clinic.path.parent / "parties", Passphrase("long enough to be one", 2, "a test"))


def works(clinic: Clinic, who: Doctor, hospital: str = "Cleveland") -> None:
    clinic.staff.assign(clinic.ada, who.row.id, hospital)


def willing(clinic: Clinic, *group: Doctor, answer: Answer = ASKED) -> str:
    """A patient who agreed to training, with an answer; the first of the group has it open."""
    first, second, *_ = group
    others = [one.row.id for one in group[1:]]
    patient = clinic.patients.create(first.row, WILLING, others, 2)
    clinic.patients.keep(first.row, first.key, patient, answer)
    opened(clinic, first, second, patient)
    return patient


def note(
    clinic: Clinic, who: Doctor, patient: str, came: Came = TRUE, answer: Answer = ASKED
) -> None:
    clinic.outcomes.note(who.row, who.key, patient, Outcome(answer.reference, came, ON))


def cases(clinic: Clinic) -> list[CaseRow]:
    with clinic.database.transaction() as session:
        return list(session.scalars(select(CaseRow)))


def why(clinic: Clinic, who: Doctor, patient: str, answer: Answer = ASKED) -> str:
    """Why the answer is no case, as the record says it."""
    standing = clinic.records.read(who.row, who.key, patient).cases[answer.reference]
    assert standing.hospital is None
    return standing.why


@pytest.mark.parametrize(("came", "label"), [(TRUE, 1), (NOT_TRUE, 0)])
def test_a_diagnosis_is_a_case_that_the_hospital_alone_opens(
    clinic: Clinic, trio: Trio, ring: KeyRing, came: Came, label: int
) -> None:
    works(clinic, trio[0])
    patient = willing(clinic, *trio)
    note(clinic, trio[0], patient, came)
    (row,) = cases(clinic)
    assert (row.hospital, row.task, row.made_by) == ("Cleveland", "heart", trio[0].row.id)
    task, key = get_task("heart"), ring.case_key("Cleveland")
    values, found = open_case(key, "Cleveland", task, patient, row.sealed)
    told = dict(zip((one.name for one in task.columns), values, strict=True))
    assert {name: value for name, value in told.items() if not math.isnan(value)} == dict(
        ASKED.inputs
    )
    assert found == label
    wrong = [(ring.case_key("Hungary"), "Cleveland", patient), (key, "Hungary", patient)]
    for who, hospital, whose in [*wrong, (key, "Cleveland", "another")]:
        with pytest.raises(SealError):
            open_case(who, hospital, task, whose, row.sealed)
    # Nothing of it lies in the installation in clear.
    written = b"".join(one.read_bytes() for one in clinic.path.parent.rglob("*") if one.is_file())
    assert row.sealed in written
    assert not any(struct.pack(">d", value) in written for _, value in ASKED.inputs if value > 3)
    record = clinic.records.read(trio[0].row, trio[0].key, patient)
    assert record.cases[ASKED.reference].hospital == "Cleveland"
    assert verified(clinic) == []


def test_a_case_takes_the_same_room_whatever_it_says(clinic: Clinic, trio: Trio) -> None:
    works(clinic, trio[0])
    full = tuple((one.name, 1.0) for one in get_task("heart").columns)
    for inputs, came in ((ASKED.inputs, TRUE), ((("age", 44.0),), NOT_TRUE), (full, TRUE)):
        answer = replace(ASKED, inputs=inputs)
        note(clinic, trio[0], willing(clinic, *trio, answer=answer), came, answer)
    assert len({len(row.sealed) for row in cases(clinic)}) == 1


def test_consent_decides_at_any_time(clinic: Clinic, trio: Trio) -> None:
    bea = trio[0]
    works(clinic, bea)
    patient = willing(clinic, *trio)
    note(clinic, bea, patient)
    assert len(cases(clinic)) == 1
    clinic.records.revise(bea.row, bea.key, patient, UNWILLING)
    assert cases(clinic) == []
    assert "has not agreed" in why(clinic, bea, patient)
    clinic.records.revise(bea.row, bea.key, patient, WILLING)
    assert len(cases(clinic)) == 1
    gone = replace(WILLING, consent=Consent(REFUSED, AGREED, "2020-01-04", "", "bea"))
    clinic.records.revise(bea.row, bea.key, patient, gone)
    assert cases(clinic) == []
    assert verified(clinic) == []


def test_it_goes_with_the_record(clinic: Clinic, trio: Trio) -> None:
    bea = trio[0]
    works(clinic, bea)
    patient = willing(clinic, *trio)
    note(clinic, bea, patient)
    clinic.records.erase(bea.row, bea.key, patient)
    assert cases(clinic) == []
    assert verified(clinic) == []


def test_a_patient_is_one_case_of_a_task_the_one_confirmed_last(
    clinic: Clinic, trio: Trio, ring: KeyRing
) -> None:
    bea = trio[0]
    works(clinic, bea)
    patient, later = willing(clinic, *trio), replace(ASKED, inputs=(("age", 70.0),))
    clinic.patients.keep(bea.row, bea.key, patient, later)
    note(clinic, bea, patient, TRUE)
    note(clinic, bea, patient, NOT_TRUE, later)
    assert "recorded later" in why(clinic, bea, patient)

    def case() -> tuple[float, int]:
        (row,) = cases(clinic)
        key, task = ring.case_key("Cleveland"), get_task("heart")
        values, label = open_case(key, "Cleveland", task, patient, row.sealed)
        return values[0], label

    assert case() == (70.0, 0)
    note(clinic, bea, patient, NOT_TRUE)
    assert case() == (63.0, 0)
    note(clinic, bea, patient, NOT_KNOWN)
    assert case() == (70.0, 0)
    note(clinic, bea, patient, NOT_KNOWN, later)
    assert cases(clinic) == []
    assert clinic.records.read(bea.row, bea.key, patient).cases == {}


def test_a_case_stays_with_its_hospital(clinic: Clinic, trio: Trio) -> None:
    """Another doctor's change does not move it, a diagnosis by another doctor does."""
    bea, carl, _ = trio
    works(clinic, bea)
    patient = willing(clinic, *trio)
    note(clinic, bea, patient)
    works(clinic, bea, "Hungary")
    works(clinic, carl, "Switzerland")
    opened(clinic, carl, bea, patient)
    moved = replace(WILLING, contact="0170 5550200")
    clinic.records.revise(carl.row, carl.key, patient, moved)
    assert [row.hospital for row in cases(clinic)] == ["Cleveland"]
    note(clinic, carl, patient)
    assert [row.hospital for row in cases(clinic)] == ["Switzerland"]


@pytest.mark.parametrize(
    ("answer", "hospital", "told"),
    [
        (ASKED, None, "belongs to no hospital"),
        (ASKED, "Hospital A", "Hospital A takes no part"),
        (replace(ASKED, inputs=()), "Cleveland", "before cases were made"),
        (replace(ASKED, inputs=(("shoes", 42.0),)), "Cleveland", "not those that trainings"),
        (replace(ASKED, task="gout"), "Cleveland", "not those that trainings"),
    ],
)
def test_what_is_no_case_is_told(
    clinic: Clinic, trio: Trio, answer: Answer, hospital: str | None, told: str
) -> None:
    if hospital:
        works(clinic, trio[0], hospital)
    patient = willing(clinic, *trio, answer=answer)
    note(clinic, trio[0], patient, answer=answer)
    assert cases(clinic) == []
    assert told in why(clinic, trio[0], patient, answer)


def test_a_hospital_that_is_set_later_asks_for_the_diagnosis_again(
    clinic: Clinic, trio: Trio
) -> None:
    patient = willing(clinic, *trio)
    note(clinic, trio[0], patient)
    works(clinic, trio[0])
    assert "Record the diagnosis again" in why(clinic, trio[0], patient)
    note(clinic, trio[0], patient)
    assert len(cases(clinic)) == 1


@pytest.mark.parametrize(
    "values", [{"sealed": b"other"}, {"hospital": "Hungary"}, {"task": "diabetes"}, {"made_by": 1}]
)
def test_an_altered_case_is_found_and_not_taken(
    clinic: Clinic, trio: Trio, values: dict[str, object]
) -> None:
    works(clinic, trio[0])
    patient = willing(clinic, *trio)
    note(clinic, trio[0], patient)
    with clinic.database.transaction() as session:
        assert as_logged(session, {patient, "a stranger"}) == {patient}
    clinic.altered(CaseRow, **values)
    with clinic.database.transaction() as session:
        assert as_logged(session, {patient}) == set()
    assert any("sealed record" in one for one in verified(clinic))


def test_the_key_of_a_hospital_s_cases_outlives_a_rotation(ring: KeyRing) -> None:
    first = ring.case_key("Cleveland").private_numbers()
    assert ring.keys("Cleveland").signing.private_numbers() != first
    ring.prepare_next("Cleveland")
    ring.use_next("Cleveland")
    assert ring.case_key("Cleveland").private_numbers() == first
