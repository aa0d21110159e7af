"""A finished model as a file, for a hospital that may be handed one: the ledger says which may.

The model is the application's copy, and leaves only when it is the one that the chain names. A
prediction is made here and hands no model out, so it asks for no permission. Administrators and
auditors, who answer for it and check it, get any model as a safetensors file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import ModelRefused
from app.models import DeploymentRow, PartyRow, ResultRow, TrainingRow
from app.services.federation import HOSPITAL
from app.services.model_file import safetensors_file
from app.services.training_outcome import FINISHED, last_round
from app.services.version_names import version_name, version_numbers
from contracts.errors import LedgerError
from contracts.reader import LedgerReader
from contracts.records import Permission, TrainingRecord, TrainingState
from fl.datasets import get_task


@dataclass(frozen=True)
class OwnModel:
    """A finished training's last model in which a hospital took part, as the database tells."""

    training: str
    task: str
    version: str
    sha256: str
    rounds: int
    ended_at: datetime

    @property
    def title(self) -> str:
        """What was learnt."""
        return get_task(self.task).title


class ModelDownloads:
    """Models for hospitals; `open_ledger` opens the contract or raises a LedgerError."""

    def __init__(self, database: Database, open_ledger: Callable[[], LedgerReader]) -> None:
        self._database = database
        self._open_ledger = open_ledger

    def of_hospital(self, hospital: str, limit: int | None = 10) -> list[OwnModel]:
        """The finished models that the hospital's trainings ended with, the newest first.

        Those of simulated attacks are left out: they are for teaching.
        """
        query = (
            select(TrainingRow)
            .filter_by(state=FINISHED)
            .where(TrainingRow.simulation.is_(None), TrainingRow.model_sha256.is_not(None))
            .order_by(TrainingRow.ended_at.desc())
        )
        with self._database.transaction() as session:
            account = _account(session, hospital)
            rows = [row for row in session.scalars(query) if account in _hospitals(row)]
            tasks = {row.task for row in rows}
            numbers = {task: version_numbers(session, task) for task in tasks}
            return [
                OwnModel(
                    row.id,
                    row.task,
                    version_name(numbers[row.task][row.id], row.id, last_round(row)),
                    row.model_sha256,
                    last_round(row),
                    row.ended_at,
                )
                for row in rows[:limit]
                if row.model_sha256 and row.ended_at
            ]

    def get(self, hospital: str, training: str) -> tuple[OwnModel, bytes]:
        """A model of the hospital with its canonical bytes.

        Raises ModelRefused where the hospital's account does not hold DOWNLOADER now, took no part,
        or the stored bytes are not those that the chain names.
        """
        known = self.of_hospital(hospital, None)
        own = next((one for one in known if one.training == training), None)
        if own is None:
            raise ModelRefused(f"{hospital} has no finished model of this training.")
        with self._database.transaction() as session:
            row = session.get_one(TrainingRow, training)
            deployment = session.get_one(DeploymentRow, row.deployment_id)
            account = _account(session, hospital) or ""
            stored = session.get(ResultRow, own.sha256)
        self._require_permission(deployment.contract, hospital, account, own)
        if stored is None or sha256(stored.body).hexdigest() != own.sha256:
            raise ModelRefused("The stored model is missing or was altered: it is not handed out.")
        return own, stored.body

    def file(self, training: str) -> tuple[str, bytes]:
        """The task of a finished training, and its model as a safetensors file.

        Whoever asks has the right to it: `get` finds out for a hospital. Raises ModelRefused where
        there is none, it was attacked on purpose, or what is stored is not what the chain names.
        """
        with self._database.transaction() as session:
            row = session.get(TrainingRow, training)
            if row is None or row.state != FINISHED or row.simulation is not None:
                raise ModelRefused("There is no model of this training for use.")
            contract = session.get_one(DeploymentRow, row.deployment_id).contract
            record = self._record(contract, training)
            model = _stored(session, record.model)
            statistics = _stored(session, record.statistics or b"")
            plan_says = row.plan_sha256 == record.config_hash.hex() and row.task == record.task
        if not plan_says:
            raise ModelRefused("The chain names another plan than the database.")
        digest, rounds = record.model.hex(), record.next_round - 1
        task = get_task(record.task)
        return task.name, safetensors_file(model, statistics, task, training, rounds, digest)

    def _record(self, contract: str, training: str) -> TrainingRecord:
        try:
            with closing(self._open_ledger()) as ledger:
                if ledger.contract != contract:
                    raise ModelRefused("The model was recorded in another contract than today’s.")
                record = ledger.training(bytes.fromhex(training))
        except LedgerError as error:
            raise ModelRefused(
                "The chain cannot be asked just now which model it names."
            ) from error
        if record.state != TrainingState.ENDED or record.reason:
            raise ModelRefused("The chain does not say that the model's training finished.")
        return record

    def _require_permission(
        self, contract: str, hospital: str, account: str, own: OwnModel
    ) -> None:
        try:
            with closing(self._open_ledger()) as ledger:
                if ledger.contract != contract:
                    raise ModelRefused("The model was recorded in another contract than today’s.")
                if not ledger.registry.has(Permission.DOWNLOADER, account):
                    raise ModelRefused(
                        f"The ledger does not let {hospital} be handed a model: its account does "
                        "not hold DOWNLOADER."
                    )
                record = ledger.training(bytes.fromhex(own.training))
        except LedgerError as error:
            raise ModelRefused(
                "The chain cannot be asked just now whether the model may be handed out."
            ) from error
        if record.state != TrainingState.ENDED or record.model.hex() != own.sha256:
            raise ModelRefused("The chain names another model than the database.")


def _stored(session: Session, digest: bytes) -> bytes:
    """What is stored under a hash that the chain names. Raises ModelRefused."""
    row = session.get(ResultRow, digest.hex())
    if row is None or sha256(row.body).digest() != digest:
        raise ModelRefused("The stored model is missing or was altered: it is not handed out.")
    return row.body


def _hospitals(row: TrainingRow) -> set[str]:
    """The accounts of those that took part."""
    return {one["account"] for one in json.loads(row.plan)["hospitals"]}


def _account(session: Session, hospital: str) -> str | None:
    query = select(PartyRow.account).filter_by(name=hospital, role=HOSPITAL)
    return session.scalar(query)
