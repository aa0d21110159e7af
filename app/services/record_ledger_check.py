"""Openings in the database against the chain's events, both ways; and doctors' accounts.

An opening of which the ledger should have been told has its steps; a step that stands there is
compared with the event; an event that no step accounts for is named. What still waits is no
difference: the page says that it waits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from eth_utils.crypto import keccak
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.models import (
    AuditRow,
    DeploymentRow,
    DoctorAccountRow,
    DoctorKeyRow,
    OpeningRow,
    PatientRow,
    RecordChainRow,
    RecordStepRow,
    RecordTransactionRow,
)
from app.services.check_report import NOTHING, Report
from app.services.doctor_accounts import addresses_of
from app.services.federation import Federation
from app.services.openings import APPROVED, CLOSED, DECLINED, OPEN
from app.services.record_check import reasons_digest
from app.services.record_steps import (
    APPROVE,
    CLOSE,
    DECLINE,
    DONE,
    EMERGENCY,
    ERASE,
    OPENED,
    OVERTAKEN,
    REFUSED,
    REQUEST,
    SEAL,
    sealed_digest,
    sharing,
)
from contracts.artifact import RECORDS
from contracts.records import LedgerEvent

_EVENTS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    SEAL: (("Sealed",),),
    REQUEST: (("OpeningRequested",),),
    EMERGENCY: (("OpeningRequested", "EmergencyDeclared"),),
    APPROVE: (("OpeningApproved",),),
    DECLINE: (("OpeningDeclined",),),
    OPENED: (("RecordOpened",),),
    CLOSE: (("RecordClosed",), ("OpeningWithdrawn",)),
    ERASE: (("RecordErased",),),
}
# What is done with a record itself, outside of its openings.
_OF_RECORDS: Final = (SEAL, ERASE)
_ANSWERS: Final = {APPROVED: APPROVE, DECLINED: DECLINE}


@dataclass(frozen=True)
class _Sent:
    """A step with its transaction, and the events that this one left on the chain."""

    step: RecordStepRow
    row: RecordTransactionRow
    events: Sequence[LedgerEvent]


def check_record_ledger(report: Report, federation: Federation, session: Session) -> None:
    """Compare doctors' accounts, steps and transactions with the audit log and the chain."""
    steps = {row.id: row for row in session.scalars(select(RecordStepRow))}
    _accounts(report, session)
    _chain(report, federation, session)
    _openings(report, session, list(steps.values()))
    _sealings(report, session, list(steps.values()))
    _erasures(report, session, list(steps.values()))
    genesis = session.get_one(DeploymentRow, federation.deployment).genesis_hash
    events: dict[str, list[LedgerEvent]] = {}
    for event in federation.ledger.openings.history():
        events.setdefault(event.transaction, []).append(event)
    for row in session.scalars(select(RecordTransactionRow).order_by(RecordTransactionRow.id)):
        what = f"transaction {row.transaction[:12]} of a sealed record"
        report.compare(what, row.transaction, f"0x{keccak(row.raw).hex()}")
        step = steps.get(row.step_id)
        report.compare(f"{what}, its step", True, step is not None)
        if step is None or row.genesis_hash != genesis or row.outcome == OVERTAKEN:
            continue
        _transaction(report, session, _Sent(step, row, events.pop(row.transaction, [])))
    for left in events.values():
        for event in left:
            what = f"{event.name} of a sealed record in block {event.block}"
            report.compare(what, "a step in the database", NOTHING)


def _accounts(report: Report, session: Session) -> None:
    """Doctors' accounts, by the audit log."""
    query = select(AuditRow).where(AuditRow.action == "doctor_account.made")
    told = [json.loads(row.details) for row in session.scalars(query.order_by(AuditRow.id))]
    expected = {one["account"]: one["public_key"] for one in told}
    rows = session.execute(
        select(DoctorAccountRow.address, DoctorKeyRow.public_key).join(
            DoctorKeyRow, DoctorKeyRow.id == DoctorAccountRow.key_id, isouter=True
        )
    )
    found = {address: public or NOTHING for address, public in rows}
    for one in sorted(expected.keys() | found.keys()):
        what = f"account of a doctor {one}"
        report.compare(what, expected.get(one, NOTHING), found.get(one, NOTHING))


def _chain(report: Report, federation: Federation, session: Session) -> None:
    """Which contract is signed for."""
    row = session.get(RecordChainRow, federation.deployment)
    signed = session.scalar(select(RecordTransactionRow.id).limit(1)) is not None
    if row is not None or signed:
        at, noted = federation.ledger.addresses[RECORDS], row.contract if row else NOTHING
        report.compare("contract of sealed records, as noted for signing", at, noted)


def _openings(report: Report, session: Session, steps: Sequence[RecordStepRow]) -> None:
    """Which steps each opening has to have, and no others; of erased records only steps are left.

    What is compared of an opening with the audit log itself is in `app.services.record_check`.
    """
    erased = set(session.scalars(select(PatientRow.id).where(PatientRow.erased_at.is_not(None))))
    expected: dict[str, set[str]] = {}
    of_request: dict[str, dict[str, str]] = {}
    query = select(OpeningRow).options(selectinload(OpeningRow.answers))
    for row in session.scalars(query):
        expected[row.id] = set(map(str, _steps_of(row)))
        reasons = reasons_digest(session, row.id)
        of_request[row.id] = {"patient": row.patient_id, "details": f"reason {reasons}"}
    found: dict[str, set[str]] = {}
    for step in steps:
        if step.kind in _OF_RECORDS or step.patient_id in erased:
            continue
        found.setdefault(step.opening_id, set()).add(f"{step.kind} by person {step.user_id}")
        if step.opening_id in of_request:
            wanted = of_request[step.opening_id]
            what = f"opening {step.opening_id[:12]}, its step {step.kind}"
            report.compare(what, wanted["patient"], step.patient_id)
            if step.kind in (REQUEST, EMERGENCY):
                details = f"reason {json.loads(step.details)['reason']}"
                report.compare(f"{what}, reason", wanted["details"], details)
    for one in sorted(expected.keys() | found.keys()):
        what = f"opening {one[:12]}, steps for the ledger"
        report.compare(what, sorted(expected.get(one, ())), sorted(found.get(one, ())))


def _steps_of(row: OpeningRow) -> list[str]:
    told = [f"{EMERGENCY if row.emergency else REQUEST} by person {row.asked_by}"]
    told += [
        f"{_ANSWERS[one.answer]} by person {one.user_id}"
        for one in row.answers
        if one.answer in _ANSWERS
    ]
    if row.state in (OPEN, CLOSED):
        told.append(f"{OPENED} by person {row.asked_by}")
    if row.state not in (OPEN, "asked"):
        told.append(f"{CLOSE} by person {row.asked_by}")
    return told


def _sealings(report: Report, session: Session, steps: Sequence[RecordStepRow]) -> None:
    """Every record's digests, in their order; the last sharing is the record's own."""
    digests: dict[str, list[str]] = {}
    last: dict[str, dict[str, Any]] = {}
    for step in sorted(steps, key=lambda one: one.id):
        made, details = digests.setdefault(step.patient_id, []), json.loads(step.details)
        if step.kind == SEAL:
            commitments = details["commitments"]
            made.append(sealed_digest(step.patient_id, len(made) + 1, commitments))
            last[step.patient_id] = details
        expected = made[-1] if made else NOTHING
        what = f"step {step.kind} of record {step.patient_id[:12]}"
        report.compare(f"{what}, its digest", expected, step.record)
        alone = step.kind in _OF_RECORDS
        report.compare(f"{what}, of no opening", alone, not step.opening_id)
        report.compare(f"{what}, its details", json.dumps(details, sort_keys=True), step.details)
    for row in session.scalars(select(PatientRow).where(PatientRow.erased_at.is_(None))):
        what, told = f"record {row.id[:12]}, its sealing for the ledger", last.get(row.id)
        report.compare(what, True, told is not None)
        if told is not None and told["commitments"] == sha256(row.commitments).hexdigest():
            # A doctor may have left since; nobody can have joined.
            now = sharing(session, row.id)
            report.compare(f"{what}, quorum", now["quorum"], told["quorum"])
            shared = {one.key_id for one in row.carers}
            report.compare(f"{what}, who shares it", [], sorted(set(told["keys"]) - shared))


def _erasures(report: Report, session: Session, steps: Sequence[RecordStepRow]) -> None:
    """Erasures of the audit log have their step, but for those from before the ledger was told."""
    query = select(AuditRow).where(AuditRow.action == "record.erased").order_by(AuditRow.id)
    log = [(row, json.loads(row.details)) for row in session.scalars(query)]
    told = [
        _erasure(row.subject, row.actor_id, one["ledger"]) for row, one in log if "ledger" in one
    ]
    noted = [
        _erasure(one.patient_id, one.user_id, one.record) for one in steps if one.kind == ERASE
    ]
    report.compare("erasures of records, for the ledger", sorted(told), sorted(noted))


def _erasure(patient: str, doctor: int | None, record: str) -> str:
    return f"{record} of record {patient} by person {doctor}"


def _transaction(report: Report, session: Session, sent: _Sent) -> None:
    """A transaction that counts, and its events."""
    step, row = sent.step, sent.row
    what = f"{_named(step)} on the ledger"
    keys = select(DoctorKeyRow.id).filter_by(user_id=step.user_id)
    query = select(DoctorAccountRow.address).where(DoctorAccountRow.key_id.in_(keys))
    own = row.account in set(session.scalars(query))
    report.compare(f"{what}, signed by its doctor", True, own)
    if row.outcome == REFUSED:
        report.compare(what, "recorded", "refused by the ledger")
    elif row.outcome == DONE or sent.events:
        expected = [
            _values(session, step, row.account, list(names)) for names in _EVENTS[step.kind]
        ]
        found = [_event_values(one) for one in sent.events]
        matched = next((one for one in expected if one == found), expected[0])
        report.compare(what, matched, found)
        report.compare(f"{what}, as noted", True, row.outcome in ("", DONE))
    else:
        report.compare(f"{what}, waiting", "", row.outcome)


def _values(session: Session, step: RecordStepRow, account: str, names: Sequence[str]) -> list[str]:
    """What the events of a step have to say."""
    details = json.loads(step.details)
    first = [f"record {step.record}", f"doctor {account}"]
    if step.kind == SEAL:
        doctors = addresses_of(session, details["keys"]) or []
        more = [f"doctors {', '.join(doctors)}", f"quorum {details['quorum']}"]
        return [" ".join([names[0], *first, *more])]
    if step.kind == ERASE:
        return [" ".join([names[0], *first])]
    first.insert(1, f"id {step.opening_id}")
    reason = [f"reason {details['reason']}"] if "reason" in details else []
    return [
        " ".join([name, *first, *(reason if name == "OpeningRequested" else [])]) for name in names
    ]


def _event_values(event: LedgerEvent) -> str:
    values: Mapping[str, Any] = event.values
    told = [event.name, f"record {values['record'].hex()}"]
    if "id" in values:
        told.append(f"id {values['id'].hex()}")
    told.append(f"doctor {values['doctor']}")
    if "doctors" in values:
        told.append(f"doctors {', '.join(values['doctors'])} quorum {values['quorum']}")
    if "reason_hash" in values:
        told.append(f"reason {values['reason_hash'].hex()}")
    return " ".join(told)


def _named(step: RecordStepRow) -> str:
    if step.kind == SEAL:
        return f"sealing of record {step.patient_id[:12]}"
    if step.kind == ERASE:
        return f"erasure of record {step.patient_id[:12]}"
    return f"opening {step.opening_id[:12]}, {step.kind} by person {step.user_id}"
