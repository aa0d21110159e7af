"""Where the model that answered comes from: its training, who trained, what wrote it on the chain.

What the database holds and the local copy of the chain tell; each line's hash can be compared with
the chain (`app.services.hash_check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    AttemptRow,
    DeploymentRow,
    LedgerEventRow,
    LedgerTransactionRow,
    PromotionRow,
    TrainingRow,
    VoteRow,
)
from app.services.promotions import DONE
from app.services.round_view import find_plan
from app.services.training_outcome import last_round
from app.services.version_names import version_name, version_numbers
from app.stores.rounds import FINALISED


@dataclass(frozen=True)
class Written:
    """A transaction; `block` and `at` are None until the local copy of the chain holds it."""

    transaction: str
    block: int | None
    at: datetime | None


@dataclass(frozen=True)
class Trained:
    """A hospital of the training, and in how many of its rounds its update counted."""

    hospital: str
    counted: int


@dataclass(frozen=True)
class Passport:
    """Of a version: hashes as 64 hex digits.

    `votes` are the nodes whose votes agreed on the model, with their transactions; `finalised` is
    the one that completed them, None until the local copy holds it; `promoted` is what put the
    model into use last, None where nothing did.
    """

    training: str
    version: str
    rounds: int
    ended_at: datetime | None
    model_sha256: str
    plan_sha256: str
    statistics_sha256: str
    chain: str
    chain_id: int
    contract: str
    hospitals: tuple[Trained, ...]
    votes: tuple[tuple[str, Written], ...]
    finalised: Written | None
    promoted: Written | None

    def values(self) -> frozenset[str]:
        """The hashes, without "0x", that a reader of this passport may compare with the chain."""
        sent = [one for _, one in self.votes] + [self.finalised, self.promoted]
        hashes = {self.training, self.model_sha256, self.plan_sha256, self.statistics_sha256}
        return frozenset(hashes | {one.transaction.removeprefix("0x") for one in sent if one})


def find_passport(database: Database, training: str) -> Passport | None:
    """The passport of what a training ended with, or None where it made no version."""
    with database.transaction() as session:
        row = session.get(TrainingRow, training)
        if row is None or row.model_sha256 is None:
            return None
        number = version_numbers(session, row.task).get(training)
        return None if number is None else _passport(session, row, row.model_sha256, number)


def _passport(session: Session, row: TrainingRow, model: str, number: int) -> Passport:
    deployment = session.get_one(DeploymentRow, row.deployment_id)
    rounds = last_round(row)
    return Passport(
        training=row.id,
        version=version_name(number, row.id, rounds),
        rounds=rounds,
        ended_at=row.ended_at,
        model_sha256=model,
        plan_sha256=row.plan_sha256,
        statistics_sha256=row.statistics_sha256 or "",
        chain=deployment.chain_kind,
        chain_id=deployment.chain_id,
        contract=deployment.contract,
        hospitals=_hospitals(row, rounds),
        votes=_votes(session, row, rounds),
        finalised=_finalised(session, row, rounds),
        promoted=_promoted(session, row),
    )


def _hospitals(row: TrainingRow, rounds: int) -> tuple[Trained, ...]:
    """Everybody of the plan, with the rounds in which the hospital's update was summed."""
    plan = find_plan(row)
    counted: dict[str, int] = {one.name: 0 for one in plan.hospitals} if plan else {}
    for attempt in row.attempts:
        # A round that kept the model before it counted nobody's update.
        if attempt.state == FINALISED and 1 <= attempt.round <= rounds and not attempt.kept:
            for one in attempt.submissions:
                counted[one.hospital] = counted.get(one.hospital, 0) + (one.weight is not None)
    return tuple(Trained(name, count) for name, count in counted.items())


def _votes(session: Session, row: TrainingRow, rounds: int) -> tuple[tuple[str, Written], ...]:
    voted = (
        select(VoteRow)
        .join(AttemptRow, AttemptRow.id == VoteRow.attempt_id)
        .where(AttemptRow.training_id == row.id, AttemptRow.state == FINALISED)
        .where(AttemptRow.round == rounds, VoteRow.result_sha256 == row.model_sha256)
        .order_by(VoteRow.node)
    )
    return tuple((one.node, _written(session, one.transaction)) for one in session.scalars(voted))


def _finalised(session: Session, row: TrainingRow, rounds: int) -> Written | None:
    event = select(LedgerEventRow.transaction_hash).filter_by(
        name="Finalised", training=row.id, round=rounds
    )
    found = session.scalars(event.order_by(LedgerEventRow.block.desc()).limit(1)).first()
    return _written(session, found) if found else None


def _promoted(session: Session, row: TrainingRow) -> Written | None:
    done = select(PromotionRow).filter_by(training_id=row.id, state=DONE)
    last = session.scalars(done.order_by(PromotionRow.position.desc()).limit(1)).first()
    return _written(session, last.transaction) if last and last.transaction else None


def _written(session: Session, transaction: str) -> Written:
    copied = session.get(LedgerTransactionRow, transaction)
    return (
        Written(transaction, copied.block, copied.block_time)
        if copied
        else Written(transaction, None, None)
    )
