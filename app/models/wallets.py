"""Wallets that people linked to their accounts, and the nonces of messages to be signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import ADDRESS, HASH, Base, Moment, now


class WalletRow(Base):
    """A person's wallet. `state` is asked, authorised or withdrawn; the last two are decisions.

    A person has one wallet, and a wallet one person. Another address is another row.
    """

    __tablename__ = "wallets"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), unique=True)
    address: Mapped[str] = mapped_column(String(ADDRESS), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="asked")
    linked_at: Mapped[datetime] = mapped_column(Moment, default=now)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class WalletNonceRow(Base):
    """A nonce that was given out and not used yet; using it deletes the row.

    `purpose` is what the message is for, `browser_sha256` the hash of a secret that only the
    browser's session holds which asked for the message.
    """

    __tablename__ = "wallet_nonces"

    nonce_sha256: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    browser_sha256: Mapped[str] = mapped_column(String(HASH))
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class LedgerRoleRow(Base):
    """A person's role that a deployment's registry holds: its account is the person's wallet."""

    __tablename__ = "ledger_roles"

    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    account: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    granted_at: Mapped[datetime] = mapped_column(Moment, default=now)
