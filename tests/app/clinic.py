"""An installation without a chain, and doctors who are signed in with open keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import update

from app.database import Database
from app.models import (
    UserRow,
)
from app.models.base import now
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.cases import Cases
from app.services.check_report import Report
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import NAME, Escrow
from app.services.keys import KeyRing
from app.services.open_keys import OpenKey, OpenKeys
from app.services.open_records import OpenRecords
from app.services.opening_view import Opening, OpeningViews
from app.services.openings import Openings
from app.services.outcomes import Outcomes
from app.services.passphrase import Passphrase
from app.services.passwords import Passwords
from app.services.patient_consent import AGREED, REFUSED, Consent
from app.services.patients import Patients
from app.services.record_check import check_records
from app.services.record_entries import Answer
from app.services.record_sealing import (
    Attributes,
)
from app.services.retention import Retention
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions
from app.services.staff import Staff
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

    def __init__(self, path: Path, ring: KeyRing | None = None) -> None:
        self.path = path
        self.database = Database(f"sqlite:///{path}")
        self.audit = AuditLog(self.database)
        self.accounts = Accounts(self.database, self.audit, CHEAP)
        self.sessions = Sessions(self.database)
        self.keys = OpenKeys(self.database, DoctorKeys(self.database, self.audit, CHEAP))
        self.clock = Clock()
        own = KeyRing(path.parent / "parties", Passphrase("long enough to be one", 2, "a test"))
        ring = ring or own
        self.escrow = Escrow(lambda: ring.keys(NAME))
        self.patients = Patients(self.database, self.audit, self.escrow)
        self.openings = Openings(self.database, self.audit, self.escrow, self.clock)
        self.cases = Cases(lambda: ring)
        self.staff = Staff(self.database, self.audit)
        self.records = OpenRecords(
            self.database, self.audit, self.escrow, self.openings, self.cases
        )
        self.outcomes = Outcomes(self.database, self.audit, self.openings, self.cases)
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


def verified(clinic: Clinic) -> list[str]:
    """What the check against the audit log names."""
    with clinic.database.transaction() as session:
        report = Report()
        check_records(report, session)
    return [one.what for one in report.differences]
