"""What lists and the header show of trainings and parties, in few queries; nothing is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import AttemptRow, JobRow, PartyRow, TrainingRow, UserRow
from app.services.attack_names import attack_titles
from app.services.jobs import OPEN, PAUSED, QUEUED, RUNNING
from app.services.requests import TrainingRequest
from app.services.trainings import FAILED
from app.services.unopened import AWAITING, UNOPENED
from app.stores.rounds import FINALISED
from contracts.records import DONATION
from fl.datasets import get_task
from fl.federated_training import STOPPED as STOPPED_REASON


@dataclass(frozen=True)
class TrainingLine:
    """A training in a list: one that ran or runs, or (`training` None) one that only waits.

    `state` is queued, awaiting, running, paused, finished, stopped, refused or failed; `round` is
    the last finished one. `attack` is the title of the attack that it simulates.
    """

    training: str | None
    job: int | None
    task: str
    state: str
    reason: str
    rounds: int | None
    round: int
    seed: int
    accuracy: float | None
    started_at: datetime
    ended_at: datetime | None
    requested_by: str | None
    attack: str | None

    @property
    def title(self) -> str:
        """What is learnt."""
        return get_task(self.task).title

    @property
    def short(self) -> str:
        """What the training is called: its first digits, or the number of its job."""
        return self.training[:8] if self.training else f"job {self.job}"

    @property
    def under_way(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (*OPEN, PAUSED, AWAITING)


class Overview:
    """The lists of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def parties(self) -> Mapping[str, int]:
        """How many parties of each role are enrolled."""
        query = select(PartyRow.role, func.count()).group_by(PartyRow.role)
        with self._database.transaction() as session:
            return dict(iter(session.execute(query)))

    def under_way(self) -> list[TrainingLine]:
        """The running training, then those that wait, in the order in which they will run.

        Last those that are paused, or wait for an approval by hand.
        """
        with self._database.transaction() as session:
            begun = _lines(session, _started().where(TrainingRow.state == RUNNING))
            asked = _lines(session, _started().where(TrainingRow.state == AWAITING))
            lines = [*begun, *_waiting(session), *asked]
        order = {RUNNING: 0, QUEUED: 1, PAUSED: 2}
        return sorted(lines, key=lambda line: order.get(line.state, 3))

    def trainings(self, limit: int = 200) -> list[TrainingLine]:
        """The trainings, the newest first; those that wait before those that began."""
        with self._database.transaction() as session:
            query = _started().order_by(TrainingRow.started_at.desc()).limit(limit)
            return [*reversed(_waiting(session)), *_lines(session, query)]

    def find(self, training: str) -> TrainingLine | None:
        """The training, or None."""
        with self._database.transaction() as session:
            return next(iter(_lines(session, _started().where(TrainingRow.id == training))), None)


def _started() -> Select[TrainingRow, JobRow | None, str | None, int | None]:
    done = (
        select(func.max(AttemptRow.round))
        .where(AttemptRow.training_id == TrainingRow.id, AttemptRow.state == FINALISED)
        .where(AttemptRow.round != DONATION)
        .scalar_subquery()
    )
    return (
        select(TrainingRow, JobRow, UserRow.name, done)
        .outerjoin(JobRow, JobRow.training_id == TrainingRow.id)
        .outerjoin(UserRow, UserRow.id == JobRow.requested_by)
    )


def _lines(
    session: Session, query: Select[TrainingRow, JobRow | None, str | None, int | None]
) -> list[TrainingLine]:
    return [
        TrainingLine(
            training=row.id,
            job=job.id if job else None,
            task=row.task,
            state=_state(row, job),
            reason=row.reason,
            rounds=row.rounds,
            round=done or 0,
            seed=row.seed,
            accuracy=row.accuracy,
            started_at=row.started_at,
            ended_at=row.ended_at,
            requested_by=name,
            attack=attack_titles(row.simulation["attack"]) if row.simulation else None,
        )
        for row, job, name, done in session.execute(query)
    ]


def _state(row: TrainingRow, job: JobRow | None) -> str:
    """One that rests has its job's state.

    A training that somebody stopped did not fail; on the ledger both end with their reason.
    """
    if row.state in (FAILED, UNOPENED) and row.reason == STOPPED_REASON:
        return "stopped"
    if row.state == RUNNING and job is not None and job.state in (PAUSED, QUEUED):
        return job.state
    return "refused" if row.state == UNOPENED else row.state


def _waiting(session: Session) -> list[TrainingLine]:
    """Jobs without a training yet: queued, or just claimed and still planned."""
    query = (
        select(JobRow, UserRow.name)
        .outerjoin(UserRow, UserRow.id == JobRow.requested_by)
        .where(JobRow.state.in_((*OPEN, PAUSED)), JobRow.training_id.is_(None))
        .order_by((JobRow.state != RUNNING), JobRow.id)
    )
    return [_waiting_line(job, name) for job, name in session.execute(query)]


def _waiting_line(job: JobRow, name: str | None) -> TrainingLine:
    request = TrainingRequest.from_json(job.request)
    return TrainingLine(
        training=None,
        job=job.id,
        task=request.task,
        state=job.state,
        reason="",
        rounds=request.rounds or get_task(request.task).defaults.rounds,
        round=0,
        seed=request.seed,
        accuracy=None,
        started_at=job.created_at,
        ended_at=None,
        requested_by=name,
        attack=attack_titles(request.attack_words) or None,
    )
