"""Openings of sealed records: who opens one with whom, for how long, and in an emergency."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import RequestError
from app.models import (
    CarerRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientRow,
)
from app.services.opening_view import TOLD_FOR
from app.services.openings import ASKED_FOR, CLOSED, OPEN_FOR, WITHDRAWN
from tests.app.clinic import GRETA, REASON, Clinic, Doctor, opened


def test_a_colleague_s_approval_opens_the_record(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    with pytest.raises(RequestError, match="shares of 2 doctors, and 1"):
        clinic.openings.open(bea.row, bea.key, asked)
    (waiting,) = clinic.views.waiting_for(carl.row, carl.key)
    assert (waiting.reason, waiting.asked_name, waiting.ready) == (REASON, "bea", False)
    clinic.openings.approve(carl.row, carl.key, asked)
    assert clinic.opening(bea, patient).ready
    assert clinic.views.waiting_for(carl.row, carl.key) == []
    clinic.openings.open(bea.row, bea.key, asked)
    (version,) = clinic.records.read(bea.row, bea.key, patient).versions
    assert (version.attributes, version.by, version.number) == (GRETA, "bea", 1)


def test_who_approved_has_not_opened_it(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    clinic.openings.approve(carl.row, carl.key, asked)
    for other in (carl, dora):
        with pytest.raises(RequestError):
            clinic.openings.open(other.row, other.key, asked)
        with pytest.raises(RequestError, match="closed"):
            clinic.records.read(other.row, other.key, patient)


def test_outside_of_the_care_group_there_is_no_such_patient(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(trio[0].row, trio[0].key, patient, REASON)
    eve = clinic.doctor("eve")
    assert clinic.patients.mine(eve.row, eve.key) == []
    assert clinic.patients.find(eve.row, eve.key, patient) is None
    assert clinic.views.of_patient(eve.row, eve.key, patient) == []
    for forbidden in (
        lambda: clinic.openings.ask(eve.row, eve.key, patient, REASON),
        lambda: clinic.openings.approve(eve.row, eve.key, asked),
        lambda: clinic.openings.open(eve.row, eve.key, asked),
        lambda: clinic.records.read(eve.row, eve.key, patient),
        lambda: clinic.records.revise(eve.row, eve.key, patient, GRETA),
        lambda: clinic.openings.end(eve.row, asked),
    ):
        with pytest.raises(RequestError):
            forbidden()


def test_nobody_approves_twice_or_what_was_asked_by_oneself(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    asked = clinic.openings.ask(bea.row, bea.key, clinic.seal(*trio, quorum=3), REASON)
    with pytest.raises(RequestError, match="yourself"):
        clinic.openings.approve(bea.row, bea.key, asked)
    clinic.openings.approve(carl.row, carl.key, asked)
    with pytest.raises(RequestError, match="already"):
        clinic.openings.approve(carl.row, carl.key, asked)
    with pytest.raises(RequestError, match="3 doctors, and 2"):
        clinic.openings.open(bea.row, bea.key, asked)
    clinic.openings.decline(dora.row, asked)
    with pytest.raises(RequestError, match="3 doctors, and 2"):
        clinic.openings.open(bea.row, bea.key, asked)


def test_an_open_record_closes_by_itself_and_its_shares_are_erased(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    clinic.clock.late = OPEN_FOR - timedelta(seconds=30)
    assert clinic.records.read(bea.row, bea.key, patient)
    clinic.clock.late = OPEN_FOR + timedelta(seconds=1)
    with pytest.raises(RequestError, match="closed"):
        clinic.records.read(bea.row, bea.key, patient)
    assert clinic.opening(bea, patient).state == CLOSED
    assert clinic.openings.end_overdue() == 1
    with clinic.database.transaction() as session:
        assert set(session.scalars(select(OpeningAnswerRow.share))) == {None}
    assert clinic.openings.end_overdue() == 0


def test_a_request_that_nobody_answers_lapses(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    clinic.clock.late = ASKED_FOR
    assert clinic.views.waiting_for(carl.row, carl.key) == []
    with pytest.raises(RequestError):
        clinic.openings.approve(carl.row, carl.key, asked)
    assert clinic.opening(bea, patient).state == WITHDRAWN
    clinic.openings.ask(bea.row, bea.key, patient, "Asked again")


def test_closing_ends_it_at_once(clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    with pytest.raises(RequestError, match="already"):
        clinic.openings.ask(bea.row, bea.key, patient, REASON)
    clinic.openings.approve(carl.row, carl.key, asked)
    clinic.openings.open(bea.row, bea.key, asked)
    clinic.openings.end(bea.row, asked)
    with pytest.raises(RequestError, match="closed"):
        clinic.records.read(bea.row, bea.key, patient)
    with pytest.raises(RequestError, match="over"):
        clinic.openings.open(bea.row, bea.key, asked)


def test_in_an_emergency_one_doctor_opens_and_the_others_are_told(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    assert clinic.opening(bea, patient).ready
    for who in (carl, dora):
        (told,) = clinic.views.emergencies(who.row, who.key)
        assert (told.asked_name, told.reason, told.opened_at) == ("bea", REASON, None)
    clinic.openings.open(bea.row, bea.key, asked)
    assert clinic.records.read(bea.row, bea.key, patient).versions[0].attributes == GRETA
    (told,) = clinic.views.emergencies(carl.row, carl.key)
    assert told.opened_at is not None
    assert clinic.views.emergencies(bea.row, bea.key) == []
    entry = next(e for e in clinic.audit.entries().entries if e.action == "record.opening_asked")
    assert json.loads(entry.details)["emergency"] is True
    clinic.openings.end(bea.row, asked)
    with clinic.database.transaction() as session:
        assert session.get_one(OpeningRow, asked).share is None
    clinic.clock.late = TOLD_FOR
    assert clinic.views.emergencies(carl.row, carl.key) == []


def test_the_administration_s_share_counts_as_one_and_in_an_emergency_only(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio, quorum=3)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    clinic.openings.approve(carl.row, carl.key, asked)
    with pytest.raises(RequestError, match="3 doctors, and 2"):
        clinic.openings.open(bea.row, bea.key, asked)
    clinic.openings.end(bea.row, asked)
    urgent = clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    with pytest.raises(RequestError, match="3 doctors, and 2"):
        clinic.openings.open(bea.row, bea.key, urgent)
    clinic.openings.approve(carl.row, carl.key, urgent)
    clinic.openings.open(bea.row, bea.key, urgent)
    assert clinic.records.read(bea.row, bea.key, patient)


def test_a_damaged_share_of_the_administration_is_told(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea = trio[0]
    patient = clinic.seal(*trio)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    clinic.altered(OpeningRow, share=b"something else")
    with pytest.raises(RequestError, match="Damaged: the share of the administration"):
        clinic.openings.open(bea.row, bea.key, asked)
    clinic.openings.end(bea.row, asked)
    clinic.altered(PatientRow, escrow=b"something else")
    with pytest.raises(RequestError, match="administration’s share of this record is damaged"):
        clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    opened(clinic, bea, trio[1], patient)


def test_a_damaged_share_is_named_and_the_others_open_without_it(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    with clinic.database.transaction() as session:
        row = session.get_one(CarerRow, (patient, carl.row.id))
        row.share = row.share[:-1] + bytes([row.share[-1] ^ 1])
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    with pytest.raises(RequestError, match="Your share of this record is damaged"):
        clinic.openings.approve(carl.row, carl.key, asked)
    clinic.openings.approve(dora.row, dora.key, asked)
    with clinic.database.transaction() as session:
        lent = session.get_one(OpeningAnswerRow, (asked, dora.row.id))
        assert lent.share is not None
        lent.share = lent.share[:-1] + bytes([lent.share[-1] ^ 1])
    with pytest.raises(RequestError, match="Damaged: the share of dora"):
        clinic.openings.open(bea.row, bea.key, asked)
