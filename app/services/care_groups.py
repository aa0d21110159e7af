"""Who of the care groups can still lend a share, and which records want new ones.

A doctor cannot any more when the account is locked or has another role, or when the key that the
share is sealed to was lost with the password.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session, aliased

from app.models import CarerRow, DoctorKeyRow, PatientRow, ResharingRecordRow, UserRow
from app.services.accounts import ACTIVE
from app.services.open_keys import OpenKey
from app.services.record_sealing import commitments_of
from app.services.roles import DOCTOR
from crypto.errors import EncodingError

# States of a record in a resharing: it waits for parts; it has its new shares; somebody's part was
# wrong; or its care group became another one meanwhile.
ASKED, DONE, WRONG, DROPPED = "asked", "done", "wrong", "dropped"

# Of a doctor and the key of the share, joined: whether the share cannot be lent any more.
UNABLE: Final = or_(
    DoctorKeyRow.lost_at.is_not(None),
    UserRow.state != ACTIVE,
    UserRow.role.is_(None),
    UserRow.role != DOCTOR,
)


@dataclass(frozen=True)
class Member:
    """A doctor of a record's care group; `able` is whether the share can still be lent."""

    carer: CarerRow
    user: UserRow
    key: DoctorKeyRow

    @property
    def able(self) -> bool:
        """Whether the doctor is active and has the key of the share."""
        return self.key.lost_at is None and self.is_doctor

    @property
    def is_doctor(self) -> bool:
        """Whether the person is an active doctor."""
        return self.user.state == ACTIVE and self.user.role == DOCTOR


@dataclass(frozen=True)
class Need:
    """A record that wants new shares: whose are out of reach, how many doctors can still help.

    `group` are all of its doctors; `pending` is whether parts are being dealt already.
    """

    patient: str
    group: tuple[int, ...]
    gone: tuple[int, ...]
    quorum: int
    pending: bool

    @property
    def able(self) -> int:
        """How many can deal a part."""
        return len(self.group) - len(self.gone)

    @property
    def enough(self) -> bool:
        """Whether they are enough."""
        return self.able >= self.quorum


def members(session: Session, patient: str) -> list[Member]:
    """The care group of a record, by point."""
    query = (
        select(CarerRow, UserRow, DoctorKeyRow)
        .join(UserRow, UserRow.id == CarerRow.user_id)
        .join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
        .where(CarerRow.patient_id == patient)
        .order_by(CarerRow.point)
    )
    return [Member(carer, user, key) for carer, user, key in session.execute(query)]


def find_needs(session: Session, doctor: UserRow, key: OpenKey) -> list[Need]:
    """The records of the doctor that want new shares, by their identifiers."""
    mine = aliased(CarerRow)
    wanting = (
        select(CarerRow.patient_id, CarerRow.user_id)
        .join(mine, mine.patient_id == CarerRow.patient_id)
        .join(UserRow, UserRow.id == CarerRow.user_id)
        .join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
        .where(mine.user_id == doctor.id, mine.key_id == key.number, UNABLE)
    )
    gone = _by_patient(session.execute(wanting))
    if not gone:
        return []
    affected = wanting.with_only_columns(CarerRow.patient_id)
    carers = select(CarerRow.patient_id, CarerRow.user_id)
    group = _by_patient(session.execute(carers.where(CarerRow.patient_id.in_(affected))))
    asked = select(ResharingRecordRow.patient_id).filter_by(state=ASKED)
    pending = set(session.scalars(asked.where(ResharingRecordRow.patient_id.in_(affected))))
    rows = session.scalars(
        select(PatientRow).where(PatientRow.id.in_(affected)).order_by(PatientRow.id)
    )
    return [
        Need(row.id, tuple(group[row.id]), tuple(gone[row.id]), quorum_of(row), row.id in pending)
        for row in rows
    ]


def quorum_of(row: PatientRow) -> int:
    """How many doctors open it; more than any group has where the commitments were altered."""
    try:
        return len(commitments_of(row))
    except EncodingError:
        return 10**6


def able_doctors(session: Session) -> list[tuple[UserRow, DoctorKeyRow]]:
    """The active doctors who have a key, each with it, by name."""
    query = (
        select(UserRow, DoctorKeyRow)
        .join(DoctorKeyRow, DoctorKeyRow.user_id == UserRow.id)
        .where(UserRow.role == DOCTOR, UserRow.state == ACTIVE, DoctorKeyRow.lost_at.is_(None))
        .order_by(UserRow.name, UserRow.id)
    )
    return [(row, key) for row, key in session.execute(query)]


def _by_patient(pairs: Iterable[Row[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for patient, user in pairs:
        found.setdefault(patient, []).append(user)
    return found
