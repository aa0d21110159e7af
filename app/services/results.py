"""What came out of a training, as one document: the same for `--json` and for the tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, SubmissionRow, TrainingRow
from app.stores.rounds import FINALISED
from fl.training import accuracy

DIGITS = 4


def training_document(database: Database, identifier: str) -> dict[str, Any]:
    """The document of a training. Raises RequestError when there is no such training.

    Accuracies are shares of right answers over all hospitals' test rows, seconds are wall clock,
    bytes count every message between coordinator and parties. Round 0, the secure sum of the
    statistics, stands apart as `statistics`.
    """
    with database.transaction() as session:
        row = session.get(TrainingRow, identifier)
        if row is None:
            raise RequestError(f"expected a training of this installation, got {identifier}")
        finalised = [_round(attempt) for attempt in row.attempts if attempt.state == FINALISED]
        return {
            "task": row.task,
            "seed": row.seed,
            "model": row.network,
            "state": row.state,
            "reason": row.reason,
            "training": row.id,
            "accuracy": _rounded(row.accuracy),
            "balanced_accuracy": _rounded(row.balanced_accuracy),
            "plain_accuracy": _rounded(row.plain_accuracy),
            "model_sha256": row.model_sha256,
            "statistics": next((one for one in finalised if one["round"] == 0), None),
            "rounds": [one for one in finalised if one["round"] > 0],
            "failed": [
                failed_attempt(a) for a in row.attempts if a.state not in (FINALISED, "open")
            ],
        }


def _round(attempt: AttemptRow) -> dict[str, Any]:
    matrices = [np.array(evaluation.confusion) for evaluation in attempt.evaluations]
    document: dict[str, Any] = {"round": attempt.round}
    if attempt.round:
        known = accuracy(np.sum(matrices, axis=0)) if matrices else None
        document["accuracy"] = _rounded(known)
        document["model_sha256"] = attempt.result_sha256
    else:
        document["statistics_sha256"] = attempt.result_sha256
    return document | {
        "bytes": sum(step.bytes for step in attempt.steps),
        "seconds": {step.name: round(step.seconds, DIGITS) for step in attempt.steps},
        "bytes_by_step": {step.name: step.bytes for step in attempt.steps},
        "hospitals": [_hospital(submission) for submission in attempt.submissions],
        "faults": named_faults(attempt),
    }


def _hospital(submission: SubmissionRow) -> dict[str, Any]:
    document = {
        "name": submission.hospital,
        "samples": submission.samples,
        "update_sha256": submission.update_sha256,
        "transaction": submission.transaction,
        "verdict": submission.verdict,
    }
    return document | ({"reason": submission.reason} if submission.reason else {})


def failed_attempt(attempt: AttemptRow) -> dict[str, Any]:
    """An attempt that ended without a result: round, attempt, reason, who was named."""
    return {
        "round": attempt.round,
        "attempt": attempt.number,
        "reason": attempt.reason,
        "faults": named_faults(attempt),
    }


def named_faults(attempt: AttemptRow) -> list[dict[str, str]]:
    """Who was named in an attempt, at which step, and why."""
    return [
        {"party": fault.party, "step": fault.step, "reason": fault.reason}
        for fault in attempt.faults
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
