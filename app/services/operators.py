"""Operators: what one signs counts for the hospital, while the wallet is linked and authorised."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import RequestError
from app.models import StaffRow, UserRow, WalletRow
from app.services.roles import OPERATOR
from app.services.staff import find_hospital, of_staff
from app.services.wallets import AUTHORISED

_NO_HOSPITAL: Final = (
    "No administrator has said yet for which hospital you act. Ask for it, then come back."
)
_NO_WALLET: Final = (
    "You sign with a wallet: link one to your account and have an administrator authorise it."
)


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
    query = of_staff(OPERATOR, StaffRow.hospital)
    query = query.join(WalletRow, WalletRow.user_id == UserRow.id)
    query = query.where(WalletRow.address == wallet, WalletRow.state == AUTHORISED)
    return session.scalar(query) == hospital
