"""What a doctor does with a record while it is open: read, change, seal for another group, erase.

Each of these puts the shares together anew: the record's key is never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import (
    CarerRow,
    CaseRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
    UserRow,
)
from app.models.base import now
from app.services.audit import AuditLog
from app.services.cases import Cases, Standing
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.openings import Openings
from app.services.patient_consent import REFUSED, require_recording
from app.services.patients import check, choose_group, deal_to
from app.services.record_check import record_digest
from app.services.record_entries import Answer, Entry, Longer, Outcome, Vitals
from app.services.record_sealing import (
    Attributes,
    open_entry,
    open_version,
    seal_entry,
    seal_minimum,
    seal_version,
)
from app.services.record_shares import (
    altered_is_told,
    group_of,
    minimum_to_change,
    names_of,
    put_together,
)
from app.services.record_steps import note_erasure, note_seal
from app.services.resharing_deal import drop_resharings
from crypto.feldman import new_secret

E = TypeVar("E", Vitals, Outcome, Longer)


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
class Noted(Generic[E]):
    """Something else that somebody added to the record."""

    entry: E
    by: str
    at: datetime


@dataclass(frozen=True)
class Record:
    """An open record: the attributes' versions and what was added, of each the newest first.

    `cases` says of answers with a diagnosis, by their references, whether trainings use them.
    """

    versions: list[Version]
    answers: list[Kept]
    vitals: list[Noted[Vitals]] = field(default_factory=list)
    outcomes: list[Noted[Outcome]] = field(default_factory=list)
    longer: list[Noted[Longer]] = field(default_factory=list)
    cases: dict[str, Standing] = field(default_factory=dict)


class OpenRecords:
    """The open records of one database."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        escrow: Escrow,
        openings: Openings,
        cases: Cases,
    ) -> None:
        self._database = database
        self._audit = audit
        self._escrow = escrow
        self._openings = openings
        self._cases = cases

    def read(self, doctor: UserRow, key: OpenKey, patient: str) -> Record:
        """The record.

        Raises RequestError unless the doctor has it open.
        """
        with self._database.transaction() as session:
            row = self._openings.open_row(session, doctor, patient)
            secret = put_together(session, row, doctor, key)
            found = session.get_one(PatientRow, patient)
            made_by = [one.made_by for one in found.versions]
            names = names_of(session, made_by + [one.made_by for one in found.entries])
            with altered_is_told():
                versions = [
                    Version(one.version, open_version(one, secret), names[one.made_by], one.made_at)
                    for one in reversed(found.versions)
                ]
                opened = [(open_entry(one, secret), one) for one in found.entries]
            added = [(entry, names[one.made_by], one.made_at) for entry, one in reversed(opened)]
            consent = versions[0].attributes.consent
            by = [(entry, one.made_by) for entry, one in opened]
            cases = self._cases.standing(session, patient, consent, by)
            return replace(_record(versions, added), cases=cases)

    def revise(self, doctor: UserRow, key: OpenKey, patient: str, attributes: Attributes) -> None:
        """Seal other attributes as the next version; the ones before are kept.

        Raises RequestError unless the doctor has the record open, and for what cannot be kept: of a
        patient who does not agree to be recorded, anything but that.
        """
        check(attributes)
        with self._database.transaction() as session:
            row = self._openings.open_row(session, doctor, patient)
            secret = put_together(session, row, doctor, key)
            found = session.get_one(PatientRow, patient)
            version = len(found.versions) + 1
            refused = attributes.consent.recording == REFUSED
            if refused and open_version(found.versions[-1], secret).consent == attributes.consent:
                require_recording(attributes.consent)
            session.add(seal_version(patient, version, secret, attributes, doctor.id))
            own = minimum_to_change(session, patient, doctor, key)
            minimum = replace(own, initials=attributes.initials, refused=refused)
            for carer, doctor_key in group_of(session, patient):
                carer.minimum = seal_minimum(patient, doctor_key, minimum)
            with altered_is_told():
                self._cases.renew(session, patient, secret)
            details = {"version": version, "digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.revised", patient, details, session)

    def reseal(
        self, doctor: UserRow, key: OpenKey, patient: str, colleagues: Sequence[int], quorum: int
    ) -> None:
        """Seal an open record anew, among the doctor and these colleagues; then it is closed.

        The key is another one, so that shares of before open nothing of what is stored from now on:
        whoever left has none any more, and whoever lost a share gets one. Raises RequestError
        unless the doctor has the record open with a colleague's approval, and for a group that
        cannot be.
        """
        with self._database.transaction() as session:
            row = self._openings.open_row(session, doctor, patient)
            _require_agreed(row)
            secret = put_together(session, row, doctor, key)
            minimum = minimum_to_change(session, patient, doctor, key)
            group = choose_group(session, doctor, colleagues, quorum)
            found, other = session.get_one(PatientRow, patient), new_secret()
            dealt = deal_to(group, self._escrow, quorum, patient, other, minimum)
            with altered_is_told():
                for one in found.versions:
                    held = open_version(one, secret)
                    again = seal_version(patient, one.version, other, held, one.made_by)
                    one.sealed = again.sealed
                for entry in found.entries:
                    again_sealed = seal_entry(patient, dealt.public, open_entry(entry, secret))
                    entry.sealed = again_sealed
            session.execute(delete(CarerRow).filter_by(patient_id=patient))
            found.commitments, found.escrow = dealt.commitments, dealt.escrow
            found.sharing += 1
            drop_resharings(session, patient)
            session.add_all(dealt.carers)
            session.flush()
            details = {**dealt.details, "digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.resealed", patient, details, session)
            self._openings.end_all(session, patient, doctor)
            note_seal(session, doctor.id, patient)

    def export(self, doctor: UserRow, key: OpenKey, patient: str) -> Record:
        """The record, to be handed to the patient, which the audit log notes. Raises as `read`."""
        found = self.read(doctor, key, patient)
        self._audit.add(doctor, "record.exported", patient)
        return found

    def erase(self, doctor: UserRow, key: OpenKey, patient: str) -> None:
        """Destroy the shares of a record's key, and all that is sealed of the patient, for good.

        What stays is that there was a record, and the audit log, which never named the patient.
        Raises RequestError unless the doctor has it open with a colleague's approval.
        """
        with self._database.transaction() as session:
            row = self._openings.open_row(session, doctor, patient)
            _require_agreed(row)
            put_together(session, row, doctor, key)
            self._openings.end_all(session, patient, doctor)
            details = destroy(session, doctor, patient)
            self._audit.add(doctor, "record.erased", patient, details, session)


def destroy(session: Session, doctor: UserRow, patient: str) -> dict[str, Any]:
    """Delete a record's shares and all that is sealed of it; openings have to be ended before.

    The audit log's details of it: by which digest the ledger hears of it.
    """
    record = note_erasure(session, doctor.id, patient)
    drop_resharings(session, patient)
    asked = select(OpeningRow.id).filter_by(patient_id=patient)
    answers = delete(OpeningAnswerRow).where(OpeningAnswerRow.opening_id.in_(asked))
    session.execute(answers.execution_options(synchronize_session=False))
    for table in (OpeningRow, CarerRow, CaseRow, PatientVersionRow, PatientEntryRow):
        session.execute(delete(table).filter_by(patient_id=patient))
    found = session.get_one(PatientRow, patient)
    found.commitments, found.escrow, found.keep_until = b"", b"", None
    found.erased_at = now()
    session.flush()
    return {"ledger": record}


def _record(versions: list[Version], added: Sequence[tuple[Entry, str, datetime]]) -> Record:
    found = Record(versions, [])
    for entry, by, at in added:
        if isinstance(entry, Answer):
            found.answers.append(Kept(entry, by, at))
        elif isinstance(entry, Vitals):
            found.vitals.append(Noted(entry, by, at))
        elif isinstance(entry, Outcome):
            found.outcomes.append(Noted(entry, by, at))
        else:
            found.longer.append(Noted(entry, by, at))
    return found


def _require_agreed(row: OpeningRow) -> None:
    """Raise RequestError for an emergency: one doctor alone takes no record from the others."""
    if row.emergency:
        raise RequestError(
            "A record that was opened in an emergency keeps its care group and is not erased: have "
            "a colleague approve an opening first."
        )
