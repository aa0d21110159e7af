"""Trainings that were asked for, and where each party of a running one is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NAME, Base, Moment, now


class JobRow(Base):
    """A training that was asked for. `state` is queued, running, paused, done, failed, stopped, or
    awaiting: its training waits for approvals by hand.

    `request` is the JSON of what was asked; the worker makes the plan and sets `training_id`.
    A worker owns a running job until `lease_expires`; `resumed_at` is when another took it over, or
    when it went on after a pause. `paused_at` is when it was paused last.
    """

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    request: Mapped[str] = mapped_column(Text)
    training_id: Mapped[str | None] = mapped_column(ForeignKey("trainings.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    resumed_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    lease_owner: Mapped[str | None] = mapped_column(String(NAME))
    lease_expires: Mapped[datetime | None] = mapped_column(Moment)
    heartbeat_at: Mapped[datetime | None] = mapped_column(Moment)
    stop_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    pause_requested: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    paused_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str] = mapped_column(Text, default="")


class PartyProgressRow(Base):
    """The step that a party is at; one row a party. `app.services.progress` has the states."""

    __tablename__ = "party_progress"
    __table_args__ = (UniqueConstraint("training_id", "party"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id"), index=True)
    party: Mapped[str] = mapped_column(String(NAME))
    role: Mapped[str] = mapped_column(String(20))
    round: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(NAME))
    state: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment, default=now)
