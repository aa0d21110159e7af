"""People's roles on the ledger: who is doctor or auditor here, with a wallet, is so there, too.

A decision is taken in the database, with its entry in the audit log; the registry follows. What it
should hold is computed anew each time, so that nothing is forgotten when the chain was away. A
hospital's operator acts by the hospital's own account, and an administrator of the application is
none of the registry: those are two keys of the installation. A doctor has the role for the account
beside the own key, too, which signs what is done with sealed records.
"""

from __future__ import annotations

from typing import Final

from eth_utils.address import to_checksum_address
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    DoctorAccountRow,
    DoctorKeyRow,
    LedgerRoleRow,
    RecordTransactionRow,
    UserRow,
    WalletRow,
)
from app.services.accounts import ACTIVE
from app.services.check_report import NOTHING, Report
from app.services.roles import AUDITOR, DOCTOR
from app.services.wallets import AUTHORISED
from contracts.members import Members
from contracts.records import Permission
from contracts.registry import Registry

PERMISSIONS: Final = {DOCTOR: Permission.DOCTOR, AUDITOR: Permission.AUDITOR}

# An account and the role that it holds.
Held = tuple[str, str]


class LedgerRoles:
    """What the registry of a deployment holds of people's roles, and what it should hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_work(self, deployment: int | None) -> bool:
        """Whether the registry has to follow a decision; of an unknown deployment, perhaps."""
        with self._database.transaction() as session:
            wanted = _wanted(session)
            if deployment is None:
                return bool(wanted) or session.scalars(select(LedgerRoleRow)).first() is not None
            return wanted != _held(session, deployment)

    def standing(self) -> dict[str, list[str]]:
        """The roles that each account was granted on a ledger and not deprived of since."""
        found: dict[str, list[str]] = {}
        with self._database.transaction() as session:
            for row in session.scalars(select(LedgerRoleRow).order_by(LedgerRoleRow.role)):
                found.setdefault(row.account, []).append(row.role)
        return found

    def bring_up(self, deployment: int, registry: Registry) -> int:
        """Grant and revoke what is missing; how many were. Calling again is safe.

        Raises ChainUnreachable, and Refused for another account than an administrator's.
        """
        with self._database.transaction() as session:
            wanted, held = _wanted(session), _held(session, deployment)
        # Noted after it stands there: a kill in between grants again, which changes nothing.
        for account, role in sorted(wanted - held):
            registry.grant(PERMISSIONS[role], account)
            with self._database.transaction() as session:
                session.merge(LedgerRoleRow(deployment_id=deployment, account=account, role=role))
        for account, role in sorted(held - wanted):
            registry.revoke(PERMISSIONS[role], account)
            noted = delete(LedgerRoleRow).filter_by(deployment_id=deployment)
            with self._database.transaction() as session:
                session.execute(noted.filter_by(account=account, role=role))
        return len(wanted ^ held)


def check_roles(report: Report, session: Session, deployment: int, registry: Registry) -> None:
    """Compare the roles that are noted as granted with those that the registry's events grant."""
    holders = Members.of(registry.history()).holders
    expected = {
        (to_checksum_address(account), role)
        for role, permission in PERMISSIONS.items()
        for account in holders.get(permission.value, ())
    }
    held = _held(session, deployment)
    for one in sorted(expected | held):
        account, role = one
        told = ("granted" if one in known else NOTHING for known in (expected, held))
        report.compare(f"role {role} of {account}", *told)


def _wanted(session: Session) -> set[Held]:
    query = (
        select(WalletRow.address, UserRow.role)
        .join(UserRow, UserRow.id == WalletRow.user_id)
        .where(WalletRow.state == AUTHORISED, UserRow.state == ACTIVE)
        .where(UserRow.role.in_(PERMISSIONS))
    )
    wallets = {(address, role) for address, role in session.execute(query) if role}
    return wallets | {(address, DOCTOR) for address in _doctors_accounts(session)}


def _doctors_accounts(session: Session) -> set[str]:
    """The accounts of doctors' keys, and those of which something signed still has to be sent."""
    accounts = (
        select(DoctorAccountRow.address)
        .join(DoctorKeyRow, DoctorKeyRow.id == DoctorAccountRow.key_id)
        .join(UserRow, UserRow.id == DoctorKeyRow.user_id)
        .where(DoctorKeyRow.lost_at.is_(None))
        .where(UserRow.state == ACTIVE, UserRow.role == DOCTOR)
    )
    waiting = select(RecordTransactionRow.account).filter_by(outcome="")
    return set(session.scalars(accounts)) | set(session.scalars(waiting))


def _held(session: Session, deployment: int) -> set[Held]:
    query = select(LedgerRoleRow).filter_by(deployment_id=deployment)
    return {(row.account, row.role) for row in session.scalars(query)}
