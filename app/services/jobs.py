"""Trainings that were asked for: a queue in the database, one running at a time, under a lease.

A worker owns a running job while it renews the lease. When it stops doing so, another one may take
the job over. Only the head of the queue can be claimed, by one conditional UPDATE, so of any number
of workers one wins and at most one training runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Update, func, or_, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import LeaseLost, RequestError
from app.models import JobRow, TrainingRow
from app.models.base import now
from app.services.requests import TrainingRequest
from app.services.unopened import AWAITING, end_unopened
from fl.federated_training import STOPPED as STOPPED_REASON

QUEUED = "queued"
RUNNING = "running"
PAUSED = "paused"
DONE = "done"
FAILED = "failed"
STOPPED = "stopped"
OPEN = (QUEUED, RUNNING)

LEASE = timedelta(seconds=15)
# Several may be missed before the lease runs out.
HEARTBEAT_SECONDS = 3.0


class Jobs:
    """The queue of one installation; `clock` gives the present moment in UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    # Asking

    def submit(self, request: TrainingRequest, requested_by: int | None) -> JobRow:
        """Put a training at the end of the queue; the worker makes its plan."""
        row = JobRow(request=request.to_json(), requested_by=requested_by, created_at=self._clock())
        with self._database.transaction() as session:
            session.add(row)
        return row

    def request_stop(self, job_id: int) -> JobRow:
        """Take a waiting job out, or have one that has begun stopped before its next step.

        One that rests after it began has to end on the ledger: it waits for the worker to do so.
        Raises RequestError when there is no such job, or it is over.
        """
        mine = update(JobRow).where(JobRow.id == job_id)
        opened = select(TrainingRow.id).where(TrainingRow.state == RUNNING)
        unopened = or_(JobRow.training_id.is_(None), JobRow.training_id.not_in(opened))
        waiting = mine.where(JobRow.state.in_((QUEUED, AWAITING, PAUSED)), unopened).values(
            state=STOPPED, stop_requested=True, ended_at=self._clock()
        )
        begun = {"stop_requested": True, "pause_requested": False}
        running = mine.where(JobRow.state == RUNNING).values(begun)
        resting = mine.where(JobRow.state.in_((QUEUED, PAUSED))).values(begun | {"state": QUEUED})
        with self._database.transaction() as session:
            changed = any(_rows(session, query) for query in (waiting, running, resting))
            row = session.get(JobRow, job_id, populate_existing=True)
            if row is None or not changed:
                raise RequestError("This training is over: there is nothing to stop.")
            if row.state == STOPPED and row.training_id is not None:
                end_unopened(session, row.training_id, STOPPED_REASON)
            return row

    def request_pause(self, job_id: int) -> JobRow:
        """Set a queued job aside, or have a running one rest after the step under way.

        Raises RequestError for one that neither runs nor waits its turn, or is to stop.
        """
        mine = update(JobRow).where(JobRow.id == job_id, JobRow.stop_requested.is_(False))
        queued = mine.where(JobRow.state == QUEUED).values(state=PAUSED, paused_at=self._clock())
        running = mine.where(JobRow.state == RUNNING).values(pause_requested=True)
        refusal = "Only a training that runs or waits its turn can be paused."
        return self._wish(job_id, (queued, running), refusal)

    def request_resume(self, job_id: int) -> JobRow:
        """Put a paused job back to its place in the queue, or take back the wish to pause it.

        Raises RequestError for one that is not paused.
        """
        mine = update(JobRow).where(JobRow.id == job_id)
        paused = mine.where(JobRow.state == PAUSED).values(state=QUEUED, pause_requested=False)
        running = mine.where(JobRow.state == RUNNING, JobRow.pause_requested.is_(True))
        queries = (paused, running.values(pause_requested=False))
        return self._wish(job_id, queries, "This training is not paused.")

    # Looking

    def find(self, job_id: int) -> JobRow | None:
        """The job, or None."""
        with self._database.transaction() as session:
            return session.get(JobRow, job_id)

    def find_of_training(self, training_id: str) -> JobRow | None:
        """The job that a training belongs to, or None where a command trains."""
        with self._database.transaction() as session:
            return session.scalars(select(JobRow).filter_by(training_id=training_id)).first()

    def current(self) -> JobRow | None:
        """The running job, or None."""
        with self._database.transaction() as session:
            return session.scalars(select(JobRow).filter_by(state=RUNNING)).first()

    def queue(self) -> Sequence[JobRow]:
        """The jobs that wait, in the order in which they will run."""
        with self._database.transaction() as session:
            query = select(JobRow).filter_by(state=QUEUED).order_by(JobRow.id)
            return session.scalars(query).all()

    def is_stop_requested(self, job_id: int) -> bool:
        """Whether somebody wants the job stopped."""
        with self._database.transaction() as session:
            query = select(JobRow.stop_requested).filter_by(id=job_id)
            return bool(session.scalar(query))

    def is_pause_requested(self, job_id: int) -> bool:
        """Whether somebody wants the job to rest."""
        with self._database.transaction() as session:
            query = select(JobRow.pause_requested).filter_by(id=job_id)
            return bool(session.scalar(query))

    @property
    def database(self) -> Database:
        """The database that the queue is in."""
        return self._database

    def has_work(self) -> bool:
        """Whether a job can be claimed, or a training without a job was interrupted (or runs)."""
        with self._database.transaction() as session:
            head = _head(session)
            if head is not None:
                return _is_claimable(head, self._clock())
            return _find_orphan(session) is not None

    # Working

    def adopt(self, deployment: int) -> JobRow | None:
        """Give the interrupted training of a command a job, or None when there is none.

        For whoever holds the right to train: else that training may be running.
        """
        with self._database.transaction() as session:
            orphan = _find_orphan(session, deployment)
            if orphan is None:
                return None
            row = JobRow(
                request=TrainingRequest(
                    task=orphan.task, rounds=orphan.rounds, seed=orphan.seed
                ).to_json(),
                training_id=orphan.id,
                state=RUNNING,
                created_at=orphan.started_at,
                started_at=orphan.started_at,
                lease_expires=self._clock(),
            )
            session.add(row)
        return row

    def claim(self, owner: str) -> JobRow | None:
        """Take the head of the queue under a lease; None when there is none or another has it."""
        moment = self._clock()
        with self._database.transaction() as session:
            head = _head(session)
            if head is None or not _is_claimable(head, moment):
                return None
            free = or_(JobRow.state == QUEUED, JobRow.lease_expires <= moment)
            take = update(JobRow).where(JobRow.id == head.id, JobRow.state == head.state, free)
            values: dict[str, Any] = {
                "state": RUNNING,
                "lease_owner": owner,
                "lease_expires": moment + LEASE,
                "heartbeat_at": moment,
                "started_at": func.coalesce(JobRow.started_at, moment),
            }
            if head.state == RUNNING or (head.paused_at is not None and head.training_id):
                values["resumed_at"] = moment
            if not _rows(session, take.values(values)):
                return None
            return session.get_one(JobRow, head.id, populate_existing=True)

    def heartbeat(self, job_id: int, owner: str) -> None:
        """Renew the lease. Raises LeaseLost when another has the job, or it is over."""
        moment = self._clock()
        with self._database.transaction() as session:
            self._change(session, job_id, owner, heartbeat_at=moment, lease_expires=moment + LEASE)

    def begin(self, session: Session, job_id: int, owner: str, training_id: str) -> None:
        """Note the job's training in the transaction that makes it. Raises LeaseLost."""
        self._change(session, job_id, owner, training_id=training_id)

    def rest(self, job_id: int, owner: str) -> None:
        """Let a job rest that was to be paused, so that the worker can do others.

        Raises LeaseLost.
        """
        with self._database.transaction() as session:
            self._change(
                session,
                job_id,
                owner,
                state=PAUSED,
                pause_requested=False,
                paused_at=self._clock(),
                lease_expires=None,
            )

    def put_aside(self, job_id: int, owner: str) -> None:
        """Let a job wait for approvals, so that the worker can do others.

        One that was to be stopped meanwhile is over. Raises LeaseLost.
        """
        with self._database.transaction() as session:
            self._change(session, job_id, owner, state=AWAITING, lease_expires=None)
            row = session.get_one(JobRow, job_id, populate_existing=True)
            if row.stop_requested and row.training_id is not None:
                end_unopened(session, row.training_id, STOPPED_REASON)
                row.state, row.ended_at = STOPPED, self._clock()

    def hand_over(self, session: Session, training_id: str, request: TrainingRequest) -> None:
        """Give a command's training a job if it has to wait: the worker begins it once it may."""
        training = session.get_one(TrainingRow, training_id)
        if training.state == AWAITING:
            session.add(
                JobRow(
                    request=request.to_json(),
                    training_id=training_id,
                    state=AWAITING,
                    created_at=self._clock(),
                )
            )

    def finish(
        self,
        job_id: int,
        owner: str,
        state: str,
        error: str = "",
        also: Callable[[Session], None] = lambda _: None,
    ) -> None:
        """Note that a job is over, and `also` something in the same transaction.

        Raises LeaseLost when it is no more this owner's.
        """
        with self._database.transaction() as session:
            self._change(session, job_id, owner, state=state, error=error, ended_at=self._clock())
            also(session)

    def release(self, owner: str | None = None) -> None:
        """End the leases of an owner that is known to be dead; of every owner for None."""
        query = update(JobRow).where(JobRow.state == RUNNING)
        if owner is not None:
            query = query.where(JobRow.lease_owner == owner)
        with self._database.transaction() as session:
            _rows(session, query.values(lease_expires=self._clock()))

    def _wish(self, job_id: int, queries: Sequence[Update], refusal: str) -> JobRow:
        """Make the first change that applies to the job. Raises RequestError when none does."""
        with self._database.transaction() as session:
            changed = any(_rows(session, query) for query in queries)
            row = session.get(JobRow, job_id, populate_existing=True)
            if row is None or not changed:
                raise RequestError(refusal)
            return row

    def _change(self, session: Session, job_id: int, owner: str, **values: object) -> None:
        query = update(JobRow).where(
            JobRow.id == job_id, JobRow.lease_owner == owner, JobRow.state == RUNNING
        )
        if not _rows(session, query.values(**values)):
            raise LeaseLost(job_id, owner)


def is_silent(job: JobRow, moment: datetime) -> bool:
    """Whether a running job's worker let the lease run out."""
    return job.state == RUNNING and (job.lease_expires is None or job.lease_expires <= moment)


def _is_claimable(job: JobRow, moment: datetime) -> bool:
    return job.state == QUEUED or is_silent(job, moment)


def _head(session: Session) -> JobRow | None:
    """What runs or is to run next: an interrupted job before those that wait."""
    query = select(JobRow).where(JobRow.state.in_(OPEN))
    return session.scalars(query.order_by((JobRow.state == QUEUED), JobRow.id).limit(1)).first()


def _find_orphan(session: Session, deployment: int | None = None) -> TrainingRow | None:
    known = select(JobRow.training_id).where(JobRow.training_id.is_not(None))
    query = select(TrainingRow).where(TrainingRow.state == RUNNING, TrainingRow.id.not_in(known))
    if deployment is not None:
        query = query.where(TrainingRow.deployment_id == deployment)
    return session.scalars(query.order_by(TrainingRow.started_at).limit(1)).first()


def _rows(session: Session, query: Update) -> int:
    """How many rows a change found."""
    done = session.execute(query.execution_options(synchronize_session=False))
    return done.rowcount if isinstance(done, CursorResult) else 0
