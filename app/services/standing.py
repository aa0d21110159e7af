"""How a training stands, in one small query: what tells whether a part of its page is old."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, JobRow, TrainingRow
from app.stores.rounds import OPEN


class Standing(NamedTuple):
    """What people wish of a training and how many attempts began and ended; equal while neither
    changes.
    """

    state: str
    job: str | None
    stop_requested: bool | None
    pause_requested: bool | None
    attempts: int
    open_attempts: int


def standing_of(database: Database, training_id: str) -> Standing:
    """How a training stands. Raises RequestError when there is none such."""
    attempts = select(func.count()).where(AttemptRow.training_id == training_id)
    query = (
        select(
            TrainingRow.state,
            JobRow.state,
            JobRow.stop_requested,
            JobRow.pause_requested,
            attempts.scalar_subquery(),
            attempts.where(AttemptRow.state == OPEN).scalar_subquery(),
        )
        .outerjoin(JobRow, JobRow.training_id == TrainingRow.id)
        .where(TrainingRow.id == training_id)
    )
    with database.transaction() as session:
        row = session.execute(query).first()
    if row is None:
        raise RequestError("There is no such training in this installation.")
    return Standing(*row)
