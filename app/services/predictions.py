"""A patient's probabilities by the model in use, after every check that ties it to the chain.

The chain says which model is in use, and which one its training ended with; the database only keeps
bytes. So a prediction reads the training's record first, and uses nothing that does not hash to
what stands there: the plan (which network, which columns), the federation's statistics (how values
are scaled) and the model itself.

Contracts from before promotions name no model in use: there it is the latest finished training's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import ModelRefused, RequestError
from app.models import DeploymentRow, ResultRow, TrainingRow
from app.models.base import now
from app.services.calibrations import Reports, read_reports
from app.services.promotions import newest
from app.services.reasons import Explanation, explain
from app.services.training_outcome import FINISHED, has_finished, last_round
from app.services.version_names import SHORT, version_name, version_numbers
from contracts.errors import ChainUnreachable, LedgerError, NotFound
from contracts.reader import LedgerReader
from contracts.records import TrainingRecord
from crypto.digest import load_model
from crypto.errors import CryptoError
from fl.calibration import Calibration
from fl.datasets import Column, Statistics, Task, encode, get_task
from fl.errors import FlError
from fl.networks import Parameters, build
from fl.plan import Plan

Values = Mapping[str, float | None]
# Opens a connection to the contract; raises a LedgerError when that cannot be done.
OpenLedger = Callable[[], LedgerReader]
# A further check of a training's record; raises ModelRefused.
CheckRecord = Callable[[LedgerReader, TrainingRow, TrainingRecord], None]


@dataclass(frozen=True)
class ModelInUse:
    """The model that predicts for a task, as the database tells; not checked yet."""

    training: str
    number: int
    rounds: int
    model_sha256: str
    ended_at: datetime
    accuracy: float | None

    @property
    def version(self) -> str:
        """What it is called: "version 3 (b30004e2, round 5)"."""
        return version_name(self.number, self.training, self.rounds)


@dataclass(frozen=True)
class Check:
    """That a model was compared with the chain: when, at which block, in which contract."""

    model_sha256: str
    version: str
    checked_at: datetime
    block: int
    contract: str


@dataclass(frozen=True)
class Prediction:
    """Probability per class, by the class's name, in the task's order; why; and the check before.

    What is explained is the probability of the last class, the disease. `score` is what the model
    itself says of that; with a `calibration` the probability differs from it and lies in `interval`
    with 95 %. `statistics` are those that scaled the values and stood in for missing ones.
    """

    probability: Mapping[str, float]
    score: float
    interval: tuple[float, float] | None
    calibration: Calibration | None
    explanation: Explanation
    statistics: Statistics
    model_sha256: str
    version: str
    checked_at: datetime
    block: int
    contract: str


@dataclass(frozen=True)
class CheckedModel:
    """A training's last model with all that it needs, after it was compared with the chain.

    `statistics_sha256` is the hash that the chain names, 64 hex digits; `reports` is what hospitals
    say of the model, under their signature.
    """

    plan: Plan
    statistics: Statistics
    statistics_sha256: str
    parameters: Parameters
    check: Check
    reports: Reports


@dataclass(frozen=True)
class _OnChain:
    """What the chain holds of a training, and where and when that was read."""

    record: TrainingRecord
    block: int
    contract: str
    chain_id: int


class Predictions:
    """Predicts with the model in use of a task."""

    def __init__(self, database: Database, open_ledger: OpenLedger) -> None:
        self._database = database
        self._open_ledger = open_ledger

    def find_model(self, task: str) -> ModelInUse | None:
        """The model in use for a task, or None; a look into the database alone."""
        with self._database.transaction() as session:
            row = _find_training(session, task)
            if row is None or row.model_sha256 is None or row.ended_at is None:
                return None
            number = version_numbers(session, task).get(row.id)
            if number is None:
                return None  # Its row was altered: no version of this task has this name.
            made = last_round(row)
            return ModelInUse(row.id, number, made, row.model_sha256, row.ended_at, row.accuracy)

    def check(self, task: str) -> Check:
        """Compare the model in use with the chain. Raises ModelRefused."""
        return self.load(task).check

    def statistics(self, task: str) -> Statistics:
        """The statistics by which the model in use scales values, compared with the chain.

        Raises ModelRefused.
        """
        return self.load(task).statistics

    def predict(self, task: str, values: Values) -> Prediction:
        """The probabilities of a patient's `values`: by column, as stored, None where missing.

        Raises ModelRefused, with a sentence that says which check failed, and RequestError for a
        value that its column does not allow.
        """
        features = _features(get_task(task), values)
        model = self.load(task)
        data, module = model.plan.data, build(model.plan.spec, model.parameters).double().eval()
        curve = model.reports.fit()

        def shares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return probabilities(module, encode(data, rows, model.statistics))

        def risks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            scores = shares(rows)[:, -1]
            return scores if curve is None else curve.apply(scores)

        found = shares(features)[0]
        risk = float(risks(features)[0])
        told = found.tolist() if curve is None else [1 - risk, risk]
        known = model.check
        return Prediction(
            probability=dict(zip(data.classes, told, strict=True)),
            score=float(found[-1]),
            interval=None if curve is None else curve.interval(float(found[-1])),
            calibration=curve,
            explanation=explain(data, model.statistics, risks, features),
            statistics=model.statistics,
            model_sha256=known.model_sha256,
            version=known.version,
            checked_at=known.checked_at,
            block=known.block,
            contract=known.contract,
        )

    def load(self, task: str) -> CheckedModel:
        """The model in use with all that it needs, compared with the chain. Raises ModelRefused."""
        with self._database.transaction() as session:
            return self._compared(session, _get_training(session, task), _check_in_use)

    def load_training(self, training: str) -> CheckedModel:
        """The last model of a finished training, also of one that was attacked on purpose.

        Raises ModelRefused, and RequestError where there is no such training.
        """
        with self._database.transaction() as session:
            row = session.get(TrainingRow, training)
            if row is None:
                raise RequestError("There is no such training in this installation.")
            if row.state != FINISHED:
                raise ModelRefused("This training has not finished, so it has no final model.")
            return self._compared(session, row)

    def _compared(
        self, session: Session, row: TrainingRow, also: CheckRecord = lambda *_: None
    ) -> CheckedModel:
        """A training's model, after what stands in the contract; `also` asks the chain for more."""
        deployment = session.get_one(DeploymentRow, row.deployment_id)
        return _checked(session, row, self._record(row, deployment.contract, also))

    def _record(self, row: TrainingRow, contract: str, also: CheckRecord) -> _OnChain:
        """What the chain holds of the training."""
        try:
            with closing(self._open_ledger()) as ledger:
                if ledger.contract != contract:
                    raise ModelRefused(
                        f"The model was recorded in the contract {contract}, "
                        f"this installation's chain has {ledger.contract}."
                    )
                block = ledger.head().number
                record = ledger.training(bytes.fromhex(row.id))
                also(ledger, row, record)
                return _OnChain(record, block, contract, ledger.chain_id)
        except (NotFound, ValueError) as error:
            raise ModelRefused("The chain holds no record of the model's training.") from error
        except ChainUnreachable as error:
            raise ModelRefused(
                "The chain cannot be reached, so the model cannot be checked."
            ) from error
        except LedgerError as error:
            raise ModelRefused(f"The chain does not answer as it should: {error}.") from error


def _find_training(session: Session, task: str) -> TrainingRow | None:
    """The training whose model is in use, or None."""
    promoted = newest(session, task)
    if promoted is not None:
        return session.get(TrainingRow, promoted.training_id)
    # Contracts from before promotions; a model that was attacked on purpose is for teaching.
    older = select(DeploymentRow.id).where(DeploymentRow.models.is_(None))
    query = _finished(task).where(TrainingRow.deployment_id.in_(older))
    return session.scalars(query.order_by(TrainingRow.ended_at.desc()).limit(1)).first()


def _get_training(session: Session, task: str) -> TrainingRow:
    """The training whose model is in use. Raises ModelRefused."""
    row = _find_training(session, task)
    if row is None:
        title = get_task(task).title.lower()
        if session.scalars(_finished(task).limit(1)).first() is None:
            raise ModelRefused(f"No training of {title} has finished yet.")
        raise ModelRefused(f"No model of {title} is in use: an administrator has to promote one.")
    if row.simulation is not None:
        raise ModelRefused("The model in use was attacked on purpose: it is for teaching.")
    return row


def _finished(task: str) -> Select[TrainingRow]:
    query = select(TrainingRow).filter_by(task=task, state=FINISHED)
    return query.where(TrainingRow.simulation.is_(None))


def _check_in_use(ledger: LedgerReader, row: TrainingRow, record: TrainingRecord) -> None:
    """Raise ModelRefused unless the ledger says that this very model is in use."""
    if ledger.promotions is None:
        return
    found = ledger.promotions.find_in_use(row.task)
    if found is None:
        raise ModelRefused("The chain says of no model of this task that it is in use.")
    if (found.training.hex(), found.model) != (row.id, record.model):
        raise ModelRefused(
            "The chain names another model in use than the database: "
            f"that of {found.training.hex()[:SHORT]} there, that of {row.id[:SHORT]} here."
        )


def _checked(session: Session, row: TrainingRow, found: _OnChain) -> CheckedModel:
    record = found.record
    if record.statistics is None:
        raise ModelRefused("The chain holds no statistics of the model's training.")
    _check_named("plan", record.config_hash, row.plan_sha256)
    _check_named("model", record.model, row.model_sha256)
    _check_named("statistics", record.statistics, row.statistics_sha256)
    body, sums = (
        _stored(session, "model", record.model),
        _stored(session, "statistics", record.statistics),
    )
    try:
        plan = Plan.from_json(row.plan)
        if plan.digest() != record.config_hash:
            raise ModelRefused("The stored plan was altered: its hash is not the chain's.")
        statistics = Statistics.from_json(plan.data, sums.decode())
        network, parameters = load_model(body)
    except (FlError, CryptoError, ValueError) as error:
        raise ModelRefused(f"The stored model cannot be read: {error}.") from error
    if (network, plan.task) != (plan.network, row.task):
        raise ModelRefused(f"The stored model is one for {plan.task}, not for {row.task}.")
    if not has_finished(plan, record, row.attempts):
        raise ModelRefused("The chain does not say that the model's training finished.")
    last = record.next_round - 1
    version = version_name(_number(session, row), row.id, last)
    check = Check(record.model.hex(), version, now(), found.block, found.contract)
    training = bytes.fromhex(row.id)
    reports = read_reports(session, plan, training, last, found.chain_id, found.contract)
    return CheckedModel(plan, statistics, record.statistics.hex(), parameters, check, reports)


def _number(session: Session, row: TrainingRow) -> int:
    """Which version of its task a finished training made. Raises ModelRefused."""
    number = version_numbers(session, row.task).get(row.id)
    if number is None:
        raise ModelRefused("The database does not say that the model's training finished.")
    return number


def _check_named(what: str, recorded: bytes, stored: str | None) -> None:
    if stored != recorded.hex():
        raise ModelRefused(
            f"The chain names another {what} than the database: "
            f"{recorded.hex()[:SHORT]}… there, {(stored or 'none')[:SHORT]}… here."
        )


def _stored(session: Session, what: str, digest: bytes) -> bytes:
    row = session.get(ResultRow, digest.hex())
    if row is None:
        raise ModelRefused(f"The {what} that the chain names is not in the database.")
    found = sha256(row.body).hexdigest()
    if found != digest.hex():
        verb = "were" if what.endswith("s") else "was"
        raise ModelRefused(
            f"The stored {what} {verb} altered: the bytes hash to {found[:SHORT]}…, "
            f"the chain names {digest.hex()[:SHORT]}…."
        )
    return row.body


def _features(task: Task, values: Values) -> NDArray[np.float64]:
    """The values as a row, (1, columns). Raises RequestError."""
    names = [column.name for column in task.columns]
    if unknown := sorted(set(values) - set(names)):
        raise RequestError(f"Expected values of {', '.join(names)}; got {', '.join(unknown)}.")
    row = [_value(column, values.get(column.name)) for column in task.columns]
    if all(math.isnan(value) for value in row):
        raise RequestError("Enter at least one value: nothing is known of this patient.")
    return np.array([row], dtype=np.float64)


def _value(column: Column, value: float | None) -> float:
    if value is None:
        return math.nan
    if column.kind == "number":
        if not column.low <= value <= column.high:
            unit = f" {column.unit}" if column.unit else ""
            raise RequestError(
                f"{column.label}: expected {column.low:g} to {column.high:g}{unit}, got {value:g}."
            )
    elif value not in range(len(column.categories)):
        allowed = ", ".join(category.label for category in column.categories)
        raise RequestError(f"{column.label}: expected one of {allowed}, got {value:g}.")
    return float(value)


def probabilities(module: torch.nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probability of each class, (rows, classes), by a module of float64.

    In float64 the order of sums, another on each processor, counts for nothing: a doctor's own
    device finds the same (`app/services/device_model.py`).
    """
    with torch.inference_mode():
        logits = module(torch.from_numpy(inputs).double())
        shares: NDArray[np.float64] = torch.softmax(logits, dim=1).numpy()
    return shares
