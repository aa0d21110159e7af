"""Openings as the doctors of a care group see them; nothing is changed or noted here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import selectinload

from app.database import Database
from app.models import AuditRow, OpeningAnswerRow, OpeningRow, PatientRow, UserRow
from app.models.base import now
from app.services.open_keys import OpenKey
from app.services.openings import APPROVED, ASKED, CLOSED, OPEN, WITHDRAWN
from app.services.record_sealing import REASON, commitments_of
from app.services.record_shares import names_of
from crypto.box import open_box
from crypto.errors import CryptoError

# So long the care group reads on every day's first page what was asked for in an emergency.
TOLD_FOR: Final = timedelta(days=7)
_CHANGES: Final = {
    "record.sealed": "Entered the patient",
    "record.revised": "Changed the record",
    "record.resealed": "Sealed the record anew, for another care group",
    "record.reshared": "Dealt new shares of the record’s key",
    "record.exported": "Exported the record",
    "record.answer_kept": "Kept an answer of a model",
    "record.vitals_kept": "Recorded vitals",
    "record.outcome_noted": "Recorded a diagnosis",
    "record.prolonged": "Prolonged how long the record is kept",
}


@dataclass(frozen=True)
class Answer:
    """What a doctor of the care group said: "", approved or declined."""

    user: int
    name: str
    answer: str
    at: datetime | None


@dataclass(frozen=True)
class Opening:
    """A request as a doctor of the care group sees it; `reason` is None where it was altered."""

    id: str
    patient: str
    asked_by: int
    asked_name: str
    reason: str | None
    emergency: bool
    state: str
    asked_at: datetime
    opened_at: datetime | None
    until: datetime
    ended_at: datetime | None
    quorum: int
    answers: tuple[Answer, ...]

    @property
    def approvals(self) -> int:
        """How many agree, with the one who asks and, in an emergency, the administration."""
        return 1 + self.emergency + sum(one.answer == APPROVED for one in self.answers)

    @property
    def ready(self) -> bool:
        """Whether enough agree, so that who asked may open it now."""
        return self.state == ASKED and self.approvals >= self.quorum

    def answer_of(self, user: int) -> str:
        """What the person said, or ""."""
        return next((one.answer for one in self.answers if one.user == user), "")


@dataclass(frozen=True)
class Change:
    """Something that was done to a sealed record: `what` in words, by whom, when."""

    what: str
    by: str
    at: datetime


class OpeningViews:
    """The openings of one database; `clock` gives the present moment in UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    def of_patient(self, doctor: UserRow, key: OpenKey, patient: str) -> list[Opening]:
        """The openings of a patient that this doctor was told of, the newest first."""
        return self._shown(doctor, key, OpeningRow.patient_id == patient)

    def waiting_for(self, doctor: UserRow, key: OpenKey) -> list[Opening]:
        """The requests that wait for the doctor's answer, the newest first."""
        found = self._shown(doctor, key, OpeningRow.state == ASKED)
        return [
            one
            for one in found
            if one.state == ASKED and not one.ready
            if one.asked_by != doctor.id and not one.answer_of(doctor.id)
        ]

    def own(self, doctor: UserRow, key: OpenKey) -> list[Opening]:
        """The doctor's own requests and openings that are under way, the newest first."""
        found = self._shown(doctor, key, OpeningRow.asked_by == doctor.id)
        return [one for one in found if one.state in (ASKED, OPEN)]

    def emergencies(self, doctor: UserRow, key: OpenKey) -> list[Opening]:
        """What others asked for in an emergency in the last TOLD_FOR, the newest first.

        Opened or not: with the request the administration's share was lent.
        """
        since = OpeningRow.asked_at > self._clock() - TOLD_FOR
        found = self._shown(doctor, key, OpeningRow.emergency.is_(True), since)
        return [one for one in found if one.asked_by != doctor.id]

    def changes(self, patient: str) -> list[Change]:
        """What the audit log says was done to a record, the newest first; never its content."""
        query = select(AuditRow).where(AuditRow.subject == patient, AuditRow.action.in_(_CHANGES))
        with self._database.transaction() as session:
            rows = session.scalars(query.order_by(AuditRow.id.desc())).all()
        return [Change(_CHANGES[row.action], row.actor, row.at) for row in rows]

    def _shown(self, doctor: UserRow, key: OpenKey, *only: ColumnElement[bool]) -> list[Opening]:
        query = select(OpeningRow, OpeningAnswerRow, PatientRow)
        query = query.join(OpeningAnswerRow, OpeningAnswerRow.opening_id == OpeningRow.id)
        query = query.join(PatientRow, PatientRow.id == OpeningRow.patient_id)
        query = query.where(OpeningAnswerRow.user_id == doctor.id, *only)
        query = query.options(selectinload(OpeningRow.answers))
        with self._database.transaction() as session:
            rows = session.execute(query.order_by(OpeningRow.asked_at.desc())).all()
            people = [one.user_id for row, _, _ in rows for one in row.answers]
            names = names_of(session, people + [row.asked_by for row, _, _ in rows])
        return [
            Opening(
                id=row.id,
                patient=row.patient_id,
                asked_by=row.asked_by,
                asked_name=names[row.asked_by],
                reason=_reason(own, key),
                emergency=row.emergency,
                state=self._state(row),
                asked_at=row.asked_at,
                opened_at=row.opened_at,
                until=row.until,
                ended_at=row.ended_at or (row.until if over(row, self._clock()) else None),
                quorum=len(commitments_of(patient)),
                answers=tuple(
                    Answer(one.user_id, names[one.user_id], one.answer, one.answered_at)
                    for one in row.answers
                    if one.user_id != row.asked_by
                ),
            )
            for row, own, patient in rows
        ]

    def _state(self, row: OpeningRow) -> str:
        """The state; also of what is over since a moment and not noted as such."""
        if not over(row, self._clock()):
            return row.state
        return CLOSED if row.state == OPEN else WITHDRAWN


def over(row: OpeningRow, moment: datetime) -> bool:
    """Whether it ran out of time, before or after anybody noted it."""
    return row.state in (ASKED, OPEN) and row.until <= moment


def _reason(row: OpeningAnswerRow, key: OpenKey) -> str | None:
    try:
        return open_box(key.private, row.reason, REASON, row.opening_id).decode()
    except (CryptoError, ValueError):
        return None
