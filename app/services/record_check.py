"""Sealed records against the audit log, which is anchored: keys, records, openings, one by one.

Nothing is opened for it: an entry of the log has the digest of everything that is sealed of a
record, so that a check finds an altered ciphertext, share or group as it finds an altered name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, selectinload

from app.models import (
    AuditRow,
    CarerRow,
    CaseRow,
    DoctorKeyRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
)
from app.services.check_report import NOTHING, Report
from app.services.resharing_check import check_resharings
from crypto.context import Item, canonical

_RECORD: Final = "consilium/record-digest/v1"
_REASONS: Final = "consilium/record-reasons/v1"
# What an entry makes of the opening that it names.
_STATES: Final = {
    "record.opening_asked": "asked",
    "record.opened": "open",
    "record.closed": "closed",
    "record.opening_withdrawn": "withdrawn",
}
_ANSWERS: Final = {"record.opening_approved": "approved", "record.opening_declined": "declined"}
_PROLONGED: Final = "record.prolonged"
_SEALED: Final = (
    "record.sealed",
    "record.revised",
    "record.resealed",
    "record.answer_kept",
    "record.reshared",
    "record.vitals_kept",
    "record.outcome_noted",
    _PROLONGED,
)
# What dealt a record's shares anew.
_DEALT: Final = ("record.sealed", "record.resealed", "record.reshared")


def record_digest(session: Session, patient: str) -> str:
    """SHA-256, in hexadecimal digits, of all that is sealed of a patient, and for whom."""
    row = session.get_one(PatientRow, patient)
    versions = session.scalars(
        select(PatientVersionRow).filter_by(patient_id=patient).order_by(PatientVersionRow.version)
    )
    carers = session.execute(
        select(CarerRow, DoctorKeyRow.public_key)
        .join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
        .where(CarerRow.patient_id == patient)
        .order_by(CarerRow.user_id)
    )
    sealed: list[Item] = [[one.version, one.sealed, one.made_by] for one in versions]
    group: list[Item] = [
        [one.user_id, public, one.point, one.share, one.minimum] for one, public in carers
    ]
    entries = session.scalars(
        select(PatientEntryRow).filter_by(patient_id=patient).order_by(PatientEntryRow.id)
    )
    added: list[Item] = [[one.sealed, one.made_by] for one in entries]
    own: list[Item] = [row.commitments, row.escrow, row.created_by]
    query = select(CaseRow).filter_by(patient_id=patient).order_by(CaseRow.task)
    cases: list[Item] = [
        [one.task, one.hospital, one.sealed, one.made_by] for one in session.scalars(query)
    ]
    # Without cases as before there were any: digests of then stand in the log.
    also: list[Item] = [cases] if cases else []
    told = canonical(_RECORD, patient, own, sealed, added, group, *also)
    return sha256(told).hexdigest()


def reasons_digest(session: Session, opening: str) -> str:
    """SHA-256, in hexadecimal digits, of a request's reason as it is sealed for each doctor."""
    rows = session.scalars(
        select(OpeningAnswerRow).filter_by(opening_id=opening).order_by(OpeningAnswerRow.user_id)
    )
    boxes: list[Item] = [[one.user_id, one.reason] for one in rows]
    return sha256(canonical(_REASONS, opening, boxes)).hexdigest()


def as_logged(session: Session, patients: Collection[str]) -> set[str]:
    """Those of the patients of whom all that is sealed is as the audit log says."""
    query = select(AuditRow).where(AuditRow.action.in_(_SEALED), AuditRow.subject.in_(patients))
    rows = session.scalars(query.order_by(AuditRow.id))
    digests = {row.subject: json.loads(row.details)["digest"] for row in rows}
    return {one for one, told in digests.items() if told == record_digest(session, one)}


def check_records(report: Report, session: Session) -> None:
    """Compare doctors' keys, sealed records and openings with what the audit log says of them."""
    log: list[tuple[AuditRow, dict[str, Any]]] = [
        (row, json.loads(row.details))
        for row in session.scalars(
            select(AuditRow)
            .where(AuditRow.action.like("record.%") | AuditRow.action.like("doctor_key.%"))
            .order_by(AuditRow.id)
        )
    ]
    _keys(report, session, log)
    _records(report, session, log)
    _openings(report, session, log)
    check_resharings(report, session, log)


def _keys(report: Report, session: Session, log: list[tuple[AuditRow, dict[str, Any]]]) -> None:
    expected: dict[str, str] = {}
    for entry, details in log:
        if entry.action == "doctor_key.made":
            expected[details["public_key"]] = f"of person {entry.actor_id}"
        elif entry.action == "doctor_key.lost":
            expected[details["public_key"]] += ", lost"
    found = {
        row.public_key: f"of person {row.user_id}{', lost' if row.lost_at else ''}"
        for row in session.scalars(select(DoctorKeyRow))
    }
    _both(report, "doctor’s key", expected, found)


def _records(report: Report, session: Session, log: list[tuple[AuditRow, dict[str, Any]]]) -> None:
    expected = {
        entry.subject: details["digest"] for entry, details in log if entry.action in _SEALED
    }
    expected |= dict.fromkeys(_erased(log), "erased")
    identifiers = set(session.scalars(select(PatientRow.id)))
    for table in (PatientVersionRow, PatientEntryRow, CarerRow, CaseRow):
        identifiers |= set(session.scalars(select(table.patient_id)))
    rows = {row.id: row for row in session.scalars(select(PatientRow))}
    found = {one: _found(session, rows.get(one), one) for one in identifiers}
    _both(report, "sealed record", expected, found)
    dealt = Counter(entry.subject for entry, _ in log if entry.action in _DEALT)
    for row in rows.values():
        report.compare(f"sealed record {row.id[:12]}, sharing", dealt[row.id], row.sharing)
    longer = {
        entry.subject: details["until"] for entry, details in log if entry.action == _PROLONGED
    }
    for erased in _erased(log):
        longer.pop(erased, None)
    kept = {one: f"{row.keep_until}" for one, row in rows.items() if row.keep_until is not None}
    _both(report, "prolonged record", longer, kept)


def _erased(log: list[tuple[AuditRow, dict[str, Any]]]) -> set[str]:
    return {entry.subject for entry, _ in log if entry.action == "record.erased"}


def _found(session: Session, row: PatientRow | None, patient: str) -> str:
    if row is None:
        return "a record that is not there"
    if row.erased_at is None:
        return record_digest(session, patient)
    left = bool(row.versions or row.entries or row.carers or row.commitments or row.escrow)
    left = left or bool(session.scalar(select(exists().where(CaseRow.patient_id == patient))))
    return "erased in part" if left else "erased"


def _openings(report: Report, session: Session, log: list[tuple[AuditRow, dict[str, Any]]]) -> None:
    expected: dict[str, dict[str, Any]] = {}
    erased = _erased(log)
    for entry, details in log:
        if entry.subject in erased:
            continue  # Erased with the record.
        if entry.action == "record.opening_asked":
            expected[details["opening"]] = {
                "patient": entry.subject,
                "asked by": entry.actor_id,
                "reasons": details["reasons"],
                "emergency": details["emergency"],
            }
        if state := _STATES.get(entry.action):
            expected[details["opening"]]["state"] = state
        if answer := _ANSWERS.get(entry.action):
            expected[details["opening"]][f"answer of person {entry.actor_id}"] = answer
    query = select(OpeningRow).options(selectinload(OpeningRow.answers))
    keys = {row.id: row.user_id for row in session.scalars(select(DoctorKeyRow))}
    found = {row.id: _opening(session, row, keys) for row in session.scalars(query)}
    strays = set(session.scalars(select(OpeningAnswerRow.opening_id))) - set(found)
    found |= {one: {"state": NOTHING} for one in strays}
    for one in sorted(expected | found):
        what = f"opening {one[:12]}"
        left, right = expected.get(one, {}), found.get(one, {})
        for name in sorted(left.keys() | right.keys()):
            report.compare(f"{what}, {name}", left.get(name, NOTHING), right.get(name, NOTHING))


def _opening(session: Session, row: OpeningRow, keys: Mapping[int, int]) -> dict[str, Any]:
    """What an opening and its answers say; a key that is somebody else's shows as an answer."""
    told: dict[str, Any] = {
        "patient": row.patient_id,
        "asked by": row.asked_by,
        "reasons": reasons_digest(session, row.id),
        "emergency": row.emergency,
        "state": row.state,
    }
    if keys.get(row.key_id) != row.asked_by:
        told["key"] = "somebody else’s"
    for one in row.answers:
        if one.answer:
            told[f"answer of person {one.user_id}"] = one.answer
        if keys.get(one.key_id) != one.user_id:
            told[f"key of person {one.user_id}"] = "somebody else’s"
    return told


def _both(report: Report, kind: str, expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    for one in sorted(expected.keys() | found.keys()):
        what = f"{kind} {one[:12]}"
        report.compare(what, expected.get(one, NOTHING), found.get(one, NOTHING))
