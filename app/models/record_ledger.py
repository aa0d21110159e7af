"""What doctors put on the ledger of sealed records: their accounts, their steps, what they signed.

Nothing here tells anything of a patient: digests, identifiers that were drawn, and who acted.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import ADDRESS, HASH, Base, Bytes, Moment, now


class DoctorAccountRow(Base):
    """The account on the chain that belongs to a doctor's P-256 key.

    Its private key is `sealed` to that key, and so opens with the doctor's password only.
    """

    __tablename__ = "doctor_accounts"

    key_id: Mapped[int] = mapped_column(ForeignKey("doctor_keys.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(ADDRESS), unique=True)
    sealed: Mapped[bytes] = mapped_column(Bytes)
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class RecordStepRow(Base):
    """What a doctor did with a sealed record, to be told to the ledger: `kind` is the call.

    `record` is the digest under which the ledger knows the record (hexadecimal), `opening_id` is
    empty for a sealing. `details` is JSON: see `app.services.record_steps`.
    """

    __tablename__ = "record_steps"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    opening_id: Mapped[str] = mapped_column(String(HASH), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    record: Mapped[str] = mapped_column(String(HASH))
    details: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class RecordTransactionRow(Base):
    """A step's transaction, signed in the doctor's name; they are sent in the order of `id`.

    `outcome` is empty while it waits, then done, refused, or overtaken: another transaction had its
    number, and the step is signed again.
    """

    __tablename__ = "record_transactions"
    __table_args__ = (UniqueConstraint("genesis_hash", "account", "nonce"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("record_steps.id"), index=True)
    genesis_hash: Mapped[str] = mapped_column(String(HASH))
    account: Mapped[str] = mapped_column(String(ADDRESS))
    nonce: Mapped[int] = mapped_column(BigInteger)
    transaction: Mapped[str] = mapped_column(String(66))
    raw: Mapped[bytes] = mapped_column(Bytes)
    outcome: Mapped[str] = mapped_column(String(20), default="", index=True)


class RecordChainRow(Base):
    """What signing needs to know of a deployment's chain, as the worker found it.

    `contract` is that of the sealed records; `gas_price` is in wei.
    """

    __tablename__ = "record_chains"

    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    contract: Mapped[str] = mapped_column(String(ADDRESS))
    gas_price: Mapped[int] = mapped_column(BigInteger)
