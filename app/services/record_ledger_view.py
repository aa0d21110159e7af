"""What the ledger knows of a sealed record, for the doctors of its care group, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import LedgerTransactionRow, RecordStepRow, RecordTransactionRow
from app.services.ledger_lines import TransactionLine, transaction_line
from app.services.record_shares import names_of
from app.services.record_steps import (
    APPROVE,
    CLOSE,
    DECLINE,
    DONE,
    EMERGENCY,
    OPENED,
    OVERTAKEN,
    REFUSED,
    REQUEST,
    SEAL,
)

# How a step stands.
ON_LEDGER, WAITS, UNSIGNED, REFUSED_THERE = "on ledger", "waits", "unsigned", "refused"

_WORDS: Final = {
    SEAL: "Sealed among the care group",
    REQUEST: "Asked for",
    EMERGENCY: "Asked for in an emergency",
    APPROVE: "Approved",
    DECLINE: "Declined",
    OPENED: "Opened",
    CLOSE: "Closed or withdrawn",
}
_STANDING: Final = {"": WAITS, DONE: ON_LEDGER, REFUSED: REFUSED_THERE}


@dataclass(frozen=True)
class StepOnLedger:
    """A step: `what` in words, by whom.

    `record` is the digest by which the ledger knows the record; `opening` is "" for a sealing.
    `transaction` and `account` are "" before it is signed; `mined` is what the local copy of the
    ledger has of it, None before.
    """

    opening: str
    record: str
    what: str
    by: str
    standing: str
    noted_at: datetime
    transaction: str
    account: str
    mined: TransactionLine | None


class RecordLedgerViews:
    """The steps of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_patient(self, patient: str) -> list[StepOnLedger]:
        """A patient's steps, the newest first."""
        query = select(RecordStepRow).filter_by(patient_id=patient)
        with self._database.transaction() as session:
            steps = session.scalars(query.order_by(RecordStepRow.id.desc())).all()
            names = names_of(session, [one.user_id for one in steps])
            return [_shown(session, one, names[one.user_id]) for one in steps]


def _shown(session: Session, step: RecordStepRow, by: str) -> StepOnLedger:
    query = (
        select(RecordTransactionRow, LedgerTransactionRow)
        .outerjoin(
            LedgerTransactionRow, LedgerTransactionRow.hash == RecordTransactionRow.transaction
        )
        .where(RecordTransactionRow.step_id == step.id)
        .where(RecordTransactionRow.outcome != OVERTAKEN)
    )
    found = session.execute(query).first()
    sent, copied = found if found is not None else (None, None)
    return StepOnLedger(
        opening=step.opening_id,
        record=step.record,
        what=_WORDS.get(step.kind, step.kind),
        by=by,
        standing=_STANDING.get(sent.outcome, UNSIGNED) if sent else UNSIGNED,
        noted_at=step.made_at,
        transaction=sent.transaction if sent else "",
        account=sent.account if sent else "",
        mined=transaction_line(copied) if copied else None,
    )
