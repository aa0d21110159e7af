"""What somebody who comes back to the page of a training or a job must know, in a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from app.models import JobRow, TrainingRow
from app.services.jobs import PAUSED, QUEUED, RUNNING, STOPPED
from app.services.unopened import UNOPENED

# Its worker let the lease run out.
SILENT: Final = "silent"

_SILENCE = "The worker does not answer. Nothing is lost: the training resumes once it is back."
# What the contract's deadlines mean for a training that rests.
_UNDER_WAY = (
    "A round under way waits as after an interruption: if other trainings write more blocks "
    "meanwhile than the policy gives a step, it comes too late, and the model of the last complete "
    "round stands."
)


def training_notice(state: str, row: TrainingRow, job: JobRow | None) -> str:
    """The notice of a training that is in this state; "" where nothing is to be said."""
    if row.state in (RUNNING, "finished"):
        said = _finished(row, job) if state == "finished" else _under_way(state, job)
        return said or _resumed(state, job)
    if row.state == UNOPENED:
        ended = "Stopped on request" if state == STOPPED else row.reason
        return f"{ended}. It never began: nothing of it stands on the ledger."
    if state == STOPPED:
        return "Stopped on request. The model of the last complete round stands."
    return f"Ended early: {row.reason}. The model of the last complete round stands."


def job_notice(job: JobRow, ahead: int, silent: bool) -> str:
    """The notice of a job whose training has not begun; `ahead` so many jobs come before it."""
    if job.state == QUEUED:
        if not ahead:
            return "Waiting: it begins as soon as the worker is free."
        others = "one other training" if ahead == 1 else f"{ahead} other trainings"
        return f"Waiting for {others}."
    if job.state == PAUSED:
        return f"Paused {_minute(job.paused_at)}. It keeps its place in the queue."
    if silent:
        return _SILENCE
    if job.state == RUNNING and job.training_id is None:
        return "Preparing: keys and accounts of the parties."
    if job.state == STOPPED and job.training_id is None:
        return "Stopped before it began."
    return job.error


def _finished(row: TrainingRow, job: JobRow | None) -> str:
    if row.reason:
        return f"Ended before its last round by its {row.reason}."
    if job and job.stop_requested:
        return "A stop was asked for while the last round was being finished: so it finished."
    return ""


def _under_way(state: str, job: JobRow | None) -> str:
    if state == SILENT:
        return _SILENCE
    if job is None:
        return ""
    if state == PAUSED:
        return f"Paused {_minute(job.paused_at)}. Nothing is lost. {_UNDER_WAY}"
    if state == QUEUED:
        end = "to end it" if job.stop_requested else "to go on with it"
        return f"Waits for the worker {end}; every finished step was kept."
    if job.stop_requested:
        return "Stopping: the step under way is finished first."
    if job.pause_requested:
        return "Pausing: the step under way is finished first."
    return ""


def _resumed(state: str, job: JobRow | None) -> str:
    if job is None or not job.resumed_at:
        return ""
    begun = "Resumed" if state == RUNNING else "Was resumed"
    return f"{begun} where it was interrupted; every finished step was kept."


def _minute(moment: datetime | None) -> str:
    return f"at {moment:%Y-%m-%d %H:%M} UTC" if moment else "by an administrator"
