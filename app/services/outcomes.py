"""What became of a model's answers: the diagnosis that a doctor records later.

The diagnosis is sealed to the record, and nobody counts it at the server: a counter beside the
audit log would tell, step by step, whose diagnosis it was. Instead each doctor of the care group
has how an answer came out in the sealed minimum, and it is counted for that doctor alone, over all
patients, when the doctor looks. docs/decisions/2026-11-22-outcomes.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import PatientEntryRow, PatientRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.cases import Cases
from app.services.open_keys import OpenKey
from app.services.openings import Openings
from app.services.record_check import record_digest
from app.services.record_entries import CAME_TRUE, NOT_KNOWN, TRUE, Answer, Outcome
from app.services.record_sealing import (
    Fared,
    Minimum,
    commitments_of,
    open_entry,
    seal_entry,
    seal_minimum,
)
from app.services.record_shares import (
    altered_is_told,
    group_of,
    minimum_to_change,
    put_together,
)

LONGEST_BASIS: Final = 300
# Bands of the risk, in thousandths: from, to (without it).
BANDS: Final = ((0, 200), (200, 400), (400, 600), (600, 800), (800, 1001))
# From so many on a share is told, not only counts.
FEWEST: Final = 10
_THOUSAND: Final = 1000
# So much of an answer's reference tells answers of one patient apart.
_SHORT: Final = 16


@dataclass(frozen=True)
class Band:
    """Answers with a risk in this band, in per cent, whose diagnosis is known; mean risk, too."""

    low: int
    high: int
    known: int
    came_true: int
    mean_risk: float

    @property
    def share(self) -> float | None:
        """The share that came true; None of too few."""
        return self.came_true / self.known if self.known >= FEWEST else None


class Outcomes:
    """The outcomes of one database."""

    def __init__(
        self, database: Database, audit: AuditLog, openings: Openings, cases: Cases
    ) -> None:
        self._database = database
        self._audit = audit
        self._openings = openings
        self._cases = cases

    def note(self, doctor: UserRow, key: OpenKey, patient: str, outcome: Outcome) -> None:
        """Seal the diagnosis that was confirmed for an answer; the one before is kept, too.

        Raises RequestError for what cannot be kept, unless the doctor has the record open, for an
        answer that it does not hold, and for one of an altered record.
        """
        _check(outcome)
        with self._database.transaction() as session:
            row = self._openings.open_row(session, doctor, patient)
            secret = put_together(session, row, doctor, key)
            answer = _answer_of(session, patient, secret, outcome.answer)
            found = session.get_one(PatientRow, patient)
            sealed = seal_entry(patient, commitments_of(found), outcome)
            session.add(PatientEntryRow(patient_id=patient, sealed=sealed, made_by=doctor.id))
            own = minimum_to_change(session, patient, doctor, key)
            minimum = replace(own, fared=_with(own, answer, outcome))
            for carer, to in group_of(session, patient):
                carer.minimum = seal_minimum(patient, to, minimum)
            with altered_is_told():
                self._cases.renew(session, patient, secret)
            details = {"digest": record_digest(session, patient)}
            self._audit.add(doctor, "record.outcome_noted", patient, details, session)


def bands_of(minima: Iterable[Minimum], model_sha256: str) -> list[Band]:
    """How a model's answers came out with these patients, by band of the risk.

    Each answer counts once, with the diagnosis that was recorded last; one that is not known does
    not count. Empty where there is none.
    """
    known = [
        one
        for minimum in minima
        for one in minimum.fared
        if one.model_sha256 == model_sha256 and one.came != NOT_KNOWN
    ]
    return [_band(low, high, known) for low, high in BANDS] if known else []


def _band(low: int, high: int, known: Sequence[Fared]) -> Band:
    within = [one for one in known if low <= one.risk < high]
    mean = sum(one.risk for one in within) / len(within) / _THOUSAND if within else 0.0
    true = sum(one.came == TRUE for one in within)
    return Band(low // 10, high // 10, len(within), true, mean)


def _check(outcome: Outcome) -> None:
    if outcome.came not in CAME_TRUE:
        raise RequestError("Choose whether the diagnosis was confirmed.")
    if len(outcome.basis) > LONGEST_BASIS:
        raise RequestError(f"Say on what it rests in at most {LONGEST_BASIS} characters.")
    try:
        on = date.fromisoformat(outcome.at)
    except ValueError as error:
        raise RequestError("Enter the day of the diagnosis.") from error
    if on > now().date():
        raise RequestError("The diagnosis cannot be of a day to come.")


def _answer_of(session: Session, patient: str, secret: bytes, reference: str) -> Answer:
    for row in session.get_one(PatientRow, patient).entries:
        with altered_is_told():
            entry = open_entry(row, secret)
        if isinstance(entry, Answer) and entry.reference == reference:
            return entry
    raise RequestError("There is no such answer in this record.")


def _with(minimum: Minimum, answer: Answer, outcome: Outcome) -> tuple[Fared, ...]:
    """The minimum's outcomes with this one; an answer without a number cannot be counted."""
    if answer.risk is None:
        return minimum.fared
    short = answer.reference[:_SHORT]
    risk = round(answer.risk * _THOUSAND)
    others = tuple(one for one in minimum.fared if one.answer != short)
    return (*others, Fared(short, answer.model_sha256, risk, outcome.came))
