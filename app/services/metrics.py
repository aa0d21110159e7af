"""What hospitals reported of a round's model, as figures: by hospital and over all of them.

A share is of rows; None stands where a figure was not reported, or where it is not defined (the AUC
of rows of one class).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.models import EvaluationRow
from fl.calibration import GROUPS, groups
from fl.errors import TrainingError
from fl.evaluation import BINS, area_under_curve, log_loss
from fl.training import accuracy, balanced_accuracy

Figures = dict[str, Any]


def hospital_figures(row: EvaluationRow) -> Figures:
    """A hospital's own figures.

    Keys: name; test and train, each with rows, accuracy, balanced_accuracy and confusion (truth by
    prediction), the test with auc and loss as well; train is None where it was not reported.
    """
    return {
        "name": row.hospital,
        "train": _part(row.train_confusion),
        "test": _tested(row.confusion, row.score_counts),
    }


def pooled_figures(rows: Sequence[EvaluationRow]) -> Figures | None:
    """The figures over all hospitals' rows, as `hospital_figures` without the name.

    What one hospital did not report has no sum. None without any report.
    """
    if not rows:
        return None
    return {
        "train": _part(_sum([row.train_confusion for row in rows])),
        "test": _tested(
            _sum([row.confusion for row in rows]), _sum([row.score_counts for row in rows])
        ),
    }


def round_figures(rows: Sequence[EvaluationRow]) -> Figures:
    """What a round's line shows over all hospitals.

    Keys: train_accuracy; balanced_accuracy, auc and loss (mean cross-entropy, in nats, of scores
    counted in bins), of the test rows; test_rows, how many these are, None without a report.
    """
    pooled = pooled_figures(rows) or {"train": None, "test": {}}
    return {
        "train_accuracy": (pooled["train"] or {}).get("accuracy"),
        "balanced_accuracy": pooled["test"].get("balanced_accuracy"),
        "auc": pooled["test"].get("auc"),
        "loss": pooled["test"].get("loss"),
        "test_rows": pooled["test"].get("rows"),
    }


def reliability(rows: Sequence[EvaluationRow]) -> list[Figures] | None:
    """How often the scores of the hospitals' test rows came true, by tenths of the score.

    Keys: low and high, the bounds; rows; said, the mean score; came_true, the share of rows of the
    second class. Tenths without rows are left out; None without scores in `fl.evaluation`'s bins.
    """
    counts = [np.array(one.score_counts or (), dtype=np.float64) for one in rows]
    if not counts or any(one.shape != (2, BINS) for one in counts):
        return None
    return [
        {
            "low": group.low,
            "high": group.low + 1 / GROUPS,
            "rows": int(group.rows),
            "said": group.expected / group.rows,
            "came_true": group.positive / group.rows,
        }
        for group in groups(np.sum(counts, axis=0))
    ]


def _tested(confusion: Any, scores: Any) -> Figures | None:
    found = _part(confusion)
    return found and found | {
        "auc": area_under_curve(scores) if scores else None,
        "loss": log_loss(scores) if scores else None,
    }


def _part(confusion: Any) -> Figures | None:
    if confusion is None:
        return None
    counts = np.array(confusion, dtype=np.int64)
    shares: Figures
    try:
        shares = {"accuracy": accuracy(counts), "balanced_accuracy": balanced_accuracy(counts)}
    except TrainingError:
        shares = {"accuracy": None, "balanced_accuracy": None}  # A hospital without such rows.
    return {"rows": int(counts.sum()), **shares, "confusion": counts.tolist()}


def _sum(tables: list[Any]) -> list[list[int]] | None:
    """The tables added up; None where one is missing, or where there is nothing to add."""
    if not all(tables):
        return None
    total: list[list[int]] = np.sum([np.array(one, dtype=np.int64) for one in tables], 0).tolist()
    return total
