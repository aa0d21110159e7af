"""Operators: each acts for one hospital, which an administrator sets; a hospital may have several.

An operator counts while the account is active in that role. What an operator signs counts while
the wallet that signed is linked to the account and authorised.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import OperatorRow, PartyRow, UserRow, WalletRow
from app.models.base import now
from app.services.accounts import ACTIVE
from app.services.audit import AuditLog
from app.services.federation import HOSPITAL
from app.services.roles import OPERATOR
from app.services.wallets import AUTHORISED
from fl.datasets import get_task, task_names
from fl.datasets.partition import MOST, hospital_names

_NO_HOSPITAL: Final = (
    "No administrator has said yet for which hospital you act. Ask for it, then come back."
)
_NO_WALLET: Final = (
    "You sign with a wallet: link one to your account and have an administrator authorise it."
)


class Operators:
    """The operators of one database; every change is one transaction with its audit entry."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def assign(self, admin: UserRow, user_id: int, hospital: str) -> UserRow:
        """Let an operator act for a hospital from now on.

        Raises RequestError for an unknown hospital, and for somebody who is no active operator.
        """
        with self._database.transaction() as session:
            if hospital not in _known(session):
                raise RequestError("Choose one of the federation’s hospitals.")
            person = session.get(UserRow, user_id)
            if person is None or (person.state, person.role) != (ACTIVE, OPERATOR):
                raise RequestError("Only a hospital operator acts for a hospital. Reload the page.")
            row = session.get(OperatorRow, user_id) or OperatorRow(user_id=user_id)
            row.hospital, row.set_at, row.set_by = hospital, now(), admin.id
            session.add(row)
            self._audit.add(
                admin, "operator.assigned", person.email, {"hospital": hospital}, session
            )
            return person

    def find(self, user_id: int) -> str | None:
        """The hospital for which a person may act now, or None."""
        with self._database.transaction() as session:
            return find_hospital(session, user_id)

    def everyone(self) -> dict[int, str]:
        """The hospital of each person who was ever given one, by the person's id."""
        with self._database.transaction() as session:
            return {row.user_id: row.hospital for row in session.scalars(select(OperatorRow))}

    def hospitals(self) -> list[str]:
        """The hospitals that an operator can be given, by name."""
        with self._database.transaction() as session:
            return sorted(_known(session))


def find_hospital(session: Session, user_id: int) -> str | None:
    """The hospital for which a person may act now, or None."""
    return session.scalar(_acting(OperatorRow.hospital).where(UserRow.id == user_id))


def get_signer(session: Session, user_id: int) -> tuple[str, str]:
    """The hospital and the wallet with which a person signs for it. Raises RequestError."""
    hospital = find_hospital(session, user_id)
    if hospital is None:
        raise RequestError(_NO_HOSPITAL)
    query = select(WalletRow.address).filter_by(user_id=user_id, state=AUTHORISED)
    wallet = session.scalar(query)
    if wallet is None:
        raise RequestError(_NO_WALLET)
    return hospital, wallet


def may_sign(session: Session, hospital: str, wallet: str) -> bool:
    """Whether this is now the authorised wallet of an active operator of the hospital."""
    query = _acting(OperatorRow.hospital).join(WalletRow, WalletRow.user_id == UserRow.id)
    query = query.where(WalletRow.address == wallet, WalletRow.state == AUTHORISED)
    return session.scalar(query) == hospital


def _acting(*columns: object) -> Select[str]:
    query: Select[str] = select(*columns)  # type: ignore[call-overload]
    return query.join(UserRow, UserRow.id == OperatorRow.user_id).where(
        UserRow.state == ACTIVE, UserRow.role == OPERATOR
    )


def _known(session: Session) -> set[str]:
    """Hospitals of the tasks, also of those that were not trained yet, and enrolled ones."""
    names = set(session.scalars(select(PartyRow.name).filter_by(role=HOSPITAL)))
    for task in map(get_task, task_names()):
        names.update(task.hospitals or hospital_names(MOST))
        names.update(task.joined)
    return names
