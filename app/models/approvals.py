"""Whose hospital somebody belongs to, and what its operators approve by hand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import ADDRESS, HASH, NAME, Base, Moment, now

SIGNATURE = 132  # 0x and the hexadecimal digits of 65 bytes


class StaffRow(Base):
    """The hospital to which a person belongs: an operator acts for it, a doctor works there.

    Its table has its name of the time when doctors belonged to none.
    """

    __tablename__ = "operators"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id"), primary_key=True, autoincrement=False
    )
    hospital: Mapped[str] = mapped_column(String(NAME), index=True)
    set_at: Mapped[datetime] = mapped_column(Moment, default=now)
    set_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class ApprovalRuleRow(Base):
    """Whether a hospital's trainings need an approval by hand; without a row they do not.

    `message` is the typed data (EIP-712, JSON) that an operator's `wallet` signed. A row is a
    change; the newest of a hospital counts.
    """

    __tablename__ = "approval_rules"
    __table_args__ = (UniqueConstraint("hospital", "issued"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    hospital: Mapped[str] = mapped_column(String(NAME))
    required: Mapped[bool] = mapped_column(Boolean)
    issued: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(SIGNATURE))
    wallet: Mapped[str] = mapped_column(String(ADDRESS))
    changed_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime] = mapped_column(Moment, default=now)


class ApprovalRow(Base):
    """What one hospital was asked about one training.

    `state` is waiting, approved, refused or dropped (the training ended before an answer). What
    was signed stands in `message` (EIP-712, JSON), `signature` and `wallet`.
    """

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("training_id", "hospital"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    training_id: Mapped[str] = mapped_column(String(HASH), ForeignKey("trainings.id"))
    hospital: Mapped[str] = mapped_column(String(NAME), index=True)
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    asked_at: Mapped[datetime] = mapped_column(Moment, default=now)
    reason: Mapped[str] = mapped_column(Text, default="")
    message: Mapped[str | None] = mapped_column(Text)
    signature: Mapped[str | None] = mapped_column(String(SIGNATURE))
    wallet: Mapped[str | None] = mapped_column(String(ADDRESS))
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
