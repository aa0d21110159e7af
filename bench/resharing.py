"""What new shares for many sealed records cost: `python -m bench.records --reshare N`.

A clinic of five doctors in a database of its own has N records of 2 of 3; then one of them leaves.
Two doctors deal their parts through the application's services, batch by batch, as the page does:
nothing is opened. Progress is printed; at the end seconds per thousand records of each step, and
`opened`: that records taken at random open with the newcomer afterwards.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import select

from app.database import Database
from app.models import CarerRow, UserRow
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.cases import Cases
from app.services.check_report import Report
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import NAME, Escrow
from app.services.keys import KeyRing
from app.services.open_keys import OpenKey, OpenKeys
from app.services.open_records import OpenRecords
from app.services.openings import Openings
from app.services.passphrase import Passphrase
from app.services.passwords import Passwords
from app.services.patient_consent import AGREED, Consent
from app.services.patients import Patients
from app.services.record_check import check_records
from app.services.record_sealing import Attributes
from app.services.resharing import Resharings
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions

_PASSWORD = secrets.token_hex(16)
_GRETA = Attributes(
    "Lind", "Greta", "1951-03-08", "female", consent=Consent(AGREED, on="2026-11-22")
)
_CHECKED = 20


@dataclass(frozen=True)
class _Doctor:
    row: UserRow
    key: OpenKey


class _Clinic:
    """Services over one database; the password's hash is cheap, which is not what is measured."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'clinic.db'}")
        self.database.migrate()
        self.audit = AuditLog(self.database)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.accounts = Accounts(self.database, self.audit, cheap)
        self.keys = OpenKeys(self.database, DoctorKeys(self.database, self.audit, cheap))
        ring = KeyRing(folder / "parties", Passphrase("long enough to be one", 2, "the bench"))
        escrow = Escrow(lambda: ring.keys(NAME))
        self.patients = Patients(self.database, self.audit, escrow)
        self.openings = Openings(self.database, self.audit, escrow)
        self.records = OpenRecords(
            self.database, self.audit, escrow, self.openings, Cases(lambda: ring)
        )
        self.resharings = Resharings(self.database, self.audit, escrow, self.openings)
        self.ada = self._registered("ada", ADMINISTRATOR)

    def doctor(self, name: str) -> _Doctor:
        row = self.accounts.authorise(self.ada, self._registered(name, DOCTOR).id, DOCTOR)
        token = Sessions(self.database).open(row)
        key = self.keys.find(token, self.keys.unlock(row, token, _PASSWORD))
        assert key is not None
        return _Doctor(row, key)

    def _registered(self, name: str, role: str) -> UserRow:
        row = self.accounts.register(f"{name}@bench.example", name, "here", role, _PASSWORD)
        assert row is not None
        return row


def measure(records: int) -> dict[str, Any]:
    """Seconds per thousand records of sealing, beginning, dealing, dealing with completion."""
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        clinic = _Clinic(Path(folder))
        try:
            return _measure(clinic, records, seconds)
        finally:
            clinic.database.close()


def _measure(clinic: _Clinic, records: int, seconds: dict[str, float]) -> dict[str, Any]:
    bea, carl, dora, eve = (clinic.doctor(name) for name in ("bea", "carl", "dora", "eve"))
    others = [carl.row.id, dora.row.id]
    with _timed(seconds, "seal", records):
        for number in range(1, records + 1):
            clinic.patients.create(bea.row, _GRETA, others, 2)
            if number % 1000 == 0:
                print(f"sealed {number} of {records}", flush=True)
    clinic.accounts.suspend(clinic.ada, dora.row.id, "left")
    with _timed(seconds, "begin", records):
        begun = clinic.resharings.begin(bea.row, bea.key, {dora.row.id: eve.row.id})
    assert begun.records == records
    for what, who in (("deal", bea), ("deal and complete", carl)):
        with _timed(seconds, what, records):
            _deal(clinic, who, begun.id, records, what)
    with _timed(seconds, "verify", records):
        report = Report()
        with clinic.database.transaction() as session:
            check_records(report, session)
    assert report.differences == []
    return {
        "records": records,
        "seconds per thousand": seconds,
        "opened": _opened(clinic, eve, carl),
    }


def _deal(clinic: _Clinic, who: _Doctor, identifier: str, records: int, what: str) -> None:
    started, told = time.perf_counter(), 0
    while left := clinic.resharings.deal(who.row, who.key, identifier):
        if (records - left) // 1000 > told:
            told = (records - left) // 1000
            elapsed = time.perf_counter() - started
            print(f"{what}: {records - left} of {records}, {elapsed:.0f} s", flush=True)


def _opened(clinic: _Clinic, asker: _Doctor, helper: _Doctor) -> int:
    """How many records the newcomer opens with a colleague, of a few."""
    with clinic.database.transaction() as session:
        query = select(CarerRow.patient_id).filter_by(user_id=asker.row.id).limit(_CHECKED)
        patients = session.scalars(query).all()
    for patient in patients:
        asked = clinic.openings.ask(asker.row, asker.key, patient, "the bench")
        clinic.openings.approve(helper.row, helper.key, asked)
        clinic.openings.open(asker.row, asker.key, asked)
        read = clinic.records.read(asker.row, asker.key, patient)
        assert read.versions[0].attributes == _GRETA
    return len(patients)


@contextmanager
def _timed(seconds: dict[str, float], what: str, records: int) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[what] = round(1000 * (time.perf_counter() - start) / records, 2)
