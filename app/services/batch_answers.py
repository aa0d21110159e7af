"""Answers for many rows by one model that was compared with the chain, without the reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from app.services.batch_sealing import Answers, Row, RowAnswer
from app.services.inference import Scorer
from app.services.predictions import CheckedModel
from fl.familiarity import Familiarity, compare

# Sentences on what makes a patient unlike those who were trained on.
Tell = Callable[[Familiarity], Iterable[str]]


def answer_rows(
    model: CheckedModel, rows: Sequence[Row], with_unusual: bool, tell: Tell
) -> Answers:
    """What the model says of each row: the same numbers as when a row is asked for alone.

    Rows with doubts are left out (None) unless `with_unusual`.
    """
    asked = [one for one in rows if with_unusual or not one.doubts]
    answers = iter(_answers(model, asked, tell) if asked else ())
    told = tuple(next(answers) if with_unusual or not one.doubts else None for one in rows)
    return Answers(model.check.model_sha256, model.check.version, told)


def _answers(model: CheckedModel, rows: Sequence[Row], tell: Tell) -> list[RowAnswer]:
    task = model.plan.data
    features = np.array([one.values for one in rows], dtype=np.float64)  # None becomes NaN.
    curve = model.reports.fit()
    scorer = Scorer(model.plan, model.parameters, model.statistics, curve)
    scores = scorer.shares(features)[:, -1]
    risks = scorer.calibrated(scores)
    return [
        RowAnswer(
            risk=float(risk),
            score=float(score),
            interval=None if curve is None else curve.interval(float(score)),
            warnings=(*row.doubts, *tell(compare(task, values[None], model.statistics))),
        )
        for row, values, score, risk in zip(rows, features, scores, risks, strict=True)
    ]
