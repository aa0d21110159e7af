"""A round's stored hashes beside those on the ledger, for whoever looks at the round."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.models import AttemptRow, ResultRow, TrainingRow, VoteRow
from app.services.predictions import OpenLedger
from app.stores.rounds import FINALISED
from contracts.errors import LedgerError
from contracts.reader import LedgerReader
from contracts.records import AttemptKey
from fl.plan import Plan


@dataclass(frozen=True)
class Line:
    """A hash that was compared: what it is of, whether both sides hold the same."""

    what: str
    stored: str
    recorded: str

    @property
    def agrees(self) -> bool:
        """Whether the database and the ledger say the same."""
        return self.stored == self.recorded


@dataclass(frozen=True)
class RoundCheck:
    """What was compared at which block; `failure` is a sentence when nothing could be."""

    lines: list[Line]
    block: int | None = None
    failure: str = ""

    @property
    def agrees(self) -> bool:
        """Whether everything was compared and agrees."""
        return not self.failure and all(line.agrees for line in self.lines)


def votes_of(database: Database, training: str, number: int, attempt: int) -> list[VoteRow]:
    """The votes for an attempt's result, by node."""
    query = (
        select(VoteRow)
        .join(AttemptRow, AttemptRow.id == VoteRow.attempt_id)
        .filter(AttemptRow.training_id == training, AttemptRow.round == number)
        .filter(AttemptRow.number == attempt)
        .order_by(VoteRow.node)
    )
    with database.transaction() as session:
        return list(session.scalars(query))


def check_round(
    database: Database, open_ledger: OpenLedger, training: str, number: int
) -> RoundCheck:
    """Compare a finalised round's result, updates and votes with the ledger."""
    try:
        with closing(open_ledger()) as ledger, database.transaction() as session:
            attempt = session.scalars(_finalised(training, number)).one()
            plan = Plan.from_json(session.get_one(TrainingRow, training).plan)
            block = ledger.head().number
            return RoundCheck(_compared(session, ledger, plan, attempt), block)
    except (LedgerError, ValueError) as error:
        return RoundCheck([], failure=f"The ledger could not be asked: {error}.")


def _finalised(training: str, number: int) -> Select[AttemptRow]:
    return (
        select(AttemptRow)
        .filter_by(training_id=training, round=number, state=FINALISED)
        .options(selectinload(AttemptRow.submissions), selectinload(AttemptRow.votes))
    )


def _compared(
    session: Session, ledger: LedgerReader, plan: Plan, attempt: AttemptRow
) -> list[Line]:
    key = AttemptKey(bytes.fromhex(attempt.training_id), attempt.round, attempt.number)
    recorded = (ledger.attempt(key).result_hash or b"").hex()
    stored = session.get(ResultRow, recorded)
    body = sha256(stored.body).hexdigest() if stored else "nothing"
    lines = [
        Line("Result, as noted", attempt.result_sha256 or "nothing", recorded),
        Line("Result, hash of the stored bytes", body, recorded),
    ]
    updates = {plan.name_of(s.hospital): s.update_hash.hex() for s in ledger.submissions(key)}
    votes = {plan.name_of(vote.node): vote.result_hash.hex() for vote in ledger.votes(key)}
    for submission in attempt.submissions:
        on_chain = updates.get(submission.hospital, "nothing")
        lines.append(Line(f"Update of {submission.hospital}", submission.update_sha256, on_chain))
    for vote in attempt.votes:
        on_chain = votes.get(vote.node, "nothing")
        lines.append(Line(f"Vote of {vote.node}", vote.result_sha256, on_chain))
    return lines
