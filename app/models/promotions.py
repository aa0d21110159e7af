"""Which models were put into use, by whom and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import HASH, NAME, Base, Moment, now
from app.models.ledger import TRANSACTION


class PromotionRow(Base):
    """A model that is put into use: what `training_id` ended with after `rounds` rounds.

    `state` is waiting (for the worker, which writes it on the ledger), done, or refused, for the
    `problem` that is told. `back` tells that the model was in use before. The ledger holds
    `reason_sha256`, over `salt` and `reason`; `position` is the place among the task's promotions
    there, from 0, and `transaction` wrote it. Without `asked_by` nobody asked: it is the first of
    its task.
    """

    __tablename__ = "promotions"
    __table_args__ = (UniqueConstraint("deployment_id", "task", "position"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    task: Mapped[str] = mapped_column(String(NAME), index=True)
    training_id: Mapped[str] = mapped_column(String(HASH), ForeignKey("trainings.id"), index=True)
    model_sha256: Mapped[str] = mapped_column(String(HASH))
    rounds: Mapped[int] = mapped_column(Integer)
    back: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    salt: Mapped[str] = mapped_column(String(HASH))
    reason_sha256: Mapped[str] = mapped_column(String(HASH))
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int | None] = mapped_column(Integer)
    transaction: Mapped[str | None] = mapped_column(String(TRANSACTION))
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime] = mapped_column(Moment, default=now)
