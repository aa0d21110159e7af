"""Runs the trainings and checks that were asked for, one at a time, in the process of `app.worker`.

A worker may be killed at any moment: what it was at is resumed by the next one, once the lease has
run out or the supervisor has ended it. While it trains it holds `training.lock`, as `run.py train`
does, so the two never run at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import partial
from threading import Event

from filelock import FileLock, Timeout
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import AppError, LeaseLost, RequestError
from app.models import JobRow
from app.services import appeal_writing, promotions, record_ledger
from app.services.anchoring import EVERY, Anchoring, last_entry
from app.services.approvals import Approvals
from app.services.audit import SYSTEM, AuditLog
from app.services.checks import Checks
from app.services.federation import Federation, open_federation
from app.services.jobs import DONE, FAILED, HEARTBEAT_SECONDS, STOPPED, Jobs
from app.services.ledger_index import LedgerIndex
from app.services.ledger_roles import LedgerRoles
from app.services.progress import PartyProgress
from app.services.repeating import Repeating
from app.services.requests import TrainingRequest
from app.services.simulation import simulation_of
from app.services.tidying import EVERY_SECONDS, tidy
from app.services.training_outcome import FINISHED
from app.services.trainings import RUNNING, Trainings
from app.services.unopened import AWAITING, told
from app.services.verification import Verification
from app.services.verification_progress import Progress
from config import TRAINING_LOCK, Settings
from contracts.errors import ChainUnreachable, LedgerError, Refused, RpcFailed
from fl.federated_training import STOPPED as STOPPED_REASON
from fl.round import Event as RoundEvent
from fl.round import StepDone

# How long to wait before looking again: for work, and after something was not there.
POLL_SECONDS = 0.5
TROUBLE_SECONDS = 3.0

_logger = logging.getLogger("consilium.worker")


class Leaving(Exception):
    """The worker was told to end; the training is resumed by the next one."""


class Paused(Exception):
    """Somebody wants the training to rest; it goes on when somebody wants that."""


class Lease:
    """Keeps a job's lease alive in a thread of its own, and says when it is lost."""

    def __init__(self, jobs: Jobs, job: int, owner: str) -> None:
        self._jobs = jobs
        self._job = job
        self._owner = owner
        self._lost: LeaseLost | None = None
        # One beat may fail and a later one pass; if none does, the lease runs out as it should.
        self._beating = Repeating("the lease’s renewal", HEARTBEAT_SECONDS, self._renew)

    def __enter__(self) -> Lease:
        self._beating.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._beating.__exit__()

    def check(self) -> None:
        """Raise LeaseLost when another worker has the job by now."""
        if self._lost is not None:
            raise self._lost

    def _renew(self) -> None:
        if self._lost is None:
            try:
                self._jobs.heartbeat(self._job, self._owner)
            except LeaseLost as lost:
                self._lost = lost


class Worker:
    """Takes jobs from the queue until `leaving` is set."""

    def __init__(self, settings: Settings, owner: str, leaving: Event) -> None:
        self._settings = settings
        self._owner = owner
        self._leaving = leaving
        # The last entry of the audit log that this worker knows to be anchored.
        self._anchored = 0
        # The contract's deployment that it found when it last looked.
        self._deployment: int | None = None

    def run(self) -> None:
        """Work until told to leave."""
        database = Database(self._settings.database)
        with closing(database):
            database.migrate()
            jobs = Jobs(database)
            clear_away = partial(tidy, database, self._settings)
            with Repeating("clearing away what is overdue", EVERY_SECONDS, clear_away):
                while not self._leaving.is_set():
                    try:
                        pause = self.look(jobs)
                    except (ChainUnreachable, AppError, LedgerError) as error:
                        _logger.warning("%s", error)
                        pause = TROUBLE_SECONDS
                    self._leaving.wait(pause)

    def look(self, jobs: Jobs) -> float:
        """Do the next check or job if there is one; how many seconds to wait before looking again.

        The audit log is anchored after each, and in between when it grew by EVERY entries; the
        registry follows what was decided about people.
        """
        Approvals(jobs.database, AuditLog(jobs.database)).release()
        has_work, checks = jobs.has_work(), Checks(jobs.database)
        wants_check = jobs.current() is None and checks.has_work()
        wants_roles = LedgerRoles(jobs.database).has_work(self._deployment)
        wants_writing = (
            promotions.has_work(jobs.database)
            or appeal_writing.has_work(jobs.database)
            or record_ledger.has_work(jobs.database)
        )
        grown = last_entry(jobs.database) >= self._anchored + EVERY
        if not (has_work or wants_check or wants_roles or wants_writing or grown):
            return POLL_SECONDS
        lock = FileLock(self._settings.instance_dir / TRAINING_LOCK, timeout=0)
        try:
            held = lock.acquire()
        except Timeout:
            return POLL_SECONDS
        with held, open_federation(self._settings) as federation:
            self._deployment = federation.deployment
            jobs.adopt(federation.deployment)
            followed = _follow_people(federation)
            written = followed & promotions.write_waiting(federation)
            # Without the role a doctor's step would be refused for good.
            written &= followed and record_ledger.bring_up(federation)
            written &= appeal_writing.write_waiting(federation)
            if wants_check and jobs.current() is None:
                self._check_all(checks, federation)
            elif has_work:
                job = jobs.claim(self._owner)
                if job is None:
                    # Nothing of this chain: what is left over belongs to another one.
                    return TROUBLE_SECONDS
                self._carry_out(job, jobs, federation)
            self._anchored = Anchoring(jobs.database, federation.ledger.anchors).bring_up()
            _read_ledger(federation)
        return 0.0 if written else TROUBLE_SECONDS

    def _check_all(self, checks: Checks, federation: Federation) -> None:
        """Do the next check; nobody trains meanwhile, since this worker holds the right to."""
        number = checks.begin()
        if number is None:
            return

        def watch(progress: Progress) -> None:
            checks.tell(number, progress)
            if self._leaving.is_set():
                raise Leaving

        _logger.warning("check %s begins", number)
        try:
            report = Verification(federation, watch).run()
        except Leaving:
            raise  # The next worker finds it running, and begins anew.
        except (ChainUnreachable, OperationalError, InterfaceError):
            checks.release(number)
            raise
        except Exception as error:
            _logger.exception("check %s broke off", number)
            checks.fail(number, f"the check broke off: {error}")
            return
        checks.finish(number, report)
        _logger.warning("check %s found %s differences", number, len(report.differences))

    def _carry_out(self, job: JobRow, jobs: Jobs, federation: Federation) -> None:
        _logger.warning("job %s begins", job.id)
        try:
            with Lease(jobs, job.id, self._owner) as lease:
                state, reason = _Run(job, jobs, federation, self._owner).run(
                    lambda: self._check(lease)
                )
            if state == AWAITING:
                # Its approval may come in a week: the lease goes back, and others are done.
                jobs.put_aside(job.id, self._owner)
                _logger.warning("job %s is put aside: %s", job.id, reason)
                return
            note = partial(_note, AuditLog(federation.database), job, state, reason)
            jobs.finish(job.id, self._owner, state, reason, note)
        except Paused:
            jobs.rest(job.id, self._owner)
            _logger.warning("job %s is paused", job.id)
            return
        except (Leaving, ChainUnreachable):
            jobs.release(self._owner)
            raise
        _logger.warning("job %s is %s%s", job.id, state, f": {reason}" if reason else "")

    def _check(self, lease: Lease) -> None:
        lease.check()
        if self._leaving.is_set():
            raise Leaving


class _Run:
    """One job on its way."""

    def __init__(self, job: JobRow, jobs: Jobs, federation: Federation, owner: str) -> None:
        self._job = job
        self._jobs = jobs
        self._federation = federation
        self._owner = owner
        self._trainings = Trainings(federation)

    def run(self, check: Callable[[], None]) -> tuple[str, str]:
        """The state that the job ends with, and why.

        Raises Paused between two steps, what `check` raises, and ChainUnreachable, OperationalError
        or InterfaceError when the chain or the database is gone: the job can then be taken up
        again.
        """
        try:
            self._rest()  # It may have been asked for while nobody worked at it.
            return self._train(self._job.training_id or self._begin(), check)
        except (Leaving, Paused, LeaseLost, ChainUnreachable, OperationalError, InterfaceError):
            raise
        except RequestError as refusal:
            return FAILED, str(refusal)
        except Exception as error:
            _logger.exception("job %s broke off", self._job.id)
            return FAILED, self._give_up(f"the training broke off: {error}")

    def _train(self, identifier: str, check: Callable[[], None]) -> tuple[str, str]:
        state = self._trainings.outcome(identifier)[0]
        if state == AWAITING and (waits := self._trainings.awaited(identifier)):
            return AWAITING, told(waits)
        if state in (RUNNING, AWAITING):
            plan = self._trainings.plan_of(identifier)
            progress = PartyProgress(self._federation.database, identifier, plan)

            def watch(event: RoundEvent) -> None:
                progress(event)
                check()
                if isinstance(event, StepDone):
                    self._rest()

            self._trainings.run(
                identifier, watch, lambda: self._jobs.is_stop_requested(self._job.id)
            )
        state, reason = self._trainings.outcome(identifier)
        if state == FINISHED:
            return DONE, ""
        return STOPPED if reason == STOPPED_REASON else FAILED, reason

    def _rest(self) -> None:
        if self._jobs.is_pause_requested(self._job.id):
            raise Paused

    def _begin(self) -> str:
        request = TrainingRequest.from_json(self._job.request)
        plan = self._trainings.plan(request)
        self._job.training_id = self._trainings.start(
            plan,
            lambda session, training: self._jobs.begin(
                session, self._job.id, self._owner, training
            ),
            simulation_of(request, [member.name for member in plan.hospitals]),
        )
        return self._job.training_id

    def _give_up(self, reason: str) -> str:
        if self._job.training_id is not None:
            self._trainings.give_up(self._job.training_id, reason)
        return reason


def _follow_people(federation: Federation) -> bool:
    """Have the registry follow what was decided about people; whether it took it.

    Where it refuses, trainings go on: they have nothing to do with it.
    """
    try:
        roles = LedgerRoles(federation.database)
        roles.bring_up(federation.deployment, federation.ledger.registry)
    except (Refused, RpcFailed) as error:
        _logger.warning("the registry does not take what was decided about people: %s", error)
        return False
    return True


def _read_ledger(federation: Federation) -> None:
    """Bring the local copy of the chain's events up to date; pages do so, too, if this fails."""
    try:
        LedgerIndex(federation.database).catch_up(federation.ledger)
    except (LedgerError, OperationalError) as error:
        _logger.warning("the copy of the ledger was not brought up to date: %s", error)


def _note(log: AuditLog, job: JobRow, state: str, reason: str, session: Session) -> None:
    details = {"job": job.id, "state": state} | ({"reason": reason} if reason else {})
    log.add(SYSTEM, "training.ended", job.training_id or "", details, session)
