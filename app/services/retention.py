"""How long records are kept: so many years after the last entry, or until a later day.

The days lie in clear: they follow from when something was entered, which the database tells anyway.
Why a record is kept longer is sealed. One that is due is erased by any doctor of its care group
without opening it, loudly; docs/threat-model.md says what that takes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import CarerRow, PatientEntryRow, PatientRow, PatientVersionRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.open_keys import OpenKey
from app.services.open_records import destroy
from app.services.openings import Openings
from app.services.record_check import record_digest
from app.services.record_entries import Longer
from app.services.record_sealing import commitments_of, seal_entry
from app.services.record_shares import carer_of

MOST_REASON: Final = 500
# Nobody prolongs by more at once.
MOST_YEARS: Final = 30


class Retention:
    """The periods of one database's records; `clock` gives the present moment in UTC."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        openings: Openings,
        years: int,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._audit = audit
        self._openings = openings
        self._clock = clock
        self.years = years

    @property
    def today(self) -> date:
        """The day to which the days of records are compared."""
        return self._clock().date()

    def days(self, doctor: UserRow) -> dict[str, date]:
        """The day from which each record of the doctor's care groups is due for deletion."""
        mine = select(CarerRow.patient_id).where(CarerRow.user_id == doctor.id)
        with self._database.transaction() as session:
            return self._days(session, PatientRow.id.in_(mine))

    def day(self, patient: str) -> date:
        """The day from which one record, which is there, is due for deletion."""
        with self._database.transaction() as session:
            return self._days(session, PatientRow.id == patient)[patient]

    def prolong(
        self, doctor: UserRow, key: OpenKey, patient: str, until: date, reason: str
    ) -> None:
        """Keep a record until a later day; the reason is sealed to it, for which nobody opens it.

        Raises RequestError without a reason, for a day that is not later or too late, and for who
        is not of the care group.
        """
        reason = " ".join(reason.split())
        if not 0 < len(reason) <= MOST_REASON:
            raise RequestError(f"Give the reason, in at most {MOST_REASON} characters.")
        with self._database.transaction() as session:
            carer_of(session, patient, doctor, key)
            row = session.get_one(PatientRow, patient)
            due = self._days(session, PatientRow.id == patient)[patient]
            if until <= max(due, self.today):
                raise RequestError(f"Choose a day after {max(due, self.today)}.")
            if until > _later(max(due, self.today), MOST_YEARS):
                raise RequestError(f"Prolong by at most {MOST_YEARS} years at once.")
            sealed = seal_entry(patient, commitments_of(row), Longer(until.isoformat(), reason))
            session.add(
                PatientEntryRow(patient_id=patient, sealed=sealed, made_by=doctor.id, prolongs=True)
            )
            row.keep_until = until
            session.flush()
            details = {"until": until.isoformat(), "digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.prolonged", patient, details, session)

    def erase(self, doctor: UserRow, key: OpenKey, patient: str) -> None:
        """Destroy a record that is due, without opening it.

        Raises RequestError for one that is not due, and for who is not of the care group.
        """
        with self._database.transaction() as session:
            carer_of(session, patient, doctor, key)
            due = self._days(session, PatientRow.id == patient)[patient]
            if due > self.today:
                raise RequestError(
                    f"The record is kept until {due}: before that, open it to erase the patient."
                )
            self._openings.end_all(session, patient, doctor)
            details = {"due": due.isoformat(), "unopened": True}
            details |= destroy(session, doctor, patient)
            self._audit.add(doctor, "record.erased", patient, details, session)

    def _days(self, session: Session, which: ColumnElement[bool]) -> dict[str, date]:
        # Attributes have a first version, so that there is a last one.
        changed = (
            select(PatientVersionRow.patient_id, func.max(PatientVersionRow.made_at).label("at"))
            .group_by(PatientVersionRow.patient_id)
            .subquery()
        )
        added = (
            select(PatientEntryRow.patient_id, func.max(PatientEntryRow.made_at).label("at"))
            .where(PatientEntryRow.prolongs.is_(False))
            .group_by(PatientEntryRow.patient_id)
            .subquery()
        )
        query = (
            select(PatientRow.id, PatientRow.keep_until, changed.c.at, added.c.at)
            .join(changed, changed.c.patient_id == PatientRow.id)
            .outerjoin(added, added.c.patient_id == PatientRow.id)
            .where(which)
        )
        return {
            one: max(_later(max(at, last or at).date(), self.years), until or date.min)
            for one, until, at, last in session.execute(query)
        }


def _later(day: date, years: int) -> date:
    """The same day so many years on; from 29 February, 1 March where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
