"""Resharings against the audit log: what was planned, how each record stands, what was dealt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AuditRow, ResharingPartRow, ResharingRecordRow, ResharingRow
from app.services.check_report import NOTHING, Report
from app.services.resharing_parts import SUCCESSORS
from crypto.context import parse
from crypto.errors import EncodingError

Entry = tuple[AuditRow, dict[str, Any]]
# A resharing and a patient.
Record = tuple[str, str]
_ENDS: Final = {
    "record.reshared": "done",
    "record.resharing_failed": "wrong",
    "record.resharing_dropped": "dropped",
}
# What ends a resharing of a record from outside.
_OVERTAKEN: Final = ("record.resealed", "record.erased")


class _Told:
    """What the log says there is: plans, records by plan, dealings by plan and record."""

    def __init__(self) -> None:
        self.plans: dict[str, str] = {}
        self.records: dict[Record, str] = {}
        # Of records that wait: the digest of what each doctor dealt, by number.
        self.parts: dict[Record, dict[int, str]] = {}

    def read(self, entry: AuditRow, details: Mapping[str, Any]) -> None:
        """Take an entry into account, each in its order."""
        if entry.action == "record.resharing_begun":
            successors = [SUCCESSORS, *(list(one) for one in details["successors"])]
            self.plans[entry.subject] = _plan(entry.actor_id, details["records"], successors)
            for patient in details["patients"]:
                self.records[entry.subject, patient] = _standing("asked")
                self.parts[entry.subject, patient] = {}
        elif entry.action == "record.parts_dealt":
            for patient, digest in details["parts"].items():
                # The entry of whoever completes a record comes after the record's own.
                waiting = self.parts.get((entry.subject, patient), {})
                waiting[entry.actor_id or 0] = digest
        elif entry.action in _ENDS:
            state, blamed = _ENDS[entry.action], details.get("blamed", "")
            self._end((details["resharing"], entry.subject), _standing(state, blamed))
        elif entry.action in _OVERTAKEN:
            for key in [one for one in self.parts if one[1] == entry.subject]:
                self._end(key, _standing("dropped"))

    def _end(self, key: Record, state: str) -> None:
        """Its parts are erased."""
        self.records[key] = state
        self.parts.pop(key, None)

    def dealings(self) -> dict[tuple[str, str, int], str]:
        """The digests by plan, record and doctor."""
        return {
            (*key, user): said for key, dealt in self.parts.items() for user, said in dealt.items()
        }


def check_resharings(report: Report, session: Session, log: Sequence[Entry]) -> None:
    """Compare what is stored of resharings with what the audit log says of them."""
    told = _Told()
    for entry, details in log:
        told.read(entry, details)
    plans = {
        row.id: _plan(row.begun_by, row.records, _successors(row))
        for row in session.scalars(select(ResharingRow))
    }
    records = {
        (row.resharing_id, row.patient_id): _standing(row.state, row.blamed)
        for row in session.scalars(select(ResharingRecordRow))
    }
    parts = {
        (row.resharing_id, row.patient_id, row.user_id): sha256(row.dealing).hexdigest()
        for row in session.scalars(select(ResharingPartRow))
    }
    _both(report, "resharing", {(one,): said for one, said in told.plans.items()},
          {(one,): said for one, said in plans.items()})  # fmt: skip
    _both(report, "resharing of a record", told.records, records)
    _both(report, "resharing, a part", told.dealings(), parts)


def _plan(by: int | None, records: int, successors: object) -> str:
    return f"begun by person {by}, of {records} records, with {successors}"


def _standing(state: str, blamed: str = "") -> str:
    return f"{state}, because of [{blamed}]"


def _successors(row: ResharingRow) -> object:
    try:
        return parse(row.successors)
    except EncodingError:
        return "what cannot be read"


def _both(report: Report, kind: str, told: Mapping[Any, str], found: Mapping[Any, str]) -> None:
    for one in sorted(told.keys() | found.keys()):
        what = f"{kind} {', '.join(str(part)[:12] for part in one)}"
        report.compare(what, told.get(one, NOTHING), found.get(one, NOTHING))
