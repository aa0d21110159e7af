"""A patient's probabilities by the model in use, after every check that ties it to the chain.

The chain says which model is in use, and which one its training ended with; the database only keeps
bytes. So a prediction reads the training's record first, and uses nothing that does not hash to
what stands there: the plan (which network, which columns), the federation's statistics (how values
are scaled) and the model itself.

Contracts from before promotions name no model in use: there it is the latest finished training's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import ModelRefused, RequestError
from app.models import DeploymentRow, ResultRow, TrainingRow
from app.models.base import now
from app.services.calibrations import Reports, read_reports
from app.services.inference import Scorer, Values, features_of
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
from fl.datasets import Statistics, get_task
from fl.errors import FlError
from fl.networks import Parameters
from fl.plan import Plan

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
    """That a model was compared with the chain: when, at which block, in which contract.

    The model is what `training`, 64 hex digits, ended with after `round` rounds.
    """

    model_sha256: str
    version: str
    checked_at: datetime
    block: int
    contract: str
    training: str
    round: int


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
    statistics_sha256: str
    model_sha256: str
    version: str
    checked_at: datetime
    block: int
    contract: str
    training: str
    round: int


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
        features = features_of(get_task(task), values)
        model = self.load(task)
        data, curve = model.plan.data, model.reports.fit()
        scorer = Scorer(model.plan, model.parameters, model.statistics, curve)
        found = scorer.shares(features)[0]
        risk = float(scorer.risks(features)[0])
        told = found.tolist() if curve is None else [1 - risk, risk]
        known = model.check
        return Prediction(
            probability=dict(zip(data.classes, told, strict=True)),
            score=float(found[-1]),
            interval=None if curve is None else curve.interval(float(found[-1])),
            calibration=curve,
            explanation=explain(data, model.statistics, scorer.risks, features),
            statistics=model.statistics,
            statistics_sha256=model.statistics_sha256,
            model_sha256=known.model_sha256,
            version=known.version,
            checked_at=known.checked_at,
            block=known.block,
            contract=known.contract,
            training=known.training,
            round=known.round,
        )

    def load(self, task: str) -> CheckedModel:
        """The model in use with all that it needs, compared with the chain. Raises ModelRefused."""
        with self._database.transaction() as session:
            return self._compared(session, _get_training(session, task), _check_in_use)

    def load_before(self, task: str, training: str, before: str) -> CheckedModel:
        """The last model of the training `before`, once the chain says that it was in use right
        before that of `training`. Raises ModelRefused.
        """
        with self._database.transaction() as session:
            row = session.get(TrainingRow, before)
            if row is None or row.task != task:
                raise ModelRefused("The database no longer holds the training of that model.")
            if row.simulation is not None:
                raise ModelRefused("That model was attacked on purpose: it is for teaching.")
            return self._compared(session, row, _check_used_before(training))

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


def _check_used_before(training: str) -> CheckRecord:
    """Of a model: it was in use right before that of `training`, the last time that one came."""

    def check(ledger: LedgerReader, row: TrainingRow, record: TrainingRecord) -> None:
        if ledger.promotions is None:
            return
        history = ledger.promotions.history(row.task)
        places = [at for at, one in enumerate(history) if one.training.hex() == training]
        found = history[places[-1] - 1] if places and places[-1] else None
        if found is None or (found.training.hex(), found.model) != (row.id, record.model):
            raise ModelRefused("The chain names another model that was in use before, or none.")

    return check


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
    check = Check(record.model.hex(), version, now(), found.block, found.contract, row.id, last)
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
