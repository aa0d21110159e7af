"""What the version that was in use before the one that answers says of the same values.

It is compared with the chain as the one in use is, and with the chain's order of promotions.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import ModelRefused
from app.models import DeploymentRow, PromotionRow, TrainingRow
from app.services.inference import Scorer, Values, features_of
from app.services.predictions import CheckedModel, Prediction, Predictions
from app.services.promotions import DONE
from app.services.training_outcome import last_round
from app.services.version_names import version_name, version_numbers, versions_of
from fl.datasets import Task, get_task

OTHER_VALUES = "That version was trained on other values than are asked for now."


@dataclass(frozen=True)
class Previous:
    """The version that was in use before, and the risk that it tells, with its 95 % interval.

    Without a risk, `refusal` says why there is none. `calibrated` tells whether the risk was fitted
    to test patients: two risks are on one scale only where both were.
    """

    training: str
    version: str
    model_sha256: str
    risk: float | None = None
    interval: tuple[float, float] | None = None
    calibrated: bool = False
    refusal: str = ""


def previous_answer(
    database: Database, predictions: Predictions, task: Task, made: Prediction, values: Values
) -> Previous | None:
    """The answer of the version before that of `made` to the same values; None without one."""
    with database.transaction() as session:
        row = _find_before(session, task.name, made.training)
        if row is None:
            return None
        number = version_numbers(session, task.name).get(row.id, 0)
        known = row.id, version_name(number, row.id, last_round(row)), row.model_sha256 or ""
    try:
        model = predictions.load_before(task.name, made.training, row.id)
        risk, interval = _risk(model, values)
    except ModelRefused as refused:
        return Previous(*known, refusal=str(refused))
    return Previous(*known, risk, interval, interval is not None)


def _risk(model: CheckedModel, values: Values) -> tuple[float, tuple[float, float] | None]:
    """The risk with its interval, None where it is not calibrated. Raises ModelRefused."""
    data = model.plan.data
    if data.columns != get_task(data.name).columns:
        raise ModelRefused(OTHER_VALUES)
    curve = model.reports.fit()
    scorer = Scorer(model.plan, model.parameters, model.statistics, curve)
    features = features_of(data, values)
    risk, score = float(scorer.risks(features)[0]), float(scorer.shares(features)[0, -1])
    return risk, None if curve is None else curve.interval(score)


def _find_before(session: Session, task: str, training: str) -> TrainingRow | None:
    """The training whose model was in use right before, as the database tells; None if none was."""
    done = select(PromotionRow.training_id).filter_by(task=task, state=DONE)
    order = (PromotionRow.deployment_id.desc(), PromotionRow.position.desc())
    used = list(session.scalars(done.order_by(*order)))
    if training not in used:
        return _older(session, task, training)
    before = used[used.index(training) + 1 :]
    return session.get(TrainingRow, before[0]) if before else None


def _older(session: Session, task: str, training: str) -> TrainingRow | None:
    """With contracts from before promotions: the training that finished before, unattacked."""
    older = select(DeploymentRow.id).where(DeploymentRow.models.is_(None))
    honest = TrainingRow.simulation.is_(None), TrainingRow.deployment_id.in_(older)
    rows = list(session.scalars(versions_of(task).where(*honest)))
    place = next((at for at, row in enumerate(rows) if row.id == training), 0)
    return rows[place - 1] if place else None
