"""Files of patients that a doctor has predictions made for, while they wait and for some days.

What is of a patient lies in boxes that only the doctor's own key opens or makes
(`crypto.own_box`). What shows is who asked, for which task, for how many rows, and when.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import HASH, NAME, Base, Bytes, Moment, now


class BatchRow(Base):
    """A file that was sent. `about` is sealed: how it was read, and which rows were refused.

    `rows` counts those that can be predicted, `unusual` says whether those with unusual values are.
    The model is that of all answers; None before the first. `until` is when all of it is erased.
    """

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("doctor_keys.id"))
    task: Mapped[str] = mapped_column(String(NAME))
    rows: Mapped[int] = mapped_column(Integer)
    about: Mapped[bytes] = mapped_column(Bytes)
    unusual: Mapped[bool] = mapped_column(Boolean, default=False)
    model_sha256: Mapped[str | None] = mapped_column(String(HASH))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment, index=True)


class BatchPieceRow(Base):
    """Some of a batch's rows, sealed, and the answers for them once there are some."""

    __tablename__ = "batch_pieces"

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    rows: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[bytes] = mapped_column(Bytes)
    answers: Mapped[bytes | None] = mapped_column(Bytes)
