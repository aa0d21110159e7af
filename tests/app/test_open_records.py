"""Open records: what is changed, kept, sealed anew for another group, and erased."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.errors import RequestError
from app.models import (
    CarerRow,
    OpeningRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
)
from app.services.check_report import Report
from app.services.record_check import check_records
from app.services.record_sealing import (
    ALTERED,
    SHARE,
    Attributes,
    commitments_of,
    open_version,
)
from crypto.box import open_box
from crypto.errors import SealError
from crypto.feldman import recover
from tests.app.clinic import GRETA, HEART, REASON, Clinic, Doctor, opened


def test_revising_keeps_what_was_entered_before(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    married = Attributes("Öberg", "Greta", "1951-03-08", "female")
    clinic.records.revise(bea.row, bea.key, patient, married)
    newest, first = clinic.records.read(bea.row, bea.key, patient).versions
    assert (newest.attributes, first.attributes) == (married, GRETA)
    for who in (bea, carl, dora):
        (seen,) = clinic.patients.mine(who.row, who.key)
        assert (seen.minimum.initials, seen.versions) == ("G.Ö.", 2)


def test_an_answer_is_kept_unopened_and_read_when_open(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    for result in ("61 % risk", "58 % risk"):
        clinic.patients.keep(carl.row, carl.key, patient, replace(HEART, result=result))
    for who in trio:
        (seen,) = clinic.patients.mine(who.row, who.key)
        minimum = seen.minimum
        assert (minimum.initials, minimum.task, minimum.result) == ("G.L.", "Heart", "58 % risk")
    with pytest.raises(RequestError):
        clinic.patients.keep(clinic.doctor("eve").row, bea.key, patient, HEART)
    opened(clinic, bea, dora, patient)
    kept = clinic.records.read(bea.row, bea.key, patient).answers
    assert [(one.answer.result, one.by) for one in kept] == [
        ("58 % risk", "carl"), ("61 % risk", "carl"),
    ]  # fmt: skip
    assert kept[0].answer.values == HEART.values
    clinic.records.reseal(bea.row, bea.key, patient, [carl.row.id, dora.row.id], 3)
    with clinic.database.transaction() as session:
        sealed = session.scalars(select(PatientEntryRow.sealed)).all()
    assert len(set(sealed)) == 2
    assert not any(b"Resting" in one or b"risk" in one for one in sealed)
    asked = clinic.openings.ask(bea.row, bea.key, patient, REASON)
    for who in (carl, dora):
        clinic.openings.approve(who.row, who.key, asked)
    clinic.openings.open(bea.row, bea.key, asked)
    assert clinic.records.read(bea.row, bea.key, patient).answers == kept


def test_altered_records_are_told_never_shown(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient, other = clinic.seal(*trio), clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    with clinic.database.transaction() as session:
        foreign = session.get_one(PatientVersionRow, (other, 1)).sealed
        session.get_one(PatientVersionRow, (patient, 1)).sealed = foreign
    with pytest.raises(RequestError, match="altered"):
        clinic.records.read(bea.row, bea.key, patient)
    clinic.altered(CarerRow, minimum=b"something else")
    assert {one.minimum.initials for one in clinic.patients.mine(bea.row, bea.key)} == {ALTERED}


def test_what_was_altered_for_one_doctor_goes_to_no_other(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    """Who adds to a record seals what all see; an altered one would replace the others'."""
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    with clinic.database.transaction() as session:
        session.get_one(CarerRow, (patient, bea.row.id)).minimum = b"something else"
    opened(clinic, bea, carl, patient)
    for change in (
        lambda: clinic.patients.keep(bea.row, bea.key, patient, HEART),
        lambda: clinic.records.revise(bea.row, bea.key, patient, GRETA),
        lambda: clinic.records.reseal(bea.row, bea.key, patient, [carl.row.id], 2),
    ):
        with pytest.raises(RequestError, match="was altered"):
            change()
    clinic.patients.keep(carl.row, carl.key, patient, HEART)
    (mine,) = clinic.patients.mine(bea.row, bea.key)
    assert (mine.minimum.initials, mine.minimum.result) == (GRETA.initials, HEART.result)


def test_a_lost_share_is_replaced_and_who_left_has_none(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    with clinic.database.transaction() as session:
        old = session.get_one(CarerRow, (patient, dora.row.id))
        kept = {
            one.user_id: one for one in (old, session.get_one(CarerRow, (patient, carl.row.id)))
        }
        before = session.get_one(PatientRow, patient).commitments
    row = clinic.accounts.set_password(bea.row.id, "what the command line chose")
    bea = clinic.sign_in(row, "what the command line chose")
    eve = clinic.doctor("eve")
    opened(clinic, dora, carl, patient)
    waiting = clinic.openings.ask(carl.row, carl.key, patient, "Needs it, too")
    clinic.records.reseal(dora.row, dora.key, patient, [bea.row.id, eve.row.id], 2)

    assert clinic.patients.mine(carl.row, carl.key) == []
    with pytest.raises(RequestError):
        clinic.openings.open(carl.row, carl.key, waiting)
    with pytest.raises(RequestError, match="closed"):
        clinic.records.read(dora.row, dora.key, patient)
    opened(clinic, bea, eve, patient)
    (version,) = clinic.records.read(bea.row, bea.key, patient).versions
    assert (version.attributes, version.by) == (GRETA, "bea")
    (seen,) = clinic.patients.mine(bea.row, bea.key)
    assert (seen.minimum.initials, seen.able, seen.quorum) == ("G.L.", 3, 2)

    # The old shares still give the old key, which opens nothing of what is stored now.
    shares = {
        kept[one.row.id].point: open_box(
            one.key.private, kept[one.row.id].share, SHARE, patient, kept[one.row.id].point
        )
        for one in (carl, dora)
    }
    secret = recover(commitments_of(PatientRow(commitments=before)), shares)
    with clinic.database.transaction() as session, pytest.raises(SealError):
        open_version(session.get_one(PatientVersionRow, (patient, 1)), secret)


def test_one_doctor_alone_takes_no_record_from_the_others(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient, eve, fay = clinic.seal(*trio), clinic.doctor("eve"), clinic.doctor("fay")
    urgent = clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    clinic.openings.open(bea.row, bea.key, urgent)
    with pytest.raises(RequestError, match="opened in an emergency keeps its care group"):
        clinic.records.reseal(bea.row, bea.key, patient, [eve.row.id, fay.row.id], 2)
    opened(clinic, dora, carl, patient)
    clinic.records.reseal(dora.row, dora.key, patient, [carl.row.id, eve.row.id], 2)
    again = clinic.openings.ask(eve.row, eve.key, patient, REASON, emergency=True)
    clinic.openings.open(eve.row, eve.key, again)
    assert clinic.records.read(eve.row, eve.key, patient).versions[0].attributes == GRETA


def test_a_closed_record_keeps_its_group(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    group = [carl.row.id, dora.row.id]
    with pytest.raises(RequestError, match="closed"):
        clinic.records.reseal(bea.row, bea.key, patient, group, 3)
    opened(clinic, bea, carl, patient)
    for wrong, quorum in (([carl.row.id], 2), (group, 1), ([*group, 4711], 2)):
        with pytest.raises(RequestError):
            clinic.records.reseal(bea.row, bea.key, patient, wrong, quorum)
    assert clinic.records.read(bea.row, bea.key, patient)


def test_an_erased_patient_is_gone_for_good(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient, other = clinic.seal(*trio), clinic.seal(*trio)
    clinic.patients.keep(carl.row, carl.key, patient, HEART)
    urgent = clinic.openings.ask(bea.row, bea.key, patient, REASON, emergency=True)
    clinic.openings.open(bea.row, bea.key, urgent)
    with pytest.raises(RequestError, match="opened in an emergency keeps its care group"):
        clinic.records.erase(bea.row, bea.key, patient)
    clinic.openings.end(bea.row, urgent)
    with pytest.raises(RequestError, match="closed"):
        clinic.records.erase(bea.row, bea.key, patient)
    opened(clinic, bea, carl, patient)
    clinic.records.erase(bea.row, bea.key, patient)
    for who in trio:
        assert [one.id for one in clinic.patients.mine(who.row, who.key)] == [other]
        assert clinic.views.of_patient(who.row, who.key, patient) == []
    with clinic.database.transaction() as session:
        for table in (CarerRow, PatientVersionRow, PatientEntryRow, OpeningRow):
            held = session.scalars(select(table).filter_by(patient_id=patient)).all()
            assert held == [], table
        report = Report()
        check_records(report, session)
        assert report.differences == []
        session.get_one(PatientRow, patient).erased_at = None
        check_records(report, session)
        assert [one.what for one in report.differences] == [f"sealed record {patient[:12]}"]
        session.rollback()
    assert clinic.audit.entries().entries[0].action == "record.erased"
