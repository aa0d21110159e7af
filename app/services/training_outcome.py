"""What a training left, as its row tells it: the last model, the statistics, the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.models import AttemptRow, TrainingRow
from app.services.round_names import is_update
from app.stores.rounds import FINALISED
from contracts.records import TrainingRecord
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
