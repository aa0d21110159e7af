"""Openings of sealed records: asked for with a reason, approved by others, open for a while.

asked ── a quorum approved, the asker opens ──> open ── closed, or its time is over ──> closed
  └── withdrawn, or nobody decided in time ──> withdrawn

Who approves hands the own share, sealed to who asked; it is checked against Feldman's commitments
first, and erased when the opening ends. What is done with an open record is in
`app.services.open_records`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import (
    DoctorKeyRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientRow,
    UserRow,
)
from app.models.base import now
from app.services.audit import SYSTEM, AuditLog
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.record_check import reasons_digest
from app.services.record_sealing import (
    LENT,
    REASON,
    commitments_of,
    public_key,
)
from app.services.record_shares import carer_of, escrow_point, group_of, own_share, put_together
from app.services.record_steps import note_opening
from crypto.box import seal_box
from crypto.feldman import fits

ASKED, OPEN, CLOSED, WITHDRAWN = "asked", "open", "closed", "withdrawn"
APPROVED, DECLINED = "approved", "declined"
OPEN_FOR: Final = timedelta(minutes=15)
ASKED_FOR: Final = timedelta(hours=24)
MOST_REASON: Final = 500

_GONE = "There is no such request, or it is over. Go back to the patient."


class Openings:
    """The openings of one database; `clock` gives the present moment in UTC."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        escrow: Escrow,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._audit = audit
        self._escrow = escrow
        self._clock = clock

    def ask(
        self, doctor: UserRow, key: OpenKey, patient: str, reason: str, emergency: bool = False
    ) -> str:
        """Ask the care group; the request's identifier.

        In an emergency the administration's share is lent at once, and counts as one doctor's.
        Raises RequestError without a reason, for who is not of the group, and while another request
        of the same doctor is under way.
        """
        reason = " ".join(reason.split())
        if not 0 < len(reason) <= MOST_REASON:
            raise RequestError(f"Give the reason, in at most {MOST_REASON} characters.")
        self.end_overdue()
        with self._database.transaction() as session:
            carer_of(session, patient, doctor, key)
            if _under_way(session, patient, doctor.id) is not None:
                raise RequestError("You have asked for this record already.")
            identifier = secrets.token_hex(32)
            row = OpeningRow(
                id=identifier,
                patient_id=patient,
                asked_by=doctor.id,
                key_id=key.number,
                emergency=emergency,
                share=self._lend_escrow(session, patient, identifier, key) if emergency else None,
                state=ASKED,
                asked_at=self._clock(),
                until=self._clock() + ASKED_FOR,
            )
            session.add(row)
            session.flush()
            for carer, doctor_key in group_of(session, patient):
                box = seal_box(public_key(doctor_key), reason.encode(), REASON, identifier)
                session.add(
                    OpeningAnswerRow(
                        opening_id=identifier,
                        user_id=carer.user_id,
                        key_id=doctor_key.id,
                        reason=box,
                    )
                )
            session.flush()
            told = {"reasons": reasons_digest(session, identifier), "emergency": emergency}
            self._note(session, doctor, "record.opening_asked", row, told)
            return identifier

    def approve(self, doctor: UserRow, key: OpenKey, identifier: str) -> None:
        """Hand the own share to who asked.

        Raises RequestError for who is not of the group, asked, or has answered; where it is over;
        and, with what to do, for a share that does not fit the record's commitments.
        """
        self.end_overdue()
        with self._database.transaction() as session:
            row, answer = self._asked(session, doctor, identifier)
            carer = carer_of(session, row.patient_id, doctor, key)
            share = own_share(session, carer, key)
            asker = session.get_one(DoctorKeyRow, row.key_id)
            answer.share = seal_box(public_key(asker), share, LENT, identifier, carer.point)
            answer.answer, answer.answered_at = APPROVED, self._clock()
            session.flush()
            self._note(session, doctor, "record.opening_approved", row)

    def decline(self, doctor: UserRow, identifier: str) -> None:
        """Say no; others may still approve. Raises RequestError as `approve` does."""
        self.end_overdue()
        with self._database.transaction() as session:
            row, answer = self._asked(session, doctor, identifier)
            answer.answer, answer.answered_at = DECLINED, self._clock()
            session.flush()
            self._note(session, doctor, "record.opening_declined", row)

    def open(self, doctor: UserRow, key: OpenKey, identifier: str) -> None:
        """Begin the time in which the record is open. Raises RequestError without a quorum."""
        self.end_overdue()
        with self._database.transaction() as session:
            row = _locked(session, identifier)
            if row is None or row.asked_by != doctor.id or row.state not in (ASKED, OPEN):
                raise RequestError(_GONE)
            if row.state == OPEN:
                return  # Pressed again, in another window: its time runs on.
            put_together(session, row, doctor, key)
            row.state, row.opened_at = OPEN, self._clock()
            row.until = self._clock() + OPEN_FOR
            session.flush()
            self._note(session, doctor, "record.opened", row)

    def end(self, doctor: UserRow, identifier: str) -> None:
        """Close the own open record, or withdraw the own request. Raises RequestError."""
        with self._database.transaction() as session:
            row = _locked(session, identifier)
            if row is None or row.asked_by != doctor.id or row.state not in (ASKED, OPEN):
                raise RequestError(_GONE)
            self._end(session, row, doctor)

    def end_overdue(self) -> int:
        """Close and withdraw what ran out of time, and erase its shares; how many did."""
        query = select(OpeningRow).where(OpeningRow.state.in_((ASKED, OPEN)))
        with self._database.transaction() as session:
            rows = session.scalars(query.where(OpeningRow.until <= self._clock())).all()
            for row in rows:
                self._end(session, row, SYSTEM)
            return len(rows)

    def end_all(self, session: Session, patient: str, by: UserRow) -> None:
        """End every opening of a patient: shares that were lent do not fit any more."""
        query = select(OpeningRow).filter_by(patient_id=patient)
        for one in session.scalars(query.where(OpeningRow.state.in_((ASKED, OPEN)))):
            self._end(session, one, by)

    def _asked(
        self, session: Session, doctor: UserRow, identifier: str
    ) -> tuple[OpeningRow, OpeningAnswerRow]:
        """The request and the doctor's unanswered part in it."""
        row = _locked(session, identifier)
        answer = session.get(OpeningAnswerRow, (identifier, doctor.id))
        if row is None or answer is None or row.state != ASKED:
            raise RequestError(_GONE)
        if row.asked_by == doctor.id:
            raise RequestError("You asked for it yourself: another doctor has to approve.")
        if answer.answer:
            raise RequestError("You have answered this request already.")
        return row, answer

    def open_row(self, session: Session, doctor: UserRow, patient: str) -> OpeningRow:
        """The doctor's opening of a record that is open now. Raises RequestError for none."""
        row = _under_way(session, patient, doctor.id)
        if row is None or row.state != OPEN or row.until <= self._clock():
            raise RequestError("The record is closed. Ask for an opening.")
        return row

    def _end(self, session: Session, row: OpeningRow, by: UserRow | str) -> None:
        row.state = CLOSED if row.state == OPEN else WITHDRAWN
        row.ended_at, row.share = self._clock(), None
        session.execute(update(OpeningAnswerRow).filter_by(opening_id=row.id).values(share=None))
        session.flush()
        done = "record.closed" if row.state == CLOSED else "record.opening_withdrawn"
        self._note(session, by, done, row)

    def _lend_escrow(self, session: Session, patient: str, opening: str, key: OpenKey) -> bytes:
        """The administration's share, sealed to who asks. Raises RequestError for a damaged one."""
        row = session.get_one(PatientRow, patient)
        point = escrow_point(row)
        share = self._escrow.open(patient, point, row.escrow)
        if not fits(commitments_of(row), point, share):
            raise RequestError(
                "The administration’s share of this record is damaged: ask your colleagues."
            )
        asker = session.get_one(DoctorKeyRow, key.number)
        return seal_box(public_key(asker), share, LENT, opening, point)

    def _note(
        self,
        session: Session,
        by: UserRow | str,
        action: str,
        row: OpeningRow,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """A step for the ledger, and an entry without the reason, which may name the patient."""
        details = {"opening": row.id, **(more or {})}
        note_opening(session, action, by, row)
        self._audit.add(by, action, row.patient_id, details, session)


def _under_way(session: Session, patient: str, doctor: int) -> OpeningRow | None:
    query = select(OpeningRow).filter_by(patient_id=patient, asked_by=doctor)
    return session.scalars(query.where(OpeningRow.state.in_((ASKED, OPEN)))).first()


def _locked(session: Session, identifier: str) -> OpeningRow | None:
    return session.get(OpeningRow, identifier, with_for_update=True)
