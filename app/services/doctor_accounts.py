"""Doctors' accounts on the chain: one for each P-256 key, and sealed to it.

So an account opens with its doctor's password only, as everything that is sealed to the doctor
does: while the session has the key open, the server signs in the doctor's name, and not else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import DoctorAccountRow, DoctorKeyRow, UserRow
from app.services.audit import AuditLog
from crypto.box import open_box, seal_box
from crypto.envelope import PrivateKey, load_public_key
from crypto.errors import SealError

_LABEL: Final = "consilium/doctor-account/v1"


def make_missing(session: Session, audit: AuditLog, person: UserRow, key: DoctorKeyRow) -> None:
    """An account for a doctor's key that has none yet, in the caller's transaction."""
    if session.get(DoctorAccountRow, key.id) is not None:
        return
    account: LocalAccount = Account.create()
    to = load_public_key(bytes.fromhex(key.public_key))
    sealed = seal_box(to, bytes(account.key), _LABEL, key.id, account.address)
    session.add(DoctorAccountRow(key_id=key.id, address=account.address, sealed=sealed))
    session.flush()
    details = {"account": account.address, "public_key": key.public_key}
    audit.add(person, "doctor_account.made", person.email, details, session)


def open_account(session: Session, number: int, private: PrivateKey) -> LocalAccount | None:
    """The account of the key of this number, opened with it; None before it has one.

    Raises SealError for one that was altered.
    """
    row = session.get(DoctorAccountRow, number)
    if row is None:
        return None
    opened: LocalAccount = Account.from_key(
        open_box(private, row.sealed, _LABEL, row.key_id, row.address)
    )
    if opened.address != row.address:
        raise SealError(f"the account of key {row.key_id} is another one")
    return opened


def addresses_of(session: Session, keys: Sequence[int]) -> list[str] | None:
    """The accounts of keys, in their order; None while one of them has none."""
    query = select(DoctorAccountRow).where(DoctorAccountRow.key_id.in_(keys))
    found = {row.key_id: row.address for row in session.scalars(query)}
    return [found[one] for one in keys] if set(found) == set(keys) else None
