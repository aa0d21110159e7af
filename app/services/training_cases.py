"""The cases that a training takes: each hospital's, as they are when it begins, until it ends.

A hospital keeps the sealed cases of a training beside its state of it, so that one that was
interrupted goes on with the same rows; with the training's end they go. In a training with
simulated attackers there are none: patients agreed to a model, not to a demonstration.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import CaseRow
from app.services.cases import open_case
from app.services.federation import Federation
from app.services.keys import party_folder
from app.services.passphrase import PARTIES
from app.services.record_check import as_logged
from app.stores.party_files import PartyFiles
from crypto.context import canonical, parse
from crypto.errors import CryptoError
from fl.datasets import Table
from fl.plan import Plan

logger = logging.getLogger(__name__)

# Where a party keeps its state of trainings.
_STATE: Final = "state"
_FROZEN: Final = "consilium/training-cases/v1"


def with_cases(
    federation: Federation, training: str, plan: Plan, tables: Mapping[str, Table]
) -> dict[str, Table]:
    """The hospitals' tables with the cases that this training takes.

    A case that does not open, or whose record is not as the audit log says, is left out.
    """
    return {
        name: _joined(federation, training, plan, name, table) for name, table in tables.items()
    }


def drop_cases(federation: Federation, training: str) -> None:
    """Erase what hospitals kept for a training that ends, whichever they are."""
    parties = federation.settings.instance_dir / PARTIES
    for folder in parties.glob(f"*/{_STATE}/{training}"):
        PartyFiles(folder.parent).erase(_place(training))


def count_cases(database: Database, task: str) -> dict[str, int]:
    """How many cases each hospital has for the next training of a task."""
    number = func.count().label("number")
    query = select(CaseRow.hospital, number).where(CaseRow.task == task).group_by(CaseRow.hospital)
    with database.transaction() as session:
        return {row.hospital: row.number for row in session.execute(query)}


def _joined(
    federation: Federation, training: str, plan: Plan, hospital: str, table: Table
) -> Table:
    def freeze() -> bytes:
        with federation.database.transaction() as session:
            return canonical(_FROZEN, [list(one) for one in _sound(session, hospital, plan.task)])

    _, boxes = parse(_store(federation, hospital).remember(_place(training), freeze))
    if not boxes:
        return table
    key, cases = federation.key_ring.case_key(hospital), []
    for patient, box in boxes:
        try:
            cases.append(open_case(key, hospital, plan.data, patient, box))
        except CryptoError as error:
            logger.warning("a case of %s is left out: %s", hospital, error)
    features = np.array([values for values, _ in cases]).reshape(len(cases), len(plan.data.columns))
    labels = np.array([label for _, label in cases], dtype=np.int64)
    return replace(table, cases=Table(features.astype(np.float64), labels))


def _sound(session: Session, hospital: str, task: str) -> list[tuple[str, bytes]]:
    """Patients and boxes of cases whose records are as the audit log says."""
    query = select(CaseRow).filter_by(hospital=hospital, task=task).order_by(CaseRow.patient_id)
    rows = session.scalars(query).all()
    sound = as_logged(session, {row.patient_id for row in rows})
    if altered := len(rows) - len(sound):
        logger.warning(
            "%d cases of %s are left out: their records are not as the audit log says",
            altered,
            hospital,
        )
    return [(row.patient_id, row.sealed) for row in rows if row.patient_id in sound]


def _place(training: str) -> str:
    return f"{training}/cases"


def _store(federation: Federation, hospital: str) -> PartyFiles:
    parties = federation.settings.instance_dir / PARTIES
    return PartyFiles(party_folder(parties, hospital) / _STATE)
