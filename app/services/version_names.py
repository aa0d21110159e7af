"""What a model is called to people: "version 3 (b30004e2, round 5)" of its task.

A version is what a finished training ended with. Versions of a task are counted from 1 in the order
in which their trainings ended; training and round say where to look it up.
"""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.models import TrainingRow
from app.services.training_outcome import FINISHED

SHORT = 8


def version_name(number: int, training: str, made: int) -> str:
    """The name of a version: its number, its training's first digits, the round that made it."""
    return f"version {number} ({training[:SHORT]}, round {made})"


def versions_of(task: str) -> Select[TrainingRow]:
    """The finished trainings of a task that have a model, in their versions' order."""
    finished = select(TrainingRow).filter_by(task=task, state=FINISHED)
    with_model = finished.where(TrainingRow.model_sha256.is_not(None))
    return with_model.order_by(TrainingRow.ended_at, TrainingRow.id)


def version_numbers(session: Session, task: str) -> dict[str, int]:
    """The number of each version of a task by its training."""
    found = session.scalars(versions_of(task).with_only_columns(TrainingRow.id))
    return {training: number for number, training in enumerate(found, start=1)}
