"""What doctors do with sealed records, noted for the ledger in the transaction in which it is done.

A step is a call of `Records.sol` by the doctor who did it. It is signed while the doctor's session
has the key open (`app.services.record_signing`) and sent by the worker
(`app.services.record_ledger`), so that a chain that does not answer holds nobody up. The ledger
knows a record by a digest that tells nothing; each sharing of its key among a group has another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import (
    CarerRow,
    DeploymentRow,
    DoctorKeyRow,
    OpeningRow,
    PatientRow,
    RecordStepRow,
    RecordTransactionRow,
    UserRow,
)
from app.services.accounts import ACTIVE
from app.services.record_check import reasons_digest
from app.services.record_sealing import commitments_of
from app.services.roles import DOCTOR
from crypto.context import canonical

# The kinds of steps are the contract's functions.
SEAL, REQUEST, EMERGENCY = "seal", "request", "requestInEmergency"
APPROVE, DECLINE, OPENED, CLOSE, ERASE = "approve", "decline", "open", "close", "erase"
# What became of a step's transaction; empty while it waits.
DONE, REFUSED, OVERTAKEN = "done", "refused", "overtaken"

_LABEL: Final = "consilium/record-seal/v1"
_KINDS: Final[Mapping[str, str]] = {
    "record.opening_asked": REQUEST,
    "record.opening_approved": APPROVE,
    "record.opening_declined": DECLINE,
    "record.opened": OPENED,
    "record.closed": CLOSE,
    "record.opening_withdrawn": CLOSE,
}


def sealed_digest(patient: str, number: int, commitments: str) -> str:
    """How the ledger knows a patient's sharing of this number, from 1 on: SHA-256 in hex digits.

    `commitments` is the digest of the sharing's commitments, in hex digits, too.
    """
    told = canonical(_LABEL, patient, number, bytes.fromhex(commitments))
    return sha256(told).hexdigest()


def note_seal(session: Session, doctor: int, patient: str) -> RecordStepRow:
    """The sealing of a patient's record as it is shared now; noted unless it is the last one."""
    details = sharing(session, patient)
    earlier = _seals(session, patient)
    last = earlier[-1] if earlier else None
    if last and json.loads(last.details) == details and not _in_vain(session, last):
        return last
    return _add(
        session,
        patient_id=patient,
        opening_id="",
        user_id=doctor,
        kind=SEAL,
        record=sealed_digest(patient, len(earlier) + 1, details["commitments"]),
        details=json.dumps(details, sort_keys=True),
    )


def note_opening(session: Session, action: str, by: UserRow | str, row: OpeningRow) -> None:
    """Note the step that an entry of the audit log tells of, by its doctor.

    What ended by itself is told by who had asked.
    """
    kind = _KINDS[action]
    doctor = by.id if isinstance(by, UserRow) and kind != CLOSE else row.asked_by
    if kind == REQUEST:
        record = note_seal(session, doctor, row.patient_id).record
        details = {"reason": reasons_digest(session, row.id)}
        kind = EMERGENCY if row.emergency else REQUEST
    else:
        found = _requested(session, row.id)
        if found is None:
            return  # Asked for before the ledger was told of openings.
        record, details = found.record, {}
    _add(
        session,
        patient_id=row.patient_id,
        opening_id=row.id,
        user_id=doctor,
        kind=kind,
        record=record,
        details=json.dumps(details, sort_keys=True),
    )


def note_erasure(session: Session, doctor: int, patient: str) -> str:
    """Note that a doctor destroys a record's key, before it is done; the digest of the sharing.

    The last sharing that was noted serves if the doctor is in it: who is left may be too few to
    seal the record once more.
    """
    key = session.scalar(select(CarerRow.key_id).filter_by(patient_id=patient, user_id=doctor))
    seals = _seals(session, patient)
    known = bool(seals) and not _in_vain(session, seals[-1])
    if not (known and key in json.loads(seals[-1].details)["keys"]):
        seals = [note_seal(session, doctor, patient)]
    record = seals[-1].record
    _add(
        session,
        patient_id=patient,
        opening_id="",
        user_id=doctor,
        kind=ERASE,
        record=record,
        details=json.dumps({}),
    )
    return record


def sharing(session: Session, patient: str) -> dict[str, Any]:
    """Among which doctors' keys a record's key is shared now, how many it takes, and which sharing.

    Those who are doctors no more, or lost the key, open nothing and are left out.
    """
    row = session.get_one(PatientRow, patient)
    keys = (
        select(CarerRow.key_id)
        .join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
        .join(UserRow, UserRow.id == CarerRow.user_id)
        .where(CarerRow.patient_id == patient, DoctorKeyRow.lost_at.is_(None))
        .where(UserRow.state == ACTIVE, UserRow.role == DOCTOR)
        .order_by(CarerRow.point)
    )
    return {
        "commitments": sha256(row.commitments).hexdigest(),
        "keys": list(session.scalars(keys)),
        "quorum": len(commitments_of(row)),
    }


def _seals(session: Session, patient: str) -> Sequence[RecordStepRow]:
    query = select(RecordStepRow).filter_by(patient_id=patient, kind=SEAL)
    return session.scalars(query.order_by(RecordStepRow.id)).all()


def _requested(session: Session, opening: str) -> RecordStepRow | None:
    query = select(RecordStepRow).filter_by(opening_id=opening)
    return session.scalars(query.order_by(RecordStepRow.id).limit(1)).first()


def _in_vain(session: Session, step: RecordStepRow) -> bool:
    """Whether the chain refused a sealing, or it was signed for another chain than today's."""
    newest = select(DeploymentRow.genesis_hash).order_by(DeploymentRow.id.desc()).limit(1)
    genesis = session.scalar(newest)
    rows = session.scalars(select(RecordTransactionRow).filter_by(step_id=step.id))
    return any(row.outcome == REFUSED or row.genesis_hash != genesis for row in rows)


def _add(session: Session, **values: Any) -> RecordStepRow:
    row = RecordStepRow(**values)
    session.add(row)
    session.flush()
    return row
