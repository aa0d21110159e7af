"""Cases: what a doctor confirmed, for the next trainings of the doctor's hospital.

A case is made of an answer that was kept and of the diagnosis that was recorded for it, as long as
the patient agrees that it may train. It is sealed to a key of the hospital where the doctor works.
Which cases there should be follows from the open record alone, so whoever changes the record calls
`renew`. docs/decisions/2026-11-23-cases.md has the reasons.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from app.models import CaseRow, PatientEntryRow, PatientVersionRow
from app.services.keys import KeyRing
from app.services.patient_consent import AGREED, REFUSED, Consent
from app.services.record_entries import NOT_KNOWN, TRUE, Answer, Came, Entry, Outcome
from app.services.record_sealing import open_entry, open_version
from app.services.roles import DOCTOR
from app.services.staff import find_hospital, hospitals_of
from config import Settings
from crypto.box import open_box, seal_box
from crypto.context import canonical, parse
from crypto.envelope import PrivateKey
from crypto.errors import EncodingError
from fl.datasets import Task, get_task
from fl.errors import UnknownTaskError

_CASE: Final = "consilium/case/v1"
# Whose training data a diagnosis can be: it says which of two classes is the right one.
_CLASSES: Final = 2


@dataclass(frozen=True)
class Confirmed:
    """An answer with the diagnosis that counts for it, and the person who recorded that."""

    answer: Answer
    came: Came
    by: int


@dataclass(frozen=True)
class Standing:
    """Of which `hospital` an answer with its diagnosis is a case; else, in a sentence, why not."""

    hospital: str | None
    why: str = ""


class Cases:
    """Makes cases, and says of an answer whether it is one; the key ring is found on first use."""

    def __init__(self, ring: Callable[[], KeyRing]) -> None:
        self._ring = cache(ring)

    @classmethod
    def of(cls, settings: Settings) -> Cases:
        """The installation's. Making a case raises SetupError where a keystore does not open."""
        return cls(lambda: KeyRing.of(settings))

    def renew(self, session: Session, patient: str, secret: bytes) -> None:
        """Make the cases of an open record what they should be, by consent and diagnoses.

        A case stays with its hospital, also when the doctor works elsewhere meanwhile. Raises
        SealError for a record that was altered.
        """
        session.flush()
        consent, entries = _read(session, patient, secret)
        before = {row.task: row for row in session.scalars(_cases_of(patient))}
        wanted = _confirmed(entries) if _agreed(consent) else {}
        session.execute(delete(CaseRow).filter_by(patient_id=patient))
        for name, one in wanted.items():
            row = before.get(name)
            stays = row is not None and row.made_by == one.by
            hospital = row.hospital if row and stays else _hospital(session, one)
            task = _task(name)
            plaintext = _encode(task, one) if task else None
            if hospital is None or plaintext is None:
                continue
            key = self._ring().case_key(hospital).public_key()
            sealed = seal_box(key, plaintext, _CASE, hospital, name, patient)
            session.add(
                CaseRow(
                    patient_id=patient, task=name, hospital=hospital, sealed=sealed, made_by=one.by
                )
            )
        session.flush()

    def standing(
        self,
        session: Session,
        patient: str,
        consent: Consent,
        entries: Sequence[tuple[Entry, int]],
    ) -> dict[str, Standing]:
        """Of each answer with a diagnosis that is known, by its reference: whether it is a case."""
        rows = {row.task: row for row in session.scalars(_cases_of(patient))}
        counted = {one.answer.reference: one for one in _confirmed(entries).values()}
        found = {}
        for reference, one in _latest(entries).items():
            if one.came == NOT_KNOWN:
                continue
            if reference not in counted:
                told = Standing(None, "a diagnosis that was recorded later is the patient’s case")
            else:
                told = _told(session, one, consent, rows.get(one.answer.task))
            found[reference] = told
        return found


def open_case(
    key: PrivateKey, hospital: str, task: Task, patient: str, box: bytes
) -> tuple[tuple[float, ...], int]:
    """A case's values in the order of the task's columns, NaN where missing, and its class.

    Raises SealError for one that was altered or is another's, EncodingError for another shape.
    """
    fields = parse(open_box(key, box, _CASE, hospital, task.name, patient))
    names = [column.name for column in task.columns]
    if not isinstance(fields, list) or fields[:2] != [_CASE, names] or len(fields) != 4:
        raise EncodingError(f"expected a case of {task.name}")
    return struct.unpack(f">{len(names)}d", fields[2]), fields[3]


def _read(session: Session, patient: str, secret: bytes) -> tuple[Consent, list[tuple[Entry, int]]]:
    """What the patient agreed to last, and what was added, each with who added it."""
    versions = select(PatientVersionRow).filter_by(patient_id=patient)
    newest = session.scalars(versions.order_by(PatientVersionRow.version.desc())).first()
    added = select(PatientEntryRow).filter_by(patient_id=patient).order_by(PatientEntryRow.id)
    entries = [(open_entry(row, secret), row.made_by) for row in session.scalars(added)]
    if newest is None:
        return Consent(), entries
    return open_version(newest, secret).consent, entries


def _agreed(consent: Consent) -> bool:
    return consent.training == AGREED and consent.recording != REFUSED


def _latest(entries: Sequence[tuple[Entry, int]]) -> dict[str, Confirmed]:
    """By an answer's reference, the diagnosis that was recorded last; in the order of recording."""
    answers = {one.reference: one for one, _ in entries if isinstance(one, Answer)}
    latest: dict[str, Confirmed] = {}
    for entry, by in entries:
        if isinstance(entry, Outcome) and entry.answer in answers:
            # Taken out first: the last one recorded is the last one in order.
            latest.pop(entry.answer, None)
            latest[entry.answer] = Confirmed(answers[entry.answer], entry.came, by)
    return latest


def _confirmed(entries: Sequence[tuple[Entry, int]]) -> dict[str, Confirmed]:
    """By task, what was confirmed last: a patient is one case of a task."""
    known = (one for one in _latest(entries).values() if one.came != NOT_KNOWN)
    return {one.answer.task: one for one in known}


def _told(session: Session, one: Confirmed, consent: Consent, row: CaseRow | None) -> Standing:
    if not _agreed(consent):
        return Standing(None, "the patient has not agreed to it")
    if row is not None:
        return Standing(row.hospital)
    if not one.answer.inputs:
        return Standing(None, "the answer was kept before cases were made of answers")
    task = _task(one.answer.task)
    if task is None or _encode(task, one) is None:
        return Standing(None, "its values are not those that trainings of this task take now")
    hospital = find_hospital(session, one.by, DOCTOR)
    if hospital is None:
        return Standing(
            None,
            "whoever recorded it belongs to no hospital. Have an administrator set it, then record "
            "the diagnosis again",
        )
    if hospital not in hospitals_of(task):
        return Standing(None, f"{hospital} takes no part in trainings of this task")
    return Standing(None, "the hospital was set later. Record the diagnosis again to have it join")


def _cases_of(patient: str) -> Select[CaseRow]:
    return select(CaseRow).filter_by(patient_id=patient).order_by(CaseRow.task)


def _hospital(session: Session, one: Confirmed) -> str | None:
    """Where the doctor works who recorded it, if that hospital trains for the task."""
    hospital, task = find_hospital(session, one.by, DOCTOR), _task(one.answer.task)
    return hospital if task is not None and hospital in hospitals_of(task) else None


def _task(name: str) -> Task | None:
    try:
        return get_task(name)
    except UnknownTaskError:
        return None


def _encode(task: Task, one: Confirmed) -> bytes | None:
    """Columns, values and class, in the same room whatever they are; None where they do not fit."""
    values: Mapping[str, float] = dict(one.answer.inputs)
    names = [column.name for column in task.columns]
    if len(task.classes) != _CLASSES or not values or not set(values) <= set(names):
        return None
    row = struct.pack(f">{len(names)}d", *(values.get(name, np.nan) for name in names))
    return canonical(_CASE, list(names), row, int(one.came == TRUE))
