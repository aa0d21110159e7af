"""What a training left, as its row tells it: the last model, the statistics, the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.models import AttemptRow, TrainingRow
from app.services.round_names import is_update
from app.stores.rounds import FINALISED
from contracts.records import TrainingRecord, TrainingState
from fl.plan import Plan
from fl.stopping import Reports, accuracies
from fl.training import accuracy, balanced_accuracy

# The state of a training that took all its rounds.
FINISHED = "finished"


def note_outcome(row: TrainingRow, record: TrainingRecord) -> None:
    """Note what a training left: the last model and the statistics, by the ledger, and scores."""
    row.statistics_sha256 = record.statistics.hex() if record.statistics else None
    row.model_sha256 = record.model.hex()
    confusion = pooled(row.attempts)
    if confusion is not None:
        row.accuracy = accuracy(confusion)
        row.balanced_accuracy = balanced_accuracy(confusion)


def reports(attempts: list[AttemptRow]) -> Reports:
    """The hospitals' confusion matrices of each finalised round's model."""
    return {
        attempt.round: [one.confusion for one in attempt.evaluations]
        for attempt in attempts
        if attempt.state == FINALISED and is_update(attempt.round)
    }


def has_finished(plan: Plan, record: TrainingRecord, attempts: list[AttemptRow]) -> bool:
    """Whether an ended training finished: after its last round, or by its stopping rule.

    What the rule says is computed again from the hospitals' evaluations.
    """
    if record.state != TrainingState.ENDED or record.reason:
        return False
    return record.next_round > plan.rounds or bool(rule_reason(plan, record, attempts))


def rule_reason(plan: Plan, record: TrainingRecord, attempts: list[AttemptRow]) -> str:
    """What the stopping rule says after the last round that the ledger has; "" where nothing."""
    done = record.next_round - 1
    if plan.stopping is None or not 0 < done < plan.rounds:
        return ""
    return plan.stopping.reason(accuracies(reports(attempts), done))


def last_round(row: TrainingRow) -> int:
    """The round that made a finished training's model: its last, or where its rule ended it."""
    return max(reports(row.attempts), default=0) if row.reason else row.rounds


def pooled(attempts: list[AttemptRow]) -> NDArray[np.int64] | None:
    """The confusion matrix of the last finalised model over all hospitals' test rows."""
    models = [a for a in attempts if a.state == FINALISED and is_update(a.round) and a.evaluations]
    if not models:
        return None
    last = max(models, key=lambda attempt: attempt.round)
    total = np.zeros_like(np.array(last.evaluations[0].confusion, dtype=np.int64))
    for evaluation in last.evaluations:
        total += np.array(evaluation.confusion, dtype=np.int64)
    return total
