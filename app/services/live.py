"""A training as its live page shows it: few queries, so that it can be asked for every second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, EvaluationRow, JobRow, PartyProgressRow, TrainingRow
from app.models.base import now
from app.services.federation import HOSPITAL, NODE
from app.services.jobs import OPEN as OPEN_JOBS
from app.services.jobs import PAUSED, QUEUED, RUNNING, STOPPED, is_silent
from app.services.metrics import round_figures
from app.services.notices import SILENT, job_notice, training_notice
from app.services.party_errors import in_words, party_errors
from app.services.requests import TrainingRequest
from app.services.round_names import STATISTICS, in_order, is_update, round_title
from app.services.round_view import (
    View,
    failed_attempt,
    find_plan,
    poisoning,
    round_view,
    tally_by_hospital,
)
from app.services.simulation import Simulation, majority_warning
from app.services.unopened import AWAITING, UNOPENED, awaited, told
from app.services.verdicts import Measure
from app.stores.rounds import FINALISED, OPEN
from contracts.records import DONATION
from fl.attacks import get_attack
from fl.federated_training import STOPPED as STOPPED_REASON
from fl.plan import Plan
from fl.round import STEPS

REFUSED = "refused"
_ENDED = ("finished", "failed", "stopped", REFUSED)


def training_view(
    database: Database,
    training_id: str,
    clock: Callable[[], datetime] = now,
    figures: bool = False,
) -> View:
    """Where a training is. Raises RequestError when there is none such.

    Keys, times in UTC without a zone, seconds and milliseconds as numbers, None for not known:

    training, task, network, seed, rounds_planned, stopping, started_at, ended_at, reason
        The training; `stopping` says when it may end before its last round, or is ""; `reason` says
        why it did.
    state
        awaiting (an approval by hand), running, paused, queued (it was paused, and waits for the
        worker), silent (its worker does not answer), finished, failed, stopped or refused (before
        it began); `over` tells whether it is one of the last four, `notice` is a sentence for a
        person or "".
    job, stop_requested, pause_requested, resumed_at, error
        Its job; None, False, False, None and "" where a command trains.
    round, step, title
        Where it is now, or was last, and what that round is called; None before the first attempt.
    accuracy, balanced_accuracy, plain_accuracy, model_sha256
        What came out of it.
    sampled
        How many hospitals are drawn for each round; None where all take part.
    reviews, nodes, fewest_rows, donated_rows
        Whether updates are tested before they count; then how many nodes could sign a set, of how
        many rows of a class on a class counts, and how many a hospital donates of one at most; else
        None.
    simulation
        Who attacks, which only a simulation knows (title; warning, "" or what too many attackers
        mean; attacks, pairs of a `fl.attacks.Attack` and its attackers; attackers;
        kinds, the title of each attacker's attack; verdicts, each hospital's by kind), or None.
        `fedavg_accuracy` and `oracle_accuracy`
        compare with plain FedAvg: everybody counts, or the attackers are left out.
    heartbeat_seconds
        How long ago the worker gave a sign of life; None where no job runs.
    parties
        Each hospital, then each node: name, role, round, title, step, state (waiting, working,
        done, failed), text, since.
    errors
        What parties failed at, the newest first (see `party_errors.party_errors`).
    statistics, donation, rounds, failed
        The finalised round 0 and donation, or None; the finalised rounds from 1 on, in order (see
        `round_view.round_view`; with `figures`, which costs more, also what
        `metrics.round_figures` has); the failed attempts (see `round_view.failed_attempt`).
    poisoning, flagged
        What the reviews kept out over all rounds (see `round_view.poisoning`), or None; donors
        whose slices were set aside, each with the rounds.
    """
    with database.transaction() as session:
        row = session.scalars(whole_training(training_id, counts=figures)).one_or_none()
        if row is None:
            raise RequestError("There is no such training in this installation.")
        job = session.scalars(select(JobRow).filter_by(training_id=training_id)).first()
        parties = session.scalars(
            select(PartyProgressRow)
            .filter_by(training_id=training_id)
            .order_by(PartyProgressRow.id)
        ).all()
        waits = awaited(session, training_id)
        view = _training(row, job, parties, clock(), waits)
        if figures:
            _add_figures(view["rounds"], row)
        return view


def job_view(database: Database, job_id: int, clock: Callable[[], datetime] = now) -> View:
    """A job with its training, if that has begun. Raises RequestError when there is none such.

    Keys: job, state (queued, awaiting, running, paused, silent, done, failed, stopped), over,
    notice, error, ahead (how many jobs come before it), request (what was asked, a
    `TrainingRequest`), created_at, started_at, ended_at, stop_requested, pause_requested, training
    (a `training_view`, or None before it begins).
    """
    with database.transaction() as session:
        job = session.get(JobRow, job_id)
        if job is None:
            raise RequestError("There is no such training in this installation.")
        ahead = _ahead(session, job)
        training = job.training_id
        waits = awaited(session, training) if training else ()
    silent = is_silent(job, clock())
    return {
        "job": job.id,
        "state": SILENT if silent else job.state,
        "over": job.state not in (*OPEN_JOBS, PAUSED, AWAITING),
        "notice": told(waits) if job.state == AWAITING else job_notice(job, ahead, silent),
        "error": job.error,
        "ahead": ahead,
        "request": TrainingRequest.from_json(job.request),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "stop_requested": job.stop_requested,
        "pause_requested": job.pause_requested,
        "training": training_view(database, training, clock) if training else None,
    }


def whole_training(training_id: str, counts: bool = False) -> Select[TrainingRow]:
    """The query of a training with all that its attempts left, in few statements.

    Of evaluations only what is asked for each second, unless their other `counts` are wanted, too.
    """
    attempts = selectinload(TrainingRow.attempts)
    evaluations = attempts.selectinload(AttemptRow.evaluations)
    if not counts:
        evaluations = evaluations.load_only(EvaluationRow.attempt_id, EvaluationRow.confusion)
    return (
        select(TrainingRow)
        .filter_by(id=training_id)
        .options(
            attempts.selectinload(AttemptRow.steps),
            attempts.selectinload(AttemptRow.submissions),
            evaluations,
            attempts.selectinload(AttemptRow.faults),
        )
    )


def _training(
    row: TrainingRow,
    job: JobRow | None,
    parties: Sequence[PartyProgressRow],
    moment: datetime,
    waits: Sequence[str],
) -> View:
    state = _state(row, job, moment)
    attempts = sorted(row.attempts, key=lambda one: (in_order(one.round), one.number))
    measure = Measure.find(row.plan)
    plan = find_plan(row)
    finalised = [round_view(one, measure, plan) for one in attempts if one.state == FINALISED]
    rounds = [one for one in finalised if is_update(one["round"])]
    last = attempts[-1] if attempts else None
    return {
        "training": row.id,
        "task": row.task,
        "network": row.network,
        "seed": row.seed,
        "rounds_planned": row.rounds,
        "stopping": plan.stopping.words if plan and plan.stopping else "",
        "sampled": plan.sampled if plan else None,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "reason": row.reason,
        "state": state,
        "over": state in _ENDED,
        "notice": told(waits) if state == AWAITING else training_notice(state, row, job),
        "job": job.id if job else None,
        "stop_requested": bool(job and job.stop_requested),
        "pause_requested": bool(job and job.pause_requested),
        "resumed_at": job.resumed_at if job else None,
        "error": job.error if job else "",
        "heartbeat_seconds": _heartbeat(job, moment),
        "round": last.round if last else None,
        "title": round_title(last.round) if last else None,
        "step": _step(last) if last else None,
        "accuracy": row.accuracy,
        "balanced_accuracy": row.balanced_accuracy,
        "plain_accuracy": row.plain_accuracy,
        "model_sha256": row.model_sha256,
        "parties": [_party(one) for one in sorted(parties, key=lambda one: one.role != HOSPITAL)],
        "statistics": _find_round(finalised, STATISTICS),
        "donation": _find_round(finalised, DONATION),
        "rounds": rounds,
        "errors": party_errors(attempts, _roles(plan), state in _ENDED),
        "failed": [failed_attempt(a) for a in attempts if a.state not in (FINALISED, OPEN)],
        "poisoning": poisoning(rounds),
        "reviews": measure is not None,
        "nodes": measure.nodes if measure else None,
        "fewest_rows": measure.rule.fewest_rows if measure else None,
        "donated_rows": plan.split.donated_rows if measure and plan else None,
        "flagged": _flagged(rounds),
        **_simulation(row, rounds, plan),
    }


def _add_figures(rounds: Sequence[View], row: TrainingRow) -> None:
    made = {(one.round, one.number): one.evaluations for one in row.attempts}
    for one in rounds:
        one.update(round_figures(made[one["round"], one["attempt"]]))


def _roles(plan: Plan | None) -> dict[str, str]:
    if plan is None:
        return {}
    hospitals = {one.name: HOSPITAL for one in plan.hospitals}
    return hospitals | {one.name: NODE for one in plan.nodes}


def _heartbeat(job: JobRow | None, moment: datetime) -> float | None:
    if job is None or job.state != RUNNING or job.heartbeat_at is None:
        return None
    return max(0.0, (moment - job.heartbeat_at).total_seconds())


def _find_round(finalised: Sequence[View], number: int) -> View | None:
    return next((one for one in finalised if one["round"] == number), None)


def _flagged(rounds: Sequence[View]) -> dict[str, list[int]]:
    donors = sorted({donor for one in rounds for donor in one["flagged"]})
    return {d: [one["round"] for one in rounds if d in one["flagged"]] for d in donors}


def _simulation(row: TrainingRow, rounds: Sequence[View], plan: Plan | None) -> View:
    known = Simulation.from_row(row.simulation)
    simulation = known and {
        "title": known.title,
        "attacks": known.described,
        "kinds": {name: get_attack(known.kind_of(name) or "").title for name in known.attackers},
        "attackers": known.attackers,
        "warning": majority_warning(len(known.attackers), len(plan.hospitals)) if plan else "",
        "verdicts": tally_by_hospital(rounds),
    }
    return {
        "simulation": simulation,
        "fedavg_accuracy": row.fedavg_accuracy,
        "oracle_accuracy": row.oracle_accuracy,
    }


def _state(row: TrainingRow, job: JobRow | None, moment: datetime) -> str:
    if row.state in ("failed", UNOPENED):
        failed = REFUSED if row.state == UNOPENED else row.state
        return STOPPED if row.reason == STOPPED_REASON else failed
    if row.state == RUNNING and job is not None:
        if is_silent(job, moment):
            return SILENT
        if job.state in (PAUSED, QUEUED):
            return job.state
    return row.state


def _ahead(session: Session, job: JobRow) -> int:
    if job.state != QUEUED:
        return 0
    earlier = (JobRow.state == RUNNING) | ((JobRow.state == QUEUED) & (JobRow.id < job.id))
    return session.scalar(select(func.count()).select_from(JobRow).where(earlier)) or 0


def _step(attempt: AttemptRow) -> str:
    """The step that an attempt is at: the first that is not finished."""
    done = {step.name for step in attempt.steps}
    return next((step for step in STEPS if step not in done), STEPS[-1])


def _party(row: PartyProgressRow) -> View:
    return {
        "name": row.party,
        "role": row.role,
        "round": row.round,
        "title": round_title(row.round),
        "step": row.step,
        "state": row.state,
        "text": in_words(row.text) if row.text else "",
        "since": row.at,
    }
