"""`run.py calibration`: whether models' probabilities come true as often as they say."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.errors import RequestError
from app.services.chain_access import ChainAccess
from app.services.dossier import Dossiers
from app.services.federation import Federation, open_federation
from app.services.predictions import CheckedModel, Predictions
from config import Settings
from fl.calibration import Error
from fl.datasets import task_names

_ROWS = (("calibration error", "expected_calibration_error"), ("Brier score", "brier_score"))


def calibration(args: argparse.Namespace) -> int:
    """Judge the models in use, or one training's, on rows that no curve was fitted to.

    Raises RequestError where there is no model, and ModelRefused where one was altered.
    """
    settings = Settings()
    with open_federation(settings) as federation:
        access = ChainAccess(settings, federation.database)
        predictions = Predictions(federation.database, access.open)
        documents = [
            _judged(predictions.load_training(training))
            for training in _chosen(federation, predictions, args.training)
        ]
    if not documents:
        raise RequestError("No model is in use: python3 run.py train makes one.")
    if args.json:
        sys.stdout.write(json.dumps(documents, indent=2) + "\n")
    else:
        for one in documents:
            _show(one)
    return 0


def _chosen(federation: Federation, predictions: Predictions, asked: str | None) -> Iterator[str]:
    if asked is not None:
        yield Dossiers(federation.database, federation.ledger).training(asked)
        return
    for task in task_names():
        if (model := predictions.find_model(task)) is not None:
            yield model.training


def _judged(model: CheckedModel) -> dict[str, Any]:
    """What is known of one model: keys as `--json` has them, None where there are too few rows."""
    found = model.reports.held_out()
    curve = model.reports.fit()
    return {
        "task": model.plan.task,
        "title": model.plan.data.title,
        "version": model.check.version,
        "model_sha256": model.check.model_sha256,
        "hospitals": list(model.reports.scores),
        "test_rows": model.reports.rows,
        "slope": curve.slope if curve else None,
        "intercept": curve.intercept if curve else None,
        "held_out": {"before": _error(found.before), "after": _error(found.after)}
        if found
        else None,
    }


def _error(error: Error) -> dict[str, float]:
    return {
        "expected_calibration_error": round(error.expected, 4),
        "brier_score": round(error.brier, 4),
    }


def _show(one: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"{one['title']}, {one['version']}", markup=False)
    if one["held_out"] is None:
        console.print("Too few test rows of a class to calibrate by.\n")
        return
    console.print(
        f"Fitted to {one['test_rows']} test rows of {len(one['hospitals'])} hospitals: slope "
        f"{one['slope']:.2f}, intercept {one['intercept']:+.2f}."
    )
    table = Table(box=SIMPLE)
    table.add_column("on held-out rows")
    for column in ("model's own", "calibrated"):
        table.add_column(column, justify="right")
    before, after = one["held_out"]["before"], one["held_out"]["after"]
    for words, key in _ROWS:
        table.add_row(words, f"{before[key]:.3f}", f"{after[key]:.3f}")
    console.print(table)
