"""A record over the years: vitals, diagnoses, consent, and how long it is kept."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.errors import RequestError
from app.models import (
    CarerRow,
    DoctorKeyRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
    RecordStepRow,
)
from app.models.base import now
from app.services.open_records import Kept, Noted, Record
from app.services.outcomes import FEWEST, bands_of
from app.services.patient_consent import AGREED, BASIS, REFUSED, UNKNOWN, Consent
from app.services.record_entries import (
    NOT_KNOWN,
    NOT_TRUE,
    TRUE,
    Answer,
    Came,
    Entry,
    Figure,
    Longer,
    Outcome,
    Vitals,
    decode,
    encode,
)
from app.services.record_sealing import (
    Attributes,
    Fared,
    Minimum,
    open_entry,
    open_minimum,
    open_version,
    seal_minimum,
)
from app.services.record_steps import ERASE
from app.services.retention import _later
from app.services.vitals import courses
from crypto.box import seal_box
from crypto.context import canonical, parse
from crypto.envelope import load_public_key
from crypto.errors import EncodingError
from crypto.feldman import deal, derive_key, new_secret
from tests.app.clinic import GRETA, HEART, REASON, Clinic, Doctor, opened, verified

Trio = tuple[Doctor, Doctor, Doctor]
PRESSURE = Figure("trestbps", "Resting blood pressure", 141.5, "mmHg")
RISKY = replace(HEART, figures=(PRESSURE,), risk=0.61)
MEASURED = Vitals(
    "heart", "Heart", (("Resting blood pressure", "137 mmHg"),),
    (replace(PRESSURE, value=137.0),), "2024-05-06",
)  # fmt: skip
# An answer as it was sealed before there were figures: the bytes, not what makes them.
OLD_ANSWER = {
    "task": "heart", "title": "Heart", "result": "61 % risk", "version": "version 1",
    "values": [["Age", "63 years"]], "model_sha256": "ab" * 32, "at": "2026-11-22T10:00:00",
}  # fmt: skip


def minimum_of(clinic: Clinic, who: Doctor, patient: str) -> Minimum:
    with clinic.database.transaction() as session:
        return open_minimum(session.get_one(CarerRow, (patient, who.row.id)), who.key)


# Formats of before.


def test_attributes_that_were_sealed_without_consent_say_that_it_is_not_known() -> None:
    secret, nonce = new_secret(), bytes(12)
    texts = {"family_name": "L", "given_name": "G", "born": "1951-03-08", "sex": "female"}
    texts |= {"number": "7", "contact": "", "notes": ""}
    label = "consilium/record-attributes/v1"
    sealed = AESGCM(derive_key(secret, label.encode())).encrypt(
        nonce, cbor2.dumps(texts, canonical=True), canonical(label, "p", 1)
    )
    row = PatientVersionRow(patient_id="p", version=1, sealed=nonce + sealed, made_by=1)
    found = open_version(row, secret)
    assert found == Attributes("L", "G", "1951-03-08", "female", "7")
    assert (found.consent.recording, found.consent.training) == (UNKNOWN, UNKNOWN)


def test_an_answer_of_before_opens_and_is_sealed_anew_byte_for_byte() -> None:
    secret = new_secret()
    public = deal(secret, 1, [1, 2]).commitments[0]
    told = cbor2.dumps(OLD_ANSWER, canonical=True)
    box = seal_box(load_public_key(public), told, "consilium/record-entry/v1", "p")
    found = open_entry(PatientEntryRow(patient_id="p", sealed=box), secret)
    assert isinstance(found, Answer)
    assert (found.values, found.figures, found.risk) == ((("Age", "63 years"),), (), None)
    assert encode(found) == told
    assert courses(Record([], [Kept(found, "bea", now())])) == []


def test_a_minimum_of_before_opens(clinic: Clinic, trio: Trio) -> None:
    patient, label = clinic.seal(*trio), "consilium/record-minimum/v1"
    with clinic.database.transaction() as session:
        row = session.get_one(CarerRow, (patient, trio[0].row.id))
        told = canonical(label, "G.L.", "Heart", "61 % risk")
        public = trio[0].key.private.public_key()
        row.minimum = seal_box(public, told, label, patient)
        assert open_minimum(row, trio[0].key) == Minimum("G.L.", "Heart", "61 % risk")


def test_an_entry_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(EncodingError, match="'dream'"):
        decode({"kind": "dream"})


words = st.text(max_size=20)
figures = st.lists(
    st.builds(Figure, words, words, st.floats(allow_nan=False, allow_infinity=False), words),
    max_size=3,
).map(tuple)
values = st.lists(st.tuples(words, words), max_size=3).map(tuple)


@given(
    st.one_of(
        st.builds(
            Answer, words, words, words, values, words, words, words, figures,
            st.none() | st.floats(0, 1),
        ),
        st.builds(Vitals, words, words, values, figures, words),
        st.builds(Outcome, words, st.sampled_from((NOT_TRUE, TRUE, NOT_KNOWN)), words, words),
        st.builds(Longer, words, words),
    )
)  # fmt: skip
def test_every_entry_opens_as_it_was_sealed(entry: Entry) -> None:
    assert decode(parse(encode(entry))) == entry


# Vitals.


def test_vitals_are_added_unopened_and_drawn_with_the_answers_numbers(
    clinic: Clinic, trio: Trio
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    clinic.patients.keep(carl.row, carl.key, patient, RISKY)
    before = minimum_of(clinic, bea, patient)
    clinic.patients.keep(carl.row, carl.key, patient, MEASURED)
    assert minimum_of(clinic, bea, patient) == before
    opened(clinic, bea, carl, patient)
    record = clinic.records.read(bea.row, bea.key, patient)
    assert [one.entry for one in record.vitals] == [MEASURED]
    risk, pressure = courses(record)
    assert (risk.unit, [one.value for one in risk.points]) == ("%", [61.0])
    assert [(one.at.year, one.value) for one in pressure.points] == [(2024, 137.0), (2026, 141.5)]
    assert pressure.typical == (95, 192)
    assert not any(pressure.outside(one) for one in pressure.points)
    assert pressure.to_json()["labels"] == ["2024-05-06T00:00:00", "2026-11-22T10:00:00"]
    assert verified(clinic) == []


def test_what_is_no_measurement_is_not_drawn_and_an_unknown_task_has_no_band() -> None:
    age = Figure("age", "Age", 63.0, "years")
    gone = replace(MEASURED, task="gone")
    told = replace(gone, figures=(age, replace(PRESSURE, value=300.0)))
    (pressure,) = courses(Record([], [], vitals=[Noted(told, "bea", now())]))
    assert (pressure.title, pressure.typical) == ("Resting blood pressure", None)
    known = replace(told, task="heart")
    (pressure,) = courses(Record([], [], vitals=[Noted(known, "bea", now())]))
    assert pressure.outside(pressure.points[0])


# Diagnoses.


def note(clinic: Clinic, who: Doctor, patient: str, came: Came, day: str = "2024-01-02") -> None:
    told = Outcome(RISKY.reference, came, day, "Angiography")
    clinic.outcomes.note(who.row, who.key, patient, told)


def test_a_diagnosis_is_sealed_and_counted_for_the_care_group_only(
    clinic: Clinic, trio: Trio
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    with pytest.raises(RequestError, match="closed"):
        note(clinic, bea, patient, TRUE)
    opened(clinic, bea, carl, patient)
    note(clinic, bea, patient, TRUE)
    note(clinic, bea, patient, NOT_TRUE)
    outcomes = clinic.records.read(bea.row, bea.key, patient).outcomes
    assert [one.entry.word for one in outcomes] == ["no", "yes"]
    minima = [one.minimum for one in clinic.patients.mine(dora.row, dora.key)]
    (band,) = [one for one in bands_of(minima, RISKY.model_sha256) if one.known]
    assert (band.low, band.high, band.known, band.came_true, band.mean_risk) == (60, 80, 1, 0, 0.61)
    assert band.share is None
    assert bands_of(minima, "cd" * 32) == []
    note(clinic, bea, patient, NOT_KNOWN)
    assert bands_of([minimum_of(clinic, carl, patient)], RISKY.model_sha256) == []
    assert verified(clinic) == []


def test_outcomes_go_on_to_another_care_group(clinic: Clinic, trio: Trio) -> None:
    bea, carl, _ = trio
    patient, eve = clinic.seal(*trio), clinic.doctor("eve")
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    opened(clinic, bea, carl, patient)
    note(clinic, bea, patient, TRUE)
    clinic.records.reseal(bea.row, bea.key, patient, [carl.row.id, eve.row.id], 2)
    assert len(minimum_of(clinic, eve, patient).fared) == 1
    opened(clinic, eve, carl, patient)
    (outcome,) = clinic.records.read(eve.row, eve.key, patient).outcomes
    assert outcome.entry.answer == RISKY.reference


def test_lengths_do_not_tell_the_diagnosis(clinic: Clinic, trio: Trio) -> None:
    sealed = {
        len(encode(Outcome(RISKY.reference, came, "2024-01-02"))) for came in (NOT_TRUE, TRUE, 2)
    }
    assert len(sealed) == 1
    with clinic.database.transaction() as session:
        key = session.get_one(DoctorKeyRow, trio[0].key.number)
        boxes = {
            len(seal_minimum("p", key, Minimum("A", fared=(Fared("a", "b", risk, came),))))
            for risk in (0, 10, 200, 1000)
            for came in (NOT_TRUE, TRUE, NOT_KNOWN)
        }
    assert len(boxes) == 1


def test_the_audit_log_says_nothing_of_the_diagnosis(clinic: Clinic, trio: Trio) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    opened(clinic, bea, carl, patient)
    note(clinic, bea, patient, TRUE)
    entry = clinic.audit.entries().entries[0]
    assert entry.action == "record.outcome_noted"
    assert set(json.loads(entry.details)) == {"digest"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"answer": "0" * 64}, "no such answer"),
        ({"came": 7}, "Choose whether"),
        ({"at": "soon"}, "Enter the day"),
        ({"at": "2999-01-01"}, "day to come"),
        ({"basis": "x" * 301}, "at most 300"),
    ],
)
def test_a_diagnosis_that_cannot_be_kept_is_refused(
    clinic: Clinic, trio: Trio, wrong: dict[str, object], told: str
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    opened(clinic, bea, carl, patient)
    good = Outcome(RISKY.reference, TRUE, "2024-01-02")
    with pytest.raises(RequestError, match=told):
        clinic.outcomes.note(bea.row, bea.key, patient, replace(good, **wrong))
    assert clinic.records.read(bea.row, bea.key, patient).outcomes == []


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from((0, 1, 2))), max_size=60))
def test_bands_count_every_known_outcome_once(told: list[tuple[int, Came]]) -> None:
    minima = [
        Minimum("A", fared=(Fared(f"{at}", "m", risk, came),))
        for at, (risk, came) in enumerate(told)
    ]
    bands = bands_of(minima, "m")
    known = [(risk, came) for risk, came in told if came != NOT_KNOWN]
    assert sum(one.known for one in bands) == len(known)
    assert sum(one.came_true for one in bands) == sum(came for _, came in known)
    for one in bands:
        assert (one.share is None) == (one.known < FEWEST)
        assert one.known == 0 or one.low <= one.mean_risk * 100 <= one.high


# Consent.


@pytest.mark.parametrize(
    ("consent", "told"),
    [
        (Consent(), "Say whether the patient agreed"),
        (Consent(REFUSED, on="2024-01-02"), "choose the other legal basis"),
        (Consent(BASIS, on="2024-01-02", basis=" "), "on which other legal basis"),
        (Consent(AGREED, on="2999-01-02"), "day to come"),
        (Consent(AGREED, on="then"), "Enter the day"),
        (Consent("perhaps", on="2024-01-02"), "Choose what"),
    ],
)
def test_a_patient_is_not_recorded_without_consent(
    clinic: Clinic, trio: Trio, consent: Consent, told: str
) -> None:
    others = [one.row.id for one in trio[1:]]
    with pytest.raises(RequestError, match=told):
        clinic.patients.create(trio[0].row, replace(GRETA, consent=consent), others, 2)
    assert clinic.patients.mine(trio[0].row, trio[0].key) == []


def test_a_consent_that_is_taken_back_keeps_the_record_from_growing(
    clinic: Clinic, trio: Trio
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    withdrawn = replace(GRETA, consent=Consent(REFUSED, REFUSED, "2024-01-02", "", "bea"))
    clinic.records.revise(bea.row, bea.key, patient, withdrawn)
    for entry in (RISKY, MEASURED):
        with pytest.raises(RequestError, match="does not agree to be recorded"):
            clinic.patients.keep(carl.row, carl.key, patient, entry)
    with pytest.raises(RequestError, match="does not agree to be recorded"):
        clinic.records.revise(bea.row, bea.key, patient, replace(withdrawn, notes="More"))
    emergency = Consent(BASIS, REFUSED, "2024-01-03", "Emergency care", "bea")
    clinic.records.revise(bea.row, bea.key, patient, replace(withdrawn, consent=emergency))
    clinic.patients.keep(carl.row, carl.key, patient, RISKY)
    versions = clinic.records.read(bea.row, bea.key, patient).versions
    recorded = [one.attributes.consent.recording for one in versions]
    assert recorded == [BASIS, REFUSED, AGREED]
    assert verified(clinic) == []


# How long it is kept.


def aged(clinic: Clinic, patient: str, years: float) -> None:
    """As if everything of the patient had been entered so long ago."""
    then = now() - timedelta(days=365.25 * years)
    with clinic.database.transaction() as session:
        for table in (PatientVersionRow, PatientEntryRow):
            session.execute(update(table).filter_by(patient_id=patient).values(made_at=then))


def test_a_record_is_due_ten_years_after_its_last_entry(clinic: Clinic, trio: Trio) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    aged(clinic, patient, 11)
    days = clinic.retention.days(bea.row)
    assert days[patient] < clinic.retention.today
    clinic.patients.keep(carl.row, carl.key, patient, MEASURED)
    assert clinic.retention.days(bea.row)[patient] == _later(now().date(), 10)
    assert clinic.retention.days(clinic.doctor("eve").row) == {}


@pytest.mark.parametrize(
    ("day", "years", "then"),
    [
        (date(2024, 2, 29), 1, date(2025, 3, 1)),
        (date(2024, 2, 29), 4, date(2028, 2, 29)),
        (date(2024, 12, 31), 10, date(2034, 12, 31)),
    ],
)
def test_years_later_is_the_same_day(day: date, years: int, then: date) -> None:
    assert _later(day, years) == then


def test_a_record_is_prolonged_for_a_reason_that_stays_sealed(clinic: Clinic, trio: Trio) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    aged(clinic, patient, 11)
    until = now().date() + timedelta(days=400)
    clinic.retention.prolong(dora.row, dora.key, patient, until, " A  trial ")
    assert clinic.retention.days(bea.row)[patient] == until
    assert verified(clinic) == []
    opened(clinic, bea, carl, patient)
    (longer,) = clinic.records.read(bea.row, bea.key, patient).longer
    assert (longer.entry, longer.by) == (Longer(until.isoformat(), "A trial"), "dora")
    for wrong, reason, told in (
        (until, "Again", "Choose a day after"),
        (until + timedelta(days=365 * 31), "Again", "at most 30 years"),
        (until + timedelta(days=1), " ", "Give the reason"),
    ):
        with pytest.raises(RequestError, match=told):
            clinic.retention.prolong(bea.row, bea.key, patient, wrong, reason)
    eve = clinic.doctor("eve")
    with pytest.raises(RequestError, match="no such patient"):
        clinic.retention.prolong(eve.row, eve.key, patient, until + timedelta(days=1), "Again")
    with clinic.database.transaction() as session:
        session.get_one(PatientRow, patient).keep_until = date(2030, 1, 1)
    assert verified(clinic) == [f"prolonged record {patient[:12]}"]


def test_what_is_due_is_erased_unopened_and_loudly(clinic: Clinic, trio: Trio) -> None:
    bea, carl, _ = trio
    patient, eve = clinic.seal(*trio), clinic.doctor("eve")
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    with pytest.raises(RequestError, match="kept until"):
        clinic.retention.erase(bea.row, bea.key, patient)
    aged(clinic, patient, 11)
    with pytest.raises(RequestError, match="no such patient"):
        clinic.retention.erase(eve.row, eve.key, patient)
    due = clinic.retention.days(bea.row)[patient]
    opened(clinic, carl, bea, patient)
    clinic.retention.erase(bea.row, bea.key, patient)
    assert clinic.patients.find(carl.row, carl.key, patient) is None
    with clinic.database.transaction() as session:
        for table in (CarerRow, PatientVersionRow, PatientEntryRow):
            assert session.scalars(select(table).filter_by(patient_id=patient)).all() == []
    entry = clinic.audit.entries().entries[0]
    assert (entry.action, entry.actor) == ("record.erased", "bea")
    details = json.loads(entry.details)
    known = details.pop("ledger")
    assert details == {"due": due.isoformat(), "unopened": True}
    with clinic.database.transaction() as session:
        query = select(RecordStepRow.record).filter_by(patient_id=patient, kind=ERASE)
        assert session.scalars(query).all() == [known]
    assert verified(clinic) == []


def test_a_prolonged_record_is_not_due_and_its_erasure_is_whole(clinic: Clinic, trio: Trio) -> None:
    bea = trio[0]
    patient = clinic.seal(*trio)
    aged(clinic, patient, 11)
    until = now().date() + timedelta(days=5)
    clinic.retention.prolong(bea.row, bea.key, patient, until, "A trial")
    with pytest.raises(RequestError, match=f"kept until {until}"):
        clinic.retention.erase(bea.row, bea.key, patient)
    clinic.clock.late = timedelta(days=5)
    clinic.retention.erase(bea.row, bea.key, patient)
    assert verified(clinic) == []


# What the database tells.


def test_the_database_tells_nothing_of_what_was_added(
    clinic: Clinic, trio: Trio, caplog: pytest.LogCaptureFixture
) -> None:
    bea, carl, _ = trio
    emergency = Consent(BASIS, AGREED, "2021-03-04", "Unconscious at arrival", "bea")
    others = [carl.row.id, trio[2].row.id]
    patient = clinic.patients.create(bea.row, replace(GRETA, consent=emergency), others, 2)
    clinic.patients.keep(bea.row, bea.key, patient, RISKY)
    clinic.patients.keep(bea.row, bea.key, patient, MEASURED)
    until = now().date() + timedelta(days=8000)
    clinic.retention.prolong(bea.row, bea.key, patient, until, "Trial of Lindqvistsson’s statin")
    opened(clinic, bea, carl, patient)
    note(clinic, bea, patient, TRUE, "2023-02-01")
    dumped = clinic.path.read_bytes() + caplog.text.encode()
    with closing(sqlite3.connect(clinic.path)) as database:
        for line in database.iterdump():
            dumped += line.encode() + b"\n"
    assert b"record.outcome_noted" in dumped
    secrets = [
        *("Unconscious at arrival", "2021-03-04", "137 mmHg", "2024-05-06", "Angiography"),
        *("2023-02-01", "Trial of Lindq", RISKY.reference, RISKY.reference[:16], REASON),
        *("Resting blood pressure", "mmHg", BASIS),
    ]
    for one in secrets:
        assert one.encode() not in dumped, one
        assert one.encode().hex().encode() not in dumped.lower(), one
