"""Sealed patients: what is held of them, who cares for them, what each doctor sees unopened.

A patient has a fresh scalar of P-256, shared with Feldman's scheme among the care group and thrown
away: a quorum of them has it again (see `app.services.openings`). The attributes lie under a key
that is derived from it. Each doctor of the group has a share and the minimum that daily work needs,
both sealed to the doctor's own key. docs/decisions/2026-11-22-records.md has the reasons.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.errors import RequestError
from app.models import CarerRow, DoctorKeyRow, PatientEntryRow, PatientRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.care_groups import able_doctors
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.patient_consent import REFUSED, Consent, check_consent, require_recording
from app.services.record_check import record_digest
from app.services.record_entries import Answer, Vitals
from app.services.record_sealing import (
    Attributes,
    Minimum,
    carer_row,
    commitments_bytes,
    commitments_of,
    open_minimum,
    seal_entry,
    seal_minimum,
    seal_version,
)
from app.services.record_shares import group_of, minimum_to_change
from app.services.record_steps import note_seal
from crypto.feldman import Commitments, deal, new_secret

# The smallest group that loses a doctor and still opens its records.
FEWEST_CARERS: Final = 3
MOST_CARERS: Final = 16
LONGEST: Final = 200
LONGEST_NOTES: Final = 4000
# Doctors of a care group, each with the key that is sealed to.
Group = list[tuple[UserRow, DoctorKeyRow]]

SEXES: Final = ("female", "male", "other", "not stated")


@dataclass(frozen=True)
class Carer:
    """A doctor of a care group; `able` while the doctor is active and the share's key not lost."""

    user: int
    name: str
    point: int
    able: bool


@dataclass(frozen=True)
class Patient:
    """A patient as a doctor of the care group sees it unopened."""

    id: str
    minimum: Minimum
    carers: tuple[Carer, ...]
    quorum: int
    created_at: datetime
    changed_at: datetime
    versions: int

    @property
    def short(self) -> str:
        """The beginning of the identifier, which people read to each other."""
        return self.id[:8]

    @property
    def able(self) -> int:
        """How many of the care group can open it together with others."""
        return sum(one.able for one in self.carers)


@dataclass(frozen=True)
class Dealt:
    """A key that was shared: the commitments as stored, a row a doctor, what the log says."""

    commitments: bytes
    escrow: bytes
    public: Commitments
    carers: list[CarerRow]
    details: dict[str, object]


class Patients:
    """The patients of one database."""

    def __init__(self, database: Database, audit: AuditLog, escrow: Escrow) -> None:
        self._database = database
        self._audit = audit
        self._escrow = escrow

    def colleagues(self, doctor: UserRow) -> list[UserRow]:
        """The active doctors who have a key, without the one who asks, by name."""
        with self._database.transaction() as session:
            return [row for row, _ in able_doctors(session) if row.id != doctor.id]

    def create(
        self, doctor: UserRow, attributes: Attributes, colleagues: Sequence[int], quorum: int
    ) -> str:
        """Seal a new patient among the doctor and the colleagues; its identifier.

        Raises RequestError, with what is wrong, and nothing is stored then.
        """
        check(attributes)
        require_recording(attributes.consent)
        with self._database.transaction() as session:
            group = choose_group(session, doctor, colleagues, quorum)
            identifier = secrets.token_hex(32)
            secret = new_secret()
            minimum = Minimum(attributes.initials)
            dealt = deal_to(group, self._escrow, quorum, identifier, secret, minimum)
            session.add(
                PatientRow(
                    id=identifier,
                    commitments=dealt.commitments,
                    escrow=dealt.escrow,
                    created_by=doctor.id,
                )
            )
            session.flush()
            session.add(seal_version(identifier, 1, secret, attributes, doctor.id))
            session.add_all(dealt.carers)
            session.flush()
            details = {**dealt.details, "digest": record_digest(session, identifier)}
            note_seal(session, doctor.id, identifier)
            self._audit.add(doctor, "record.sealed", identifier, details, session)
            return identifier

    def keep(self, doctor: UserRow, key: OpenKey, identifier: str, entry: Answer | Vitals) -> None:
        """Keep a model's answer, or vitals, with a patient, whose record stays closed.

        The care group sees an answer as what was asked last. Raises RequestError for who is not of
        it, and where the patient took the consent back.
        """
        with self._database.transaction() as session:
            own = minimum_to_change(session, identifier, doctor, key)
            if own.refused:
                require_recording(Consent(recording=REFUSED))
            row = session.get_one(PatientRow, identifier)
            sealed = seal_entry(identifier, commitments_of(row), entry)
            session.add(PatientEntryRow(patient_id=identifier, sealed=sealed, made_by=doctor.id))
            if isinstance(entry, Answer):
                minimum = replace(own, task=entry.title, result=entry.result)
                for carer, to in group_of(session, identifier):
                    carer.minimum = seal_minimum(identifier, to, minimum)
            session.flush()
            details = {"digest": record_digest(session, identifier)}
            action = "record.answer_kept" if isinstance(entry, Answer) else "record.vitals_kept"
            self._audit.add(doctor, action, identifier, details, session)

    def mine(self, doctor: UserRow, key: OpenKey) -> list[Patient]:
        """The patients in whose care group the doctor is and whose minimum the key opens."""
        query = select(PatientRow).join(CarerRow, CarerRow.patient_id == PatientRow.id)
        query = query.where(CarerRow.user_id == doctor.id, CarerRow.key_id == key.number)
        query = query.options(selectinload(PatientRow.carers), selectinload(PatientRow.versions))
        with self._database.transaction() as session:
            rows = session.scalars(query).all()
            known = _known(session, rows)
        return [_patient(row, known, doctor.id, key) for row in rows]

    def find(self, doctor: UserRow, key: OpenKey, identifier: str) -> Patient | None:
        """One of `mine`, or None: a stranger does not learn whether there is one."""
        with self._database.transaction() as session:
            carer = session.get(CarerRow, (identifier, doctor.id))
            if carer is None or carer.key_id != key.number:
                return None
            row = session.get_one(PatientRow, identifier)
            known = _known(session, [row])
            return _patient(row, known, doctor.id, key)


def check(attributes: Attributes) -> None:
    """Raise RequestError for attributes that cannot be kept."""
    if not attributes.family_name.strip() or not attributes.given_name.strip():
        raise RequestError("Enter the family name and the given name.")
    try:
        born = date.fromisoformat(attributes.born)
    except ValueError as error:
        raise RequestError("Enter the date of birth as year, month and day.") from error
    check_born(born)
    if attributes.sex not in SEXES:
        raise RequestError(f"Choose one of {', '.join(SEXES)}.")
    for name, value in vars(attributes).items():
        most = LONGEST_NOTES if name == "notes" else LONGEST
        if isinstance(value, str) and len(value) > most:
            raise RequestError(f"{name.replace('_', ' ')}: at most {most} characters.")
    check_consent(attributes.consent)


def check_born(born: date) -> None:
    """Raise RequestError for a date of birth that nobody can have."""
    if born > now().date() or born.year < 1880:
        raise RequestError("The date of birth cannot be right: check the year.")


def require_size(carers: int) -> None:
    """Raise RequestError for a group of too few or too many."""
    if carers < FEWEST_CARERS:
        raise RequestError(
            f"Choose at least {FEWEST_CARERS - 1} colleagues: with fewer, one lost key would lose "
            "the record."
        )
    if carers > MOST_CARERS:
        raise RequestError(f"Choose at most {MOST_CARERS - 1} colleagues.")


def require_quorum(carers: int, quorum: int) -> None:
    """Raise RequestError unless the quorum is a majority of the group, of two doctors or more."""
    if not (2 <= quorum <= carers and 2 * quorum > carers):
        low = max(2, carers // 2 + 1)
        raise RequestError(
            f"Of {carers} doctors {low} to {carers} can be asked for: a majority, so that no two "
            "groups open a record without each other."
        )


def deal_to(
    group: Group, escrow: Escrow, quorum: int, patient: str, secret: bytes, minimum: Minimum
) -> Dealt:
    """Share a patient's scalar among a group and the escrow, each share sealed to its holder."""
    points, last = range(1, len(group) + 1), len(group) + 1
    dealing = deal(secret, quorum - 1, [*points, last])
    return Dealt(
        escrow=escrow.seal(patient, last, dealing.shares[last]),
        commitments=commitments_bytes(dealing.commitments),
        public=dealing.commitments,
        carers=[
            carer_row(patient, row.id, key, point, dealing.shares[point], minimum)
            for point, (row, key) in zip(points, group, strict=True)
        ],
        details={"carers": [row.id for row, _ in group], "quorum": quorum},
    )


def choose_group(
    session: Session, doctor: UserRow, colleagues: Sequence[int], quorum: int
) -> Group:
    """The doctor, then the colleagues, each with the key that counts.

    Raises RequestError for a group that is too small or too large, for who cannot care for patients
    now, and for a quorum that is no majority.
    """
    able = {row.id: (row, key) for row, key in able_doctors(session)}
    wanted = [doctor.id, *sorted(set(colleagues) - {doctor.id})]
    require_size(len(wanted))
    if doctor.id not in able:
        raise RequestError("You have no key yet: sign in once with your password, then try again.")
    if not set(wanted) <= set(able):
        raise RequestError("Somebody whom you chose cannot care for patients now: choose again.")
    require_quorum(len(wanted), quorum)
    return [able[one] for one in wanted]


def _known(session: Session, rows: Sequence[PatientRow]) -> Mapping[int, tuple[str, set[int]]]:
    """Name of everybody in the care groups, and the numbers of the keys that can be used."""
    users = {carer.user_id for row in rows for carer in row.carers}
    able: dict[int, set[int]] = {}
    for row, key in able_doctors(session):
        able.setdefault(row.id, set()).add(key.id)
    query = select(UserRow.id, UserRow.name).where(UserRow.id.in_(users))
    return {user: (name, able.get(user, set())) for user, name in session.execute(query)}


def _patient(
    row: PatientRow, known: Mapping[int, tuple[str, set[int]]], doctor: int, key: OpenKey
) -> Patient:
    own = next(one for one in row.carers if one.user_id == doctor)
    newest = row.versions[-1]
    return Patient(
        id=row.id,
        minimum=open_minimum(own, key),
        carers=tuple(
            Carer(
                one.user_id, known[one.user_id][0], one.point, one.key_id in known[one.user_id][1]
            )
            for one in row.carers
        ),
        quorum=len(commitments_of(row)),
        created_at=row.created_at,
        changed_at=newest.made_at,
        versions=len(row.versions),
    )
