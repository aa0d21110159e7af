"""Sealed records: who opens one with whom, for how long, and what the database tells of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from app.database import Database
from app.errors import RequestError, SignInRefused
from app.models import (
    CarerRow,
    DoctorKeyRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
    UserRow,
)
from app.models.base import now
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.check_report import Report
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import NAME, Escrow
from app.services.keys import KeyRing
from app.services.open_keys import OpenKey, OpenKeys
from app.services.open_records import OpenRecords
from app.services.opening_view import TOLD_FOR, Opening, OpeningViews
from app.services.openings import ASKED_FOR, CLOSED, OPEN, OPEN_FOR, WITHDRAWN, Openings
from app.services.outcomes import Outcomes
from app.services.passphrase import Passphrase
from app.services.passwords import Passwords
from app.services.patient_consent import AGREED, REFUSED, Consent
from app.services.patients import Patients
from app.services.record_check import check_records
from app.services.record_entries import Answer
from app.services.record_sealing import (
    ALTERED,
    SHARE,
    Attributes,
    commitments_of,
    open_version,
)
from app.services.retention import Retention
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions
from crypto.box import open_box
from crypto.errors import SealError
from crypto.feldman import recover
from tests.app.people import PASSWORD, register

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
GRETA = Attributes(
    "Lindqvistsson",
    "Greta",
    "1951-03-08",
    "female",
    "KH-778341",
    "0170 5550199",
    "Lives alone.",
    Consent(AGREED, REFUSED, "2020-01-02", "", "bea"),
)
HEART = Answer(
    task="heart",
    title="Heart",
    result="61 % risk",
    values=(("Age", "63 years"), ("Resting blood pressure", "not known")),
    version="version 1",
    model_sha256="ab" * 32,
    at="2026-11-22T10:00:00",
)
REASON = "Greta Lindqvistsson fell in the bath"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.late = timedelta()

    def __call__(self) -> datetime:
        return now() + self.late


@dataclass
class Doctor:
    """A doctor with a session in which the key is open."""

    row: UserRow
    token: str
    browser: bytes
    key: OpenKey


class Clinic:
    """An installation without a chain, its services, and doctors who are signed in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(f"sqlite:///{path}")
        self.audit = AuditLog(self.database)
        self.accounts = Accounts(self.database, self.audit, CHEAP)
        self.sessions = Sessions(self.database)
        self.keys = OpenKeys(self.database, DoctorKeys(self.database, self.audit, CHEAP))
        self.clock = Clock()
        ring = KeyRing(path.parent / "parties", Passphrase("long enough to be one", 2, "a test"))
        self.escrow = Escrow(lambda: ring.keys(NAME))
        self.patients = Patients(self.database, self.audit, self.escrow)
        self.openings = Openings(self.database, self.audit, self.escrow, self.clock)
        self.records = OpenRecords(self.database, self.audit, self.escrow, self.openings)
        self.outcomes = Outcomes(self.database, self.audit, self.openings)
        self.retention = Retention(self.database, self.audit, self.openings, 10, self.clock)
        self.views = OpeningViews(self.database, self.clock)
        self.ada = register(self.accounts, "ada", ADMINISTRATOR)

    def doctor(self, name: str) -> Doctor:
        person = register(self.accounts, name)
        return self.sign_in(self.accounts.authorise(self.ada, person.id, DOCTOR))

    def sign_in(self, row: UserRow, password: str = PASSWORD) -> Doctor:
        token = self.sessions.open(row)
        browser = self.keys.unlock(row, token, password)
        key = self.keys.find(token, browser)
        assert key is not None
        return Doctor(row, token, browser, key)

    def seal(self, *group: Doctor, quorum: int = 2) -> str:
        first, *others = group
        return self.patients.create(first.row, GRETA, [one.row.id for one in others], quorum)

    def opening(self, who: Doctor, patient: str) -> Opening:
        return self.views.of_patient(who.row, who.key, patient)[0]

    def altered(self, table: type, **values: object) -> None:
        with self.database.transaction() as session:
            session.execute(update(table).values(**values))


def opened(clinic: Clinic, who: Doctor, helper: Doctor, patient: str) -> str:
    """Open a record of `who` with the approval of `helper`; the opening's identifier."""
    asked = clinic.openings.ask(who.row, who.key, patient, REASON)
    clinic.openings.approve(helper.row, helper.key, asked)
    clinic.openings.open(who.row, who.key, asked)
    return asked


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the application's tables, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "clinic.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def clinic(empty: Path, tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(Path(shutil.copy(empty, tmp_path / "clinic.db")))
    yield made
    made.database.close()


@pytest.fixture
def trio(clinic: Clinic) -> tuple[Doctor, Doctor, Doctor]:
    return clinic.doctor("bea"), clinic.doctor("carl"), clinic.doctor("dora")


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


@pytest.mark.parametrize("quorum", [1, 4, 0, -1])
def test_a_quorum_is_a_majority(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], quorum: int
) -> None:
    with pytest.raises(RequestError, match="majority"):
        clinic.seal(*trio, quorum=quorum)
    assert clinic.patients.mine(trio[0].row, trio[0].key) == []


def test_a_group_of_two_is_refused(clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]) -> None:
    with pytest.raises(RequestError, match="at least 2 colleagues"):
        clinic.seal(*trio[:2])
    with pytest.raises(RequestError, match="cannot care"):
        clinic.patients.create(trio[0].row, GRETA, [trio[1].row.id, clinic.ada.id], 2)


def test_the_own_password_opens_the_key_and_a_new_one_keeps_it(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    with pytest.raises(SignInRefused):
        clinic.keys.unlock(bea.row, bea.token, "another password entirely")
    row = clinic.accounts.change_password(bea.row.id, PASSWORD, "a quite different sentence")
    bea = clinic.sign_in(row, "a quite different sentence")
    (seen,) = clinic.patients.mine(bea.row, bea.key)
    assert seen.minimum.initials == "G.L."
    opened(clinic, bea, carl, patient)


def test_a_password_that_was_reset_opens_nothing_of_before(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    """Whoever resets passwords would read records else."""
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    row = clinic.accounts.set_password(bea.row.id, "what the command line chose")
    assert clinic.keys.find(bea.token, bea.browser) is None
    bea = clinic.sign_in(row, "what the command line chose")
    assert clinic.patients.mine(bea.row, bea.key) == []
    with pytest.raises(RequestError):
        clinic.openings.ask(bea.row, bea.key, patient, REASON)
    (seen,) = clinic.patients.mine(carl.row, carl.key)
    assert {one.name: one.able for one in seen.carers} == {
        "bea": False, "carl": True, "dora": True,
    }  # fmt: skip
    opened(clinic, dora, carl, patient)


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


def test_an_altered_key_is_told_and_a_new_password_gives_it_up(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea = trio[0]
    for damage in (b"no lock", bytes(200)):
        clinic.altered(DoctorKeyRow, locked=damage)
        with pytest.raises(RequestError, match="the database was altered"):
            clinic.keys.unlock(bea.row, bea.token, PASSWORD)
    row = clinic.accounts.change_password(bea.row.id, PASSWORD, "a quite different sentence")
    again = clinic.sign_in(row, "a quite different sentence")
    assert again.key.number != bea.key.number


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


def test_a_session_s_key_opens_with_its_browser_only(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    assert clinic.keys.find(bea.token, carl.browser) is None
    assert clinic.keys.find(bea.token, b"") is None
    assert clinic.keys.find(carl.token, bea.browser) is None
    clinic.sessions.end(bea.token)
    assert clinic.keys.find(bea.token, bea.browser) is None


def test_who_is_no_doctor_gets_no_key(clinic: Clinic) -> None:
    ada = clinic.accounts.authorise(clinic.ada, clinic.ada.id, ADMINISTRATOR)
    with pytest.raises(RequestError, match="for doctors"):
        clinic.keys.unlock(ada, clinic.sessions.open(ada), PASSWORD)


def test_the_database_tells_nothing_of_the_patient(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], caplog: pytest.LogCaptureFixture
) -> None:
    """Not while it lies open, either; nor the shares, the reason, or anybody's private key."""
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    clinic.records.revise(bea.row, bea.key, patient, GRETA)
    clinic.patients.keep(bea.row, bea.key, patient, HEART)
    assert clinic.opening(bea, patient).state == OPEN
    private = bea.key.private.private_numbers().private_value.to_bytes(32, "big")
    kept = [
        *(GRETA.family_name, GRETA.given_name, GRETA.born, GRETA.number, GRETA.contact),
        *(GRETA.notes, GRETA.initials, REASON, PASSWORD, HEART.result, HEART.values[0][1]),
    ]
    secrets = [one.encode() for one in kept] + [one.encode("utf-16-le") for one in kept]
    secrets += [private, private.hex().encode(), bea.browser, bea.browser.hex().encode()]
    dumped = clinic.path.read_bytes() + caplog.text.encode()
    with closing(sqlite3.connect(clinic.path)) as database:
        for line in database.iterdump():
            dumped += line.encode() + b"\n"
    dumped += (
        Path(f"{clinic.path}-wal").read_bytes() if Path(f"{clinic.path}-wal").exists() else b""
    )
    assert b"record.revised" in dumped
    for one in secrets:
        assert one not in dumped
        assert one.hex().encode() not in dumped.lower()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"family_name": " "}, "family name"),
        ({"born": "08.03.1951"}, "year, month and day"),
        ({"born": "2951-03-08"}, "cannot be right"),
        ({"sex": "x"}, "Choose one of"),
        ({"notes": "x" * 4001}, "at most 4000"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], wrong: dict[str, str], told: str
) -> None:
    attributes = Attributes(**{"family_name": "B", "given_name": "A", "born": "2000-01-01"} | wrong)
    with pytest.raises(RequestError, match=told):
        clinic.patients.create(trio[0].row, attributes, [one.row.id for one in trio[1:]], 2)
