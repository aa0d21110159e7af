"""What a hospital's operator reads of the own hospital: its account and key, its submissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import AttemptRow, PartyRow, SubmissionRow, TrainingRow
from app.services.federation import HOSPITAL
from app.services.round_names import round_title
from app.services.tables import Column, Table
from app.services.verdicts import Measure, findings
from app.stores.rounds import FINALISED
from contracts.records import DONATION
from fl.datasets import get_task, task_names

_COLUMNS = (
    Column("training", "Training"),
    Column("task", "Task"),
    Column("round", "Round"),
    Column("at", "When", meaning="UTC, when the round began"),
    Column("verdict", "Verdict", "verdict"),
    Column("reason", "Reason", "sentence", "why it was rejected or refused"),
    Column("statistic", "Statistic", "figure", "balanced accuracy as opened: rounded down"),
    Column("threshold", "Threshold", "figure", "what had to be reached, as coarse as opened"),
    Column("rows", "Rows", "number", "patients trained on, or rows donated, as declared"),
    Column("weight", "Weight", "number", "with which it counts in the sum"),
    Column("update", "Update's hash", "hash", "what the hospital committed to"),
    Column("transaction", "Transaction", "transaction"),
)


@dataclass(frozen=True)
class Party:
    """A hospital's account on the chain and its P-256 key (hex), as last enrolled."""

    account: str
    public_key: str


def find_party(database: Database, hospital: str) -> Party | None:
    """The hospital's account and key; None before its first training."""
    with database.transaction() as session:
        query = select(PartyRow).filter_by(name=hospital, role=HOSPITAL)
        row = session.scalars(query).one_or_none()
        return Party(row.account, row.public_key) if row else None


def tasks_of(hospital: str) -> list[str]:
    """The tasks whose data sets name the hospital; dealt ones have it only as they are dealt."""
    tasks = map(get_task, task_names())
    return [task.name for task in tasks if hospital in (*task.hospitals, *task.joined)]


def submissions_table(database: Database, hospital: str) -> Table:
    """Every submission of a hospital to a finalised round, the newest first."""
    with database.transaction() as session:
        rows = tuple(_rows(session, hospital))
    return Table(
        name="submissions",
        title=f"Submissions of {hospital}",
        about=(
            f"What {hospital} submitted to every finalised round, the statistics and the donated "
            "rows among them, and what the nodes made of it."
        ),
        columns=_COLUMNS,
        rows=rows,
    )


def _rows(session: Session, hospital: str) -> Sequence[tuple[Any, ...]]:
    query = (
        select(SubmissionRow, AttemptRow, TrainingRow)
        .join(AttemptRow, AttemptRow.id == SubmissionRow.attempt_id)
        .join(TrainingRow, TrainingRow.id == AttemptRow.training_id)
        .where(SubmissionRow.hospital == hospital, AttemptRow.state == FINALISED)
        .order_by(AttemptRow.started_at.desc(), AttemptRow.id.desc())
    )
    measures: dict[str, Measure | None] = {}
    rows = []
    for submission, attempt, training in session.execute(query):
        if training.id not in measures:
            measures[training.id] = Measure.find(training.plan)
        found = findings(submission, measures[training.id])
        rows.append(
            (
                training.id,
                training.task,
                round_title(attempt.round),
                attempt.started_at.isoformat(timespec="seconds"),
                found["verdict"],
                found["reason"],
                found["balanced_accuracy"],
                found["threshold"],
                submission.samples,
                None if attempt.round == DONATION else submission.weight,
                submission.update_sha256,
                submission.transaction,
            )
        )
    return rows
