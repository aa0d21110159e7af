"""Openings of sealed records: asked for with a reason, approved by others, open for a while.

asked ── a quorum approved, the asker opens ──> open ── closed, or its time is over ──> closed
  └── withdrawn, or nobody decided in time ──> withdrawn

Who approves hands the own share, sealed to who asked; it is checked against Feldman's commitments
first, and erased when the opening ends. The record's key is never stored: each look at an open
record puts the shares together anew, with the key that only the asker's session has open.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import (
    CarerRow,
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
from app.services.patients import check, choose_group, deal_to
from app.services.record_check import reasons_digest, record_digest
from app.services.record_sealing import (
    LENT,
    REASON,
    SHARE,
    Answer,
    Attributes,
    commitments_of,
    open_entry,
    open_minimum,
    open_version,
    public_key,
    seal_entry,
    seal_minimum,
    seal_version,
)
from crypto.box import open_box, seal_box
from crypto.errors import CryptoError, SealError
from crypto.feldman import WrongShares, fits, new_secret, recover

ASKED, OPEN, CLOSED, WITHDRAWN = "asked", "open", "closed", "withdrawn"
APPROVED, DECLINED = "approved", "declined"
OPEN_FOR: Final = timedelta(minutes=15)
ASKED_FOR: Final = timedelta(hours=24)
MOST_REASON: Final = 500

_GONE = "There is no such request, or it is over. Go back to the patient."


@dataclass(frozen=True)
class Version:
    """The attributes as somebody entered them."""

    number: int
    attributes: Attributes
    by: str
    at: datetime


@dataclass(frozen=True)
class Kept:
    """An answer that somebody kept with the patient."""

    answer: Answer
    by: str
    at: datetime


@dataclass(frozen=True)
class Record:
    """An open record: the attributes' versions and the answers kept, the newest first."""

    versions: list[Version]
    answers: list[Kept]


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
            _carer(session, patient, doctor, key)
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
            for carer, doctor_key in _group(session, patient):
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
            carer = _carer(session, row.patient_id, doctor, key)
            share = _own_share(session, carer, key)
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
            self._secret(session, row, doctor, key)
            row.state, row.opened_at = OPEN, self._clock()
            row.until = self._clock() + OPEN_FOR
            session.flush()
            self._note(session, doctor, "record.opened", row)

    def read(self, doctor: UserRow, key: OpenKey, patient: str) -> Record:
        """The record.

        Raises RequestError unless the doctor has it open.
        """
        with self._database.transaction() as session:
            row = self._open_row(session, doctor, patient)
            secret = self._secret(session, row, doctor, key)
            found = session.get_one(PatientRow, patient)
            made_by = [one.made_by for one in found.versions]
            names = names_of(session, made_by + [one.made_by for one in found.entries])
            try:
                return Record(
                    [
                        Version(
                            one.version, open_version(one, secret), names[one.made_by], one.made_at
                        )
                        for one in reversed(found.versions)
                    ],
                    [
                        Kept(open_entry(one, secret), names[one.made_by], one.made_at)
                        for one in reversed(found.entries)
                    ],
                )
            except SealError as error:
                raise RequestError(f"{str(error).capitalize()}: tell an administrator.") from error

    def revise(self, doctor: UserRow, key: OpenKey, patient: str, attributes: Attributes) -> None:
        """Seal other attributes as the next version; the ones before are kept.

        Raises RequestError unless the doctor has the record open, and for what cannot be kept.
        """
        check(attributes)
        with self._database.transaction() as session:
            row = self._open_row(session, doctor, patient)
            secret = self._secret(session, row, doctor, key)
            found = session.get_one(PatientRow, patient)
            version = len(found.versions) + 1
            session.add(seal_version(patient, version, secret, attributes, doctor.id))
            own = open_minimum(_carer(session, patient, doctor, key), key)
            minimum = replace(own, initials=attributes.initials)
            for carer, doctor_key in _group(session, patient):
                carer.minimum = seal_minimum(patient, doctor_key, minimum)
            session.flush()
            details = {"version": version, "digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.revised", patient, details, session)

    def reseal(
        self, doctor: UserRow, key: OpenKey, patient: str, colleagues: Sequence[int], quorum: int
    ) -> None:
        """Seal an open record anew, among the doctor and these colleagues; then it is closed.

        The key is another one, so that shares of before open nothing of what is stored from now on:
        whoever left has none any more, and whoever lost a share gets one. Raises RequestError
        unless the doctor has the record open, and for a group that cannot be.
        """
        with self._database.transaction() as session:
            row = self._open_row(session, doctor, patient)
            secret = self._secret(session, row, doctor, key)
            minimum = open_minimum(_carer(session, patient, doctor, key), key)
            group = choose_group(session, doctor, colleagues, quorum)
            found, other = session.get_one(PatientRow, patient), new_secret()
            for version in found.versions:
                attributes = open_version(version, secret)
                again = seal_version(patient, version.version, other, attributes, version.made_by)
                version.sealed = again.sealed
            dealt = deal_to(group, self._escrow, quorum, patient, other, minimum)
            for entry in found.entries:
                answer = open_entry(entry, secret)
                entry.sealed = seal_entry(patient, dealt.public, answer)
            session.execute(delete(CarerRow).filter_by(patient_id=patient))
            found.commitments, found.escrow = dealt.commitments, dealt.escrow
            session.add_all(dealt.carers)
            session.flush()
            details = {**dealt.details, "digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.resealed", patient, details, session)
            # What others asked for was lent shares of the old key.
            query = select(OpeningRow).filter_by(patient_id=patient)
            for one in session.scalars(query.where(OpeningRow.state.in_((ASKED, OPEN)))):
                self._end(session, one, doctor)

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

    def _open_row(self, session: Session, doctor: UserRow, patient: str) -> OpeningRow:
        row = _under_way(session, patient, doctor.id)
        if row is None or row.state != OPEN or row.until <= self._clock():
            raise RequestError("The record is closed. Ask for an opening.")
        return row

    def _secret(self, session: Session, row: OpeningRow, doctor: UserRow, key: OpenKey) -> bytes:
        """The patient's scalar, of the asker's share and of those that others lent."""
        patient = session.get_one(PatientRow, row.patient_id)
        commitments = commitments_of(patient)
        own = _carer(session, row.patient_id, doctor, key)
        points = {one.user_id: one.point for one in patient.carers}
        shares = {own.point: _own_share(session, own, key)}
        names = names_of(session, list(points))
        if row.share is not None:
            last = _escrow_point(patient)
            shares[last] = _lent(key, row.share, row.id, last)
        for answer in row.answers:
            if answer.answer == APPROVED and answer.share is not None:
                point = points[answer.user_id]
                shares[point] = _lent(key, answer.share, row.id, point)
        wrong = [x for x, share in shares.items() if not fits(commitments, x, share)]
        good = {x: share for x, share in shares.items() if x not in wrong}
        if len(good) < len(commitments):
            whose = [names[user] for user, point in points.items() if point in wrong]
            whose += ["the administration"] * (_escrow_point(patient) in wrong)
            raise RequestError(_too_few(len(good), len(commitments), whose))
        try:
            return recover(commitments, good)
        except WrongShares as error:  # They were seen to fit just now.
            raise RequestError(str(error)) from error

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
        point = _escrow_point(row)
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
        """An entry without the reason: it may name the patient, and the log is read by others."""
        details = {"opening": row.id, **(more or {})}
        self._audit.add(by, action, row.patient_id, details, session)


def _escrow_point(patient: PatientRow) -> int:
    return max(one.point for one in patient.carers) + 1


def _lent(key: OpenKey, box: bytes, opening: str, point: int) -> bytes:
    """The share that was lent; b"" for one that was altered, which no commitments fit."""
    try:
        return open_box(key.private, box, LENT, opening, point)
    except CryptoError:
        return b""


def _too_few(good: int, needed: int, whose: Sequence[str]) -> str:
    said = f"It takes the shares of {needed} doctors, and {good} can be used."
    if whose:
        said += f" Damaged: the share of {', '.join(whose)}."
    return said


def _own_share(session: Session, carer: CarerRow, key: OpenKey) -> bytes:
    """The doctor's share. Raises RequestError for one that was damaged."""
    patient = session.get_one(PatientRow, carer.patient_id)
    try:
        share = open_box(key.private, carer.share, SHARE, carer.patient_id, carer.point)
    except CryptoError:
        share = b""
    if not fits(commitments_of(patient), carer.point, share):
        raise RequestError(
            "Your share of this record is damaged: it does not fit what was agreed when it was "
            "sealed. Another doctor can approve; tell an administrator."
        )
    return share


def _carer(session: Session, patient: str, doctor: UserRow, key: OpenKey) -> CarerRow:
    row = session.get(CarerRow, (patient, doctor.id))
    if row is None or row.key_id != key.number:
        raise RequestError("There is no such patient among yours.")
    return row


def _group(session: Session, patient: str) -> list[tuple[CarerRow, DoctorKeyRow]]:
    query = select(CarerRow, DoctorKeyRow).join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
    found = session.execute(query.where(CarerRow.patient_id == patient))
    return [(carer, key) for carer, key in found]


def _under_way(session: Session, patient: str, doctor: int) -> OpeningRow | None:
    query = select(OpeningRow).filter_by(patient_id=patient, asked_by=doctor)
    return session.scalars(query.where(OpeningRow.state.in_((ASKED, OPEN)))).first()


def _locked(session: Session, identifier: str) -> OpeningRow | None:
    return session.get(OpeningRow, identifier, with_for_update=True)


def names_of(session: Session, users: Sequence[int]) -> dict[int, str]:
    """The names of people by their numbers."""
    query = select(UserRow.id, UserRow.name).where(UserRow.id.in_(set(users)))
    return {row.id: row.name for row in session.execute(query)}
