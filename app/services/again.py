"""The request of a training that is there, for whoever wants the same once more."""

from __future__ import annotations

import math
from dataclasses import replace

from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import JobRow, TrainingRow
from app.services.requests import TrainingRequest
from app.services.simulation import Simulation, simulation_of
from fl.errors import FlError
from fl.plan import Plan
from fl.verdict import Rule

# Shares are asked for in percent with four decimals.
_PARTS = 1_000_000


def request_again(database: Database, which: str) -> TrainingRequest:
    """What was asked for in a training (its identifier) or a job (its number).

    Of a training it is what its plan says, so that the plan comes out the same whoever began it and
    whatever the defaults are by now. Raises RequestError when there is none such.
    """
    with database.transaction() as session:
        training = session.get(TrainingRow, which)
        job = _job(session, which)
        if training is None and job is not None and job.training_id is not None:
            training = session.get(TrainingRow, job.training_id)
        if training is not None:
            return _of_training(training)
        if job is not None:
            return TrainingRequest.from_json(job.request)
    raise RequestError("There is no such training in this installation.")


def _job(session: Session, which: str) -> JobRow | None:
    return (
        session.get(JobRow, int(which))
        if which.isascii() and which.isdecimal() and len(which) < 10
        else None
    )


def _of_training(row: TrainingRow) -> TrainingRequest:
    try:
        plan = Plan.from_json(row.plan)
    except FlError as error:
        raise RequestError(f"The training’s plan cannot be read: {error}.") from error
    kind = plan.partition.kind
    dealt = kind != "natural"
    names = tuple(hospital.name for hospital in plan.hospitals)
    rule = plan.review.rule if plan.review else Rule()
    stopping = plan.stopping
    simulation = Simulation.from_row(row.simulation)
    asked = TrainingRequest(
        task=plan.task,
        hospitals=plan.partition.hospitals if dealt else names,
        partition=None if kind == "natural" else kind,
        alpha=plan.partition.alpha if dealt else None,
        rounds=plan.rounds,
        local_epochs=plan.local.epochs,
        learning_rate=plan.local.learning_rate,
        seed=plan.seed,
        review=plan.review is not None,
        fraction=f"{rule.numerator}/{rule.denominator}",
        donated_rows=plan.split.donated_rows,
        decay=plan.local.decay,
        share=_share(plan),
        stop_accuracy=stopping.accuracy if stopping else None,
        patience=stopping.patience if stopping else None,
        joining=tuple(name for name, _ in plan.partition.sources) if dealt else None,
    )
    if simulation is None:
        return asked
    if simulation.kinds:
        kinds = tuple((kind, len(attackers)) for kind, attackers in simulation.by_kind.items())
        return replace(asked, attacks=kinds)
    asked = replace(asked, attack=simulation.attack, attackers=len(simulation.attackers))
    if simulation_of(asked, names) == simulation:
        return asked
    # Not those that the seed draws: somebody chose them by name.
    return replace(asked, attackers=simulation.attackers)


def _share(plan: Plan) -> float:
    """A share that gives the plan's number of hospitals once it is rounded up."""
    if plan.sampled is None:
        return 1.0
    return math.floor(_PARTS * plan.sampled / len(plan.hospitals)) / _PARTS
