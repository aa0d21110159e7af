"""A hash of the ledger, checked: the local copy beside the chain as it is now, and computed again.

A hash may be a transaction's, a block's, a training's identifier, or one that events name: of a
model, of statistics, of an agreed set, of a plan, of what a party committed to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.database import Database
from app.models import LedgerEventRow, LedgerMentionRow, LedgerTransactionRow, TrainingRow
from app.services import hash_recompute as recompute
from app.services.hash_lines import HashCheck, HashLine
from app.services.ledger_index import event_columns, moment_of, transaction_columns
from app.services.ledger_lines import event_line
from app.services.predictions import OpenLedger
from app.services.round_check import NOTHING
from contracts.errors import LedgerError, NotFound
from contracts.reader import LedgerReader
from contracts.records import AttemptKey

# How many of the events that name a hash are compared and shown.
MOST_PLACES = 25


def check_hash(database: Database, open_ledger: OpenLedger, value: str) -> HashCheck:
    """Everything about a hash, given as 64 lower-case digits. Where the chain does not answer, what
    is stored is computed again all the same.
    """
    with database.transaction() as session:
        facts = _Facts(session, value)
        check = HashCheck(
            value=value,
            what=facts.what(),
            recomputed=list(recompute.stored(session, value)),
            notes=recompute.held_elsewhere(session, value),
            places=[event_line(one) for one in facts.events],
            unread=max(0, facts.named - len(facts.events)),
            transaction=facts.transaction.hash if facts.transaction else "",
            training=value if facts.is_training else "",
            of_block=facts.block[0].block if facts.block else None,
        )
        try:
            with closing(open_ledger()) as ledger:
                return _with_chain(check, facts, ledger)
        except LedgerError as error:
            return replace(check, failure=f"The chain could not be asked: {error}.")


class _Facts:
    """What the database holds under a hash."""

    def __init__(self, session: Session, value: str) -> None:
        self.session = session
        self.value = value
        self.transaction = session.get(LedgerTransactionRow, f"0x{value}")
        in_block = select(LedgerTransactionRow).filter_by(block_hash=value)
        self.block = session.scalars(in_block.order_by(LedgerTransactionRow.hash)).all()
        naming = select(LedgerEventRow).where(
            LedgerEventRow.mentions.any(LedgerMentionRow.value == value)
        )
        self.named = session.scalar(select(func.count()).select_from(naming.subquery())) or 0
        order = (LedgerEventRow.block, LedgerEventRow.log_index)
        with_sender = naming.options(joinedload(LedgerEventRow.transaction)).order_by(*order)
        self.events = session.scalars(with_sender.limit(MOST_PLACES)).all()
        of_training = select(LedgerEventRow.block).filter_by(training=value).limit(1)
        self.is_training = session.scalar(of_training) is not None

    def what(self) -> str:
        """What the hash is of, as far as the local copy knows."""
        if self.transaction is not None:
            return "a transaction"
        if self.block:
            return f"block {self.block[0].block}"
        if self.is_training:
            return "the identifier of a training"
        if self.named:
            return "named in one event" if self.named == 1 else f"named in {self.named} events"
        return ""

    def keys(self) -> list[AttemptKey]:
        """The attempts in whose events the hash stands."""
        places = {(one.training, one.round, one.attempt) for one in self.events}
        return [
            AttemptKey(bytes.fromhex(training), number, tried)
            for training, number, tried in sorted(places, key=str)
            if training and number is not None and tried is not None
        ]


def _with_chain(check: HashCheck, facts: _Facts, ledger: LedgerReader) -> HashCheck:
    head = ledger.head().number
    lines: list[HashLine] = []
    notes = list(check.notes)
    what = check.what
    if facts.transaction is not None:
        lines += _transaction(ledger, facts.transaction)
    elif facts.block:
        lines += _block(ledger, facts.block[0])
    elif facts.is_training:
        lines += _training(facts, ledger)
    elif not facts.named and _is_mined(ledger, f"0x{check.value}"):
        what = "a transaction"
        notes.append("The chain holds it. It left no event, so the local copy does not list it.")
    elif not facts.named and (block := ledger.find_block(bytes.fromhex(check.value))):
        check = replace(check, what=f"block {block.number}", of_block=block.number)
        what = check.what
        lines.append(_same_block(ledger, block.number, check.value))
    lines += _events(ledger, facts.events)
    computed = [
        *check.recomputed,
        *recompute.agreed_sets(facts.session, ledger, check.value),
        *recompute.reviews(facts.session, ledger, check.value),
        *recompute.on_ledger(ledger, check.value, facts.keys()),
    ]
    return replace(check, what=what, on_chain=lines, recomputed=computed, notes=notes, block=head)


def _transaction(ledger: LedgerReader, row: LedgerTransactionRow) -> Iterator[HashLine]:
    """A stored transaction beside its receipt and its data on the chain."""
    try:
        record = ledger.transaction(row.hash)
    except NotFound:
        yield HashLine("The transaction", NOTHING, row.hash)
        return
    yield HashLine("The transaction", record.transaction, row.hash)
    for name, expected in transaction_columns(record).items():
        found = getattr(row, name)
        yield HashLine(f"Its {name.replace('_', ' ')}", str(expected), str(found))
    yield HashLine("Its events", *_both(ledger, row.block, row.events, row.hash))


def _block(ledger: LedgerReader, row: LedgerTransactionRow) -> Iterator[HashLine]:
    """A block as it was copied beside the one of that number on the chain."""
    try:
        block = ledger.block(row.block)
    except NotFound:
        yield HashLine(f"The hash of block {row.block}", NOTHING, row.block_hash)
        return
    yield HashLine(f"The hash of block {row.block}", block.hash.hex(), row.block_hash)
    yield HashLine("Its time, UTC", str(moment_of(block)), str(row.block_time))


def _same_block(ledger: LedgerReader, number: int, value: str) -> HashLine:
    """A block that the copy need not hold, beside the one of its number on the chain."""
    return HashLine(f"The hash of block {number}", ledger.block(number).hash.hex(), value)


def _training(facts: _Facts, ledger: LedgerReader) -> Iterator[HashLine]:
    """A training's record beside what the database says of it."""
    row = facts.session.get(TrainingRow, facts.value)
    record = ledger.training(bytes.fromhex(facts.value))
    noted = row.plan_sha256 if row else NOTHING
    yield HashLine("The hash of its plan", record.config_hash.hex(), noted)
    began = row.initial_sha256 if row else NOTHING
    yield HashLine("The model that it began with", record.initial_model.hex(), began)
    if row is not None and row.model_sha256 is not None:
        yield HashLine("Its model", record.model.hex(), row.model_sha256)


def _events(ledger: LedgerReader, rows: Iterable[LedgerEventRow]) -> Iterator[HashLine]:
    for row in rows:
        what = f"in block {row.block}"
        yield HashLine(what, *_both(ledger, row.block, [row]), event=row.name)


def _both(
    ledger: LedgerReader, block: int, rows: Iterable[LedgerEventRow], transaction: str = ""
) -> tuple[str, str]:
    """Stored events beside the chain's: those at the same places, or of a whole transaction."""
    stored = {row.log_index: row for row in rows}
    found = {index: _columns(row) for index, row in stored.items()}
    try:
        seen = list(ledger.events(from_block=block, to_block=block))
    except ValueError as error:
        return "events of the contract", str(error)
    expected = {
        event.index: event_columns(event)
        for event in seen
        if (event.transaction == transaction if transaction else event.index in stored)
    }
    if expected == found:
        same = f"{len(found)} recorded" if transaction else "recorded"
        return same, same
    return _first_difference(expected, found)


def _columns(row: LedgerEventRow) -> dict[str, Any]:
    """A stored event's columns, as `event_columns` gives those of one on the chain."""
    names = ("transaction_hash", "name", "training", "round", "attempt", "arguments")
    return {name: getattr(row, name) for name in names}


def _first_difference(
    expected: Mapping[int, Mapping[str, Any]], found: Mapping[int, Mapping[str, Any]]
) -> tuple[str, str]:
    """The first event that differs, told by what differs in it."""
    first = min(i for i in {*expected, *found} if expected.get(i) != found.get(i))
    one, other = expected.get(first), found.get(first)
    if one is None or other is None:
        return (one or {}).get("name", NOTHING), (other or {}).get("name", NOTHING)
    names = [name for name in one if one[name] != other[name]]
    return _told(one, names), _told(other, names)


def _told(columns: Mapping[str, Any], names: Iterable[str]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {columns[name]}" for name in names)


def _is_mined(ledger: LedgerReader, transaction: str) -> bool:
    try:
        ledger.transaction(transaction)
    except NotFound:
        return False
    return True
