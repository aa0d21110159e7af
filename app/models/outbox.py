"""Transactions that were signed and written down before they were sent: `contracts.outbox`."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import ADDRESS, HASH, Base, Bytes


class OutgoingRow(Base):
    """A signed transaction of an account, for the chain whose first block has `genesis_hash`.

    Everything in it is public once it was sent.
    """

    __tablename__ = "outbox"

    genesis_hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    account: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    nonce: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    intent: Mapped[str] = mapped_column(String(HASH))
    transaction: Mapped[str] = mapped_column(String(66))
    raw: Mapped[bytes] = mapped_column(Bytes)
