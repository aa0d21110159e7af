"""The model in use as a file for a browser, which checks it and predicts by itself.

JSON (docs/formats.md). The model and the statistics are in it as the very bytes that the chain has
the hashes of; beside them stands what turns a patient's values into inputs and the model's score
into the risk that the server tells. A browser that follows it gets the server's answer.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

from app.services.predictions import CheckedModel
from crypto.digest import model_bytes
from fl.calibration import HIGHEST, LOWEST, Z95, Calibration
from fl.datasets import Column, Task
from fl.datasets.asking import plausible_of
from fl.datasets.encoding import INPUT_BOUND
from fl.datasets.statistics import CONSTANT
from fl.datasets.units import asked_units
from fl.familiarity import FAR, RARE, Z99

FORMAT: Final = "consilium/device-model/v1"


def device_file(model: CheckedModel) -> bytes:
    """The file of a model that was compared with the chain."""
    task = model.plan.data
    body = model_bytes(model.plan.network, model.parameters)
    document = {
        "format": FORMAT,
        "task": task.name,
        "version": model.check.version,
        "model": b64encode(body).decode(),
        "statistics": model.statistics.to_json(),
        "columns": [_column(task, column) for column in task.columns],
        "classes": list(task.classes),
        "input_bound": INPUT_BOUND,
        "constant": CONSTANT,
        "familiarity": {"far": FAR, "rare": RARE, "z99": Z99},
        "calibration": _calibration(model.reports.fit()),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _column(task: Task, column: Column) -> dict[str, Any]:
    plausible = plausible_of(task, column)
    return {
        "name": column.name,
        "label": column.label,
        "kind": column.kind,
        "unit": column.unit,
        "low": column.low,
        "high": column.high,
        "categories": [[one.value, one.label] for one in column.categories],
        "zero_is_missing": column.zero_is_missing,
        "units": [[one.name, one.factor] for one in asked_units(column)],
        "plausible": None if plausible is None else [plausible.low, plausible.high],
    }


def _calibration(curve: Calibration | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "slope": curve.slope,
        "intercept": curve.intercept,
        "covariance": curve.covariance,
        "rows": curve.rows,
        "lowest": LOWEST,
        "highest": HIGHEST,
        "z95": Z95,
    }
