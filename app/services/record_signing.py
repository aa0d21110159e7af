"""Signing doctors' steps for the ledger, in their names, while their sessions have the key open.

Signing needs no chain: a doctor's transactions are numbered here. What cannot be signed yet, since
no chain is known, a colleague has no account, or an earlier step of the same record waits for its
own doctor, is signed on a later page.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    DeploymentRow,
    DoctorAccountRow,
    RecordChainRow,
    RecordStepRow,
    RecordTransactionRow,
    UserRow,
)
from app.services.doctor_accounts import addresses_of, open_account
from app.services.open_keys import OpenKey
from app.services.record_steps import EMERGENCY, ERASE, OVERTAKEN, REQUEST, SEAL
from contracts.artifact import RECORDS
from contracts.interface import interface
from crypto.errors import CryptoError

# Twice what sealing among sixteen doctors takes.
GAS: Final = 1_500_000

# So many are signed on one page; the next one goes on.
MOST: Final = 50

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chain:
    """The chain for which is signed: the newest deployment's."""

    chain_id: int
    genesis_hash: str
    contract: str
    gas_price: int


class RecordSigning:
    """Signs the steps of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign_waiting(self, doctor: UserRow, key: OpenKey) -> int:
        """Sign what waits of the doctor's steps and can be signed now; how many were."""
        with self._database.transaction() as session:
            chain = find_chain(session) if unsigned(session, doctor.id) else None
        if chain is None:
            return 0
        try:
            with self._database.transaction() as session:
                _lock(session, key.number)
                account = open_account(session, key.number, key.private)
                if account is None:
                    return 0
                signed = (
                    step
                    for step in unsigned(session, doctor.id)
                    if _sign(session, chain, account, step)
                )
                return len(list(islice(signed, MOST)))
        except CryptoError as error:
            # The check of the ledger names it; nobody's work waits for it.
            _logger.warning("the account of doctor %s does not open: %s", doctor.id, error)
            return 0


def find_chain(session: Session) -> Chain | None:
    """The chain for which is signed, or None before the worker noted one."""
    query = (
        select(DeploymentRow, RecordChainRow)
        .join(RecordChainRow, RecordChainRow.deployment_id == DeploymentRow.id)
        .order_by(DeploymentRow.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    made, chain = found
    return Chain(made.chain_id, made.genesis_hash, chain.contract, chain.gas_price)


def unsigned(session: Session, doctor: int) -> Sequence[RecordStepRow]:
    """The doctor's steps without a transaction that counts, the oldest first."""
    query = select(RecordStepRow).filter_by(user_id=doctor).where(~_signed())
    return session.scalars(query.order_by(RecordStepRow.id)).all()


def call_of(session: Session, step: RecordStepRow) -> list[Any] | None:
    """The arguments of a step's call; None while a doctor of its group has no account."""
    record, details = bytes.fromhex(step.record), json.loads(step.details)
    if step.kind == SEAL:
        doctors = addresses_of(session, details["keys"])
        return None if doctors is None else [record, tuple(doctors), details["quorum"]]
    if step.kind == ERASE:
        return [record]
    opening = bytes.fromhex(step.opening_id)
    if step.kind in (REQUEST, EMERGENCY):
        return [record, opening, bytes.fromhex(details["reason"])]
    return [opening]


def _lock(session: Session, key: int) -> None:
    """Let one window at a time sign with an account. A write locks on every database."""
    row = update(DoctorAccountRow).filter_by(key_id=key).values(key_id=DoctorAccountRow.key_id)
    session.execute(row.execution_options(synchronize_session=False))


def _sign(session: Session, chain: Chain, account: LocalAccount, step: RecordStepRow) -> bool:
    """Sign one; whether its turn has come."""
    before = select(RecordStepRow.id).filter_by(patient_id=step.patient_id)
    waits = before.where(RecordStepRow.id < step.id, ~_signed()).limit(1)
    arguments = call_of(session, step)
    if arguments is None or session.scalar(waits) is not None:
        return False
    used = select(func.max(RecordTransactionRow.nonce)).filter_by(
        genesis_hash=chain.genesis_hash, account=account.address
    )
    newest = session.scalar(used)
    nonce = 0 if newest is None else newest + 1
    signed = account.sign_transaction(
        {
            "to": to_canonical_address(chain.contract),
            "data": interface(RECORDS).call_data(step.kind, arguments),
            "nonce": nonce,
            "gas": GAS,
            "gasPrice": chain.gas_price,
            "value": 0,
            "chainId": chain.chain_id,
        }
    )
    session.add(
        RecordTransactionRow(
            step_id=step.id,
            genesis_hash=chain.genesis_hash,
            account=account.address,
            nonce=nonce,
            transaction="0x" + signed.hash.hex(),
            raw=bytes(signed.raw_transaction),
        )
    )
    session.flush()
    return True


def _signed() -> Any:
    """That a step has a transaction that counts."""
    counts = RecordTransactionRow.outcome != OVERTAKEN
    return (
        select(RecordTransactionRow.id)
        .where(RecordTransactionRow.step_id == RecordStepRow.id, counts)
        .exists()
    )
