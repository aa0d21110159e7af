"""Second looks that rejected hospitals asked for, and what administrators said of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import HASH, NAME, Base, Moment, now
from app.models.ledger import TRANSACTION


class AppealRow(Base):
    """A hospital's appeal against its rejection in a finalised round.

    `state` is waiting (for the worker, which opens the commitment and writes it on the ledger),
    open, upheld, dismissed, or refused, for the `problem` that is told. The ledger holds
    `reason_sha256`, over `salt` and `reason`. `update_salt` and `update_content` (the update's
    SHA-256) open the update's hash on the ledger; None before the worker looked. `decided_block` is
    the block of the decision, `transaction` the one in which the hospital appealed.
    """

    __tablename__ = "appeals"
    __table_args__ = (UniqueConstraint("training_id", "round", "hospital"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    training_id: Mapped[str] = mapped_column(String(HASH), ForeignKey("trainings.id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    hospital: Mapped[str] = mapped_column(String(NAME), index=True)
    reason: Mapped[str] = mapped_column(Text)
    salt: Mapped[str] = mapped_column(String(HASH))
    reason_sha256: Mapped[str] = mapped_column(String(HASH))
    update_salt: Mapped[str | None] = mapped_column(String(HASH))
    update_content: Mapped[str | None] = mapped_column(String(HASH))
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    decided_block: Mapped[int | None] = mapped_column(Integer)
    transaction: Mapped[str | None] = mapped_column(String(TRANSACTION))
    asked_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime] = mapped_column(Moment, default=now)

    opinions: Mapped[list[OpinionRow]] = relationship(order_by="OpinionRow.id")


class OpinionRow(Base):
    """What an administrator said of an appeal: `upheld`, or that it is dismissed, and why.

    `state` is waiting (for the worker), done, or refused, for the `problem` that is told. `account`
    is the one of the installation's two that said it on the ledger, in `transaction`.
    """

    __tablename__ = "appeal_opinions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    appeal_id: Mapped[int] = mapped_column(ForeignKey("appeals.id"), index=True)
    upheld: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    salt: Mapped[str] = mapped_column(String(HASH))
    reason_sha256: Mapped[str] = mapped_column(String(HASH))
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    account: Mapped[str | None] = mapped_column(String(42))
    transaction: Mapped[str | None] = mapped_column(String(TRANSACTION))
    decided_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime] = mapped_column(Moment, default=now)
