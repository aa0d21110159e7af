"""What each party put on the ledger in a round, in order, with its gas and the time between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.database import Database
from app.models import AttemptRow, LedgerEventRow, LedgerTransactionRow, StepRow
from app.services.ledger_lines import TransactionLine, transaction_line


@dataclass(frozen=True)
class Step:
    """A transaction of the round; `waited` is in whole seconds since the one before, as blocks are
    stamped; None for the first.
    """

    transaction: TransactionLine
    waited: int | None


@dataclass(frozen=True)
class Share:
    """How many transactions somebody sent, or were of one kind, and the gas that they used."""

    name: str
    transactions: int
    gas: int


@dataclass(frozen=True)
class AttemptTimeline:
    """One attempt at the round; number 0 holds the appeals against its verdicts, which follow.

    `mined_ms` is the mean from sending to receipt, None if unknown.
    """

    number: int
    steps: list[Step]
    seconds: int
    gas: int
    by_sender: list[Share]
    by_function: list[Share]
    mined_ms: float | None


def round_timeline(database: Database, training: str, number: int) -> list[AttemptTimeline]:
    """The attempts at a round, in order, then its appeals; empty where the copy holds none."""
    query = (
        select(LedgerEventRow)
        .filter_by(training=training, round=number)
        .order_by(LedgerEventRow.block, LedgerEventRow.log_index)
        .options(joinedload(LedgerEventRow.transaction).selectinload(LedgerTransactionRow.events))
    )
    attempts: dict[int, dict[str, TransactionLine]] = {}
    with database.transaction() as session:
        for event in session.scalars(query):
            of_attempt = attempts.setdefault(event.attempt or 0, {})
            if event.transaction_hash not in of_attempt:
                of_attempt[event.transaction_hash] = transaction_line(event.transaction)
    return [
        _timeline(tried, list(sent.values()), _mined_ms(database, training, number, tried))
        for tried, sent in sorted(attempts.items(), key=lambda one: (not one[0], one[0]))
    ]


def _timeline(number: int, sent: list[TransactionLine], mined: float | None) -> AttemptTimeline:
    before = [None, *sent[:-1]]
    steps = [
        Step(one, None if last is None else int((one.at - last.at).total_seconds()))
        for one, last in zip(sent, before, strict=True)
    ]
    return AttemptTimeline(
        number=number,
        steps=steps,
        seconds=sum(step.waited or 0 for step in steps),
        gas=sum(one.gas for one in sent),
        by_sender=_shares(sent, lambda one: one.sender),
        by_function=_shares(sent, lambda one: one.function),
        mined_ms=mined,
    )


def _shares(sent: Iterable[TransactionLine], of: Callable[[TransactionLine], str]) -> list[Share]:
    """The shares, in the order in which each first appears."""
    groups: dict[str, list[int]] = {}
    for one in sent:
        groups.setdefault(of(one), []).append(one.gas)
    return [Share(name, len(gas), sum(gas)) for name, gas in groups.items()]


def _mined_ms(database: Database, training: str, number: int, tried: int) -> float | None:
    """What the parties measured, which blocks are too coarse to tell."""
    query = (
        select(func.sum(StepRow.transactions), func.sum(StepRow.transaction_seconds))
        .join(AttemptRow, AttemptRow.id == StepRow.attempt_id)
        .where(AttemptRow.training_id == training)
        .where(AttemptRow.round == number, AttemptRow.number == tried)
    )
    with database.transaction() as session:
        sent, seconds = session.execute(query).one()
    return 1000 * float(seconds) / int(sent) if sent and seconds is not None else None
