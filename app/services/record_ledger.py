"""Doctors' signed steps, brought to the ledger by the worker, each once, in the order of signing.

They have an outbox of their own: that of the installation's accounts forgets what a chain does not
take, and what a doctor signed is signed again by nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import delete, select

from app.database import Database
from app.models import DeploymentRow, RecordChainRow, RecordStepRow, RecordTransactionRow
from app.services.federation import Federation
from app.services.record_steps import DONE, OVERTAKEN, REFUSED
from contracts.artifact import RECORDS
from contracts.chain import fund
from contracts.delivery import Delivery
from contracts.errors import Refused, RpcFailed
from contracts.outbox import MemoryOutbox
from contracts.rpc import Rpc

_logger = logging.getLogger(__name__)


def has_work(database: Database) -> bool:
    """Whether something is to be sent, or a step cannot be signed since no chain is noted."""
    with database.transaction() as session:
        waits = select(RecordTransactionRow.id).filter_by(outcome="").limit(1)
        if session.scalar(waits) is not None:
            return True
        step = session.scalar(select(RecordStepRow.id).limit(1))
        newest = session.scalar(select(DeploymentRow.id).order_by(DeploymentRow.id.desc()).limit(1))
        noted = newest is not None and session.get(RecordChainRow, newest) is not None
        return step is not None and not noted


def bring_up(federation: Federation) -> bool:
    """Send what waits, after the registry followed the people; whether nothing waits any more.

    Calling again is safe. Raises ChainUnreachable: what was not sent waits on.
    """
    with Rpc(federation.endpoint.url) as rpc:
        _note_chain(federation, rpc)
        waiting = _waiting(federation)
        try:
            fund(federation.endpoint, sorted({row.account for row in waiting}))
        except (Refused, RpcFailed) as error:
            _logger.warning("doctors’ accounts cannot pay for gas: %s", error)
            return False
        # An account's transactions go in the order of their numbers.
        stuck: set[str] = set()
        for row in waiting:
            held = row.account in stuck or _comes_too_early(federation.database, row)
            outcome = None if held else _send(rpc, row)
            if outcome is not None:
                _note(federation.database, row, outcome)
            if outcome in (None, OVERTAKEN):
                stuck.add(row.account)
        return not stuck


def _note_chain(federation: Federation, rpc: Rpc) -> None:
    """What signing needs to know; the price is doubled, since it may rise before it is paid."""
    price = 2 * int(rpc.call("eth_gasPrice"), 16)
    contract = federation.ledger.addresses[RECORDS]
    with federation.database.transaction() as session:
        session.merge(
            RecordChainRow(deployment_id=federation.deployment, contract=contract, gas_price=price)
        )


def _waiting(federation: Federation) -> Sequence[RecordTransactionRow]:
    with federation.database.transaction() as session:
        genesis = session.get_one(DeploymentRow, federation.deployment).genesis_hash
        query = select(RecordTransactionRow).filter_by(genesis_hash=genesis, outcome="")
        return session.scalars(query.order_by(RecordTransactionRow.id)).all()


def _comes_too_early(database: Database, row: RecordTransactionRow) -> bool:
    """Whether an earlier step of the same record is not there: this one would be refused."""
    mined = (
        select(RecordTransactionRow.id)
        .where(RecordTransactionRow.step_id == RecordStepRow.id)
        .where(RecordTransactionRow.outcome.in_((DONE, REFUSED)))
        .exists()
    )
    with database.transaction() as session:
        step = session.get_one(RecordStepRow, row.step_id)
        query = select(RecordStepRow.id).filter_by(patient_id=step.patient_id)
        earlier = query.where(RecordStepRow.id < step.id, ~mined).limit(1)
        return session.scalar(earlier) is not None


def _note(database: Database, row: RecordTransactionRow, outcome: str) -> None:
    """Note what became of one. Behind one that was overtaken all are signed again, in order."""
    with database.transaction() as session:
        session.get_one(RecordTransactionRow, row.id).outcome = outcome
        if outcome == OVERTAKEN:
            behind = delete(RecordTransactionRow).filter_by(
                genesis_hash=row.genesis_hash, account=row.account, outcome=""
            )
            session.execute(behind.where(RecordTransactionRow.nonce > row.nonce))


def _send(rpc: Rpc, row: RecordTransactionRow) -> str | None:
    """What became of a transaction; None while the chain does not take it."""
    if rpc.call("eth_getTransactionByHash", row.transaction) is None:
        count = int(rpc.call("eth_getTransactionCount", row.account, "latest"), 16)
        if count > row.nonce:
            return OVERTAKEN
        if count < row.nonce:
            _logger.warning("%s has no transaction %s on the chain", row.account, count)
            return None
        try:
            rpc.call("eth_sendRawTransaction", "0x" + row.raw.hex())
        except RpcFailed as error:
            _logger.warning("the chain does not take %s: %s", row.transaction, error)
            return None
    receipt = Delivery(rpc, MemoryOutbox()).receipt(row.transaction)
    return DONE if int(receipt["status"], 16) == 1 else REFUSED
