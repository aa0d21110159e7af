"""The hospitals' test rows beside what a training's final model says of each.

Only a simulation on one machine can put them into one file: in a federation each hospital has its
own rows and nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from app.services.parties import load_tables
from app.services.predictions import CheckedModel, Predictions
from app.services.tables import Column, Table
from fl.datasets import Column as Measured
from fl.datasets import Task, encode, split
from fl.training import probabilities


class PredictedRows:
    """Predicts rows by trainings' models, after every check that ties a model to the chain."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def table(self, training: str) -> Table:
        """A row for each test row: hospital, its number there, values, truth, prediction, chances.

        Raises ModelRefused, with a sentence that says which check failed, and RequestError where
        there is no such training.
        """
        model = self._predictions.load_training(training)
        task = model.plan.data
        chances = [f"probability_{place}" for place in range(len(task.classes))]
        return Table(
            "predicted_rows",
            "Test rows with predictions",
            f"Every hospital’s test rows; the model is {model.check.model_sha256}.",
            (
                Column("hospital", "Hospital"),
                Column("row", "Row", "number"),
                *(Column(one.name, _heading(one)) for one in task.columns),
                Column("truth", "In truth"),
                Column("prediction", "The model says"),
                *(
                    Column(name, f"Probability of {known}", "figure")
                    for name, known in zip(chances, task.classes, strict=True)
                ),
            ),
            tuple(_rows(model, task)),
        )


def _rows(model: CheckedModel, task: Task) -> Iterator[tuple[Any, ...]]:
    for hospital, table in load_tables(model.plan).items():
        test = split(table, model.plan.split).test
        if not len(test):
            continue
        inputs = encode(task, test.features, model.statistics)
        shares = probabilities(model.plan.spec, model.parameters, inputs)
        for number, (values, label, row) in enumerate(
            zip(test.features, test.labels, shares, strict=True), start=1
        ):
            yield (
                hospital,
                number,
                *(_value(c, value) for c, value in zip(task.columns, values, strict=True)),
                task.classes[label],
                task.classes[row.argmax()],
                *(round(float(share), 6) for share in row),
            )


def _value(column: Measured, value: float) -> Any:
    """As a person reads it; None where it is missing."""
    if np.isnan(value):
        return None
    if column.kind == "number":
        return float(value)
    return column.categories[int(value)].label


def _heading(column: Measured) -> str:
    return f"{column.label}, {column.unit}" if column.unit else column.label
