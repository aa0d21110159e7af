"""Who belongs to which hospital: its operators act for it, its doctors work there.

An administrator sets it. An operator counts while the account is active in that role, a doctor as
well; somebody belongs to one hospital, a hospital may have several of both.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import PartyRow, StaffRow, UserRow
from app.models.base import now
from app.services.accounts import ACTIVE
from app.services.audit import AuditLog
from app.services.federation import HOSPITAL
from app.services.roles import DOCTOR, OPERATOR
from fl.datasets import Task, get_task, task_names
from fl.datasets.partition import MOST, hospital_names

# Who belongs to a hospital, and what the audit log says of it.
STAFF: Final = {OPERATOR: "operator.assigned", DOCTOR: "doctor.assigned"}


class Staff:
    """The hospitals' people in one database; a change is one transaction with its audit entry."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def assign(self, admin: UserRow, user_id: int, hospital: str) -> UserRow:
        """Let an operator act for a hospital, or a doctor work there, from now on.

        Raises RequestError for an unknown hospital, and for somebody who is neither now.
        """
        with self._database.transaction() as session:
            if hospital not in _known(session):
                raise RequestError("Choose one of the federation’s hospitals.")
            person = session.get(UserRow, user_id)
            if person is None or person.state != ACTIVE or person.role not in STAFF:
                raise RequestError(
                    "Only hospital operators and doctors belong to a hospital. Reload the page."
                )
            row = session.get(StaffRow, user_id) or StaffRow(user_id=user_id)
            row.hospital, row.set_at, row.set_by = hospital, now(), admin.id
            session.add(row)
            details = {"hospital": hospital}
            self._audit.add(admin, STAFF[person.role], person.email, details, session)
            return person

    def find(self, user_id: int) -> str | None:
        """The hospital for which a person may act now, or None."""
        with self._database.transaction() as session:
            return find_hospital(session, user_id)

    def everyone(self) -> dict[int, str]:
        """The hospital of each person who was ever given one, by the person's id."""
        with self._database.transaction() as session:
            return {row.user_id: row.hospital for row in session.scalars(select(StaffRow))}

    def hospitals(self) -> list[str]:
        """The hospitals that somebody can belong to, by name."""
        with self._database.transaction() as session:
            return sorted(_known(session))


def find_hospital(session: Session, user_id: int, role: str = OPERATOR) -> str | None:
    """The hospital of a person who is active in this role now, or None."""
    return session.scalar(of_staff(role, StaffRow.hospital).where(UserRow.id == user_id))


def of_staff(role: str, *columns: object) -> Select[str]:
    """A query of columns of those who belong to hospitals and are active in this role."""
    query: Select[str] = select(*columns)  # type: ignore[call-overload]
    return query.join(UserRow, UserRow.id == StaffRow.user_id).where(
        UserRow.state == ACTIVE, UserRow.role == role
    )


def _known(session: Session) -> set[str]:
    """Hospitals of the tasks, also of those that were not trained yet, and enrolled ones."""
    names = set(session.scalars(select(PartyRow.name).filter_by(role=HOSPITAL)))
    for task in map(get_task, task_names()):
        names.update(hospitals_of(task))
    return names


def hospitals_of(task: Task) -> set[str]:
    """Every hospital that trainings of a task may have."""
    return {*(task.hospitals or hospital_names(MOST)), *task.joined}
