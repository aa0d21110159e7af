"""Keeps the local copy of the contract's events (`app.models.ledger`) up to date with the chain.

The copy is read in pages from where it ended. A page is written in one transaction that first moves
the copy's end from where the reader saw it, so that of two processes that read the same page one
writes it. When the chain is another one, or the copy's last block is not on it any more, the copy
is thrown away and read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Delete, Update, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database
from app.models import LedgerCopyRow, LedgerEventRow, LedgerMentionRow, LedgerTransactionRow
from app.services.ledger_values import is_hash, mentioned, to_text
from contracts.errors import NotFound
from contracts.reader import LedgerReader
from contracts.records import BlockHead, LedgerEvent, TransactionRecord

# What is read in one go. A transaction takes a few requests to the chain, an empty block none.
MOST_TRANSACTIONS = 100
MOST_BLOCKS = 2_000

# In the order in which they can be emptied.
_TABLES = (LedgerMentionRow, LedgerEventRow, LedgerTransactionRow, LedgerCopyRow)


@dataclass(frozen=True)
class Reach:
    """How far the copy goes: the blocks below `next_block` of a chain whose last is `head`."""

    next_block: int
    head: int

    @property
    def complete(self) -> bool:
        """Whether every block was read."""
        return self.next_block > self.head


@dataclass(frozen=True)
class _Page:
    """Blocks that were read: the last of them, and what the contract did in them."""

    last: BlockHead
    transactions: list[LedgerTransactionRow]
    events: list[LedgerEventRow]


class _ChainChanged(Exception):
    """The chain is not the one that the copy was read from."""


class LedgerIndex:
    """The local copy of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def advance(self, ledger: LedgerReader) -> Reach:
        """Read one page on, or begin anew on a chain that changed; says how far the copy goes.

        Raises ChainUnreachable and RpcFailed: what was written before stays, and is right.
        """
        copy = self._begun(ledger)
        head = ledger.head().number
        if copy.next_block > head:
            return Reach(copy.next_block, head)
        try:
            page = _read(ledger, copy, head)
        except (_ChainChanged, NotFound):
            self._forget(copy)
            return Reach(0, head)
        self._write(copy, page)
        return Reach(page.last.number + 1, head)

    def catch_up(self, ledger: LedgerReader) -> Reach:
        """Read to the end of the chain. Raises as `advance`."""
        reach = self.advance(ledger)
        while not reach.complete:
            reach = self.advance(ledger)
        return reach

    def forget(self) -> None:
        """Throw the copy away. The next `advance` begins at the first block."""
        with self._database.transaction() as session:
            _empty(session)

    def _begun(self, ledger: LedgerReader) -> LedgerCopyRow:
        """The row of the contract's copy, begun where there is none; never one of another chain."""
        genesis = ledger.block(0).hash.hex()
        for copy in self._copies():
            if copy.genesis_hash != genesis:
                self._forget(copy)
            elif copy.contract == ledger.contract:
                if _is_on_chain(ledger, copy):
                    return copy
                self._forget(copy)
        return self._begin(ledger, genesis)

    def _begin(self, ledger: LedgerReader, genesis: str) -> LedgerCopyRow:
        coordinator, deputy = ledger.registry.founders()
        row = LedgerCopyRow(
            contract=ledger.contract,
            chain_id=ledger.chain_id,
            genesis_hash=genesis,
            coordinator=coordinator,
            deputy=deputy,
            next_block=0,
            last_hash="",
        )
        try:
            with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            # Another process began it just now.
            return next((one for one in self._copies() if one.contract == row.contract), row)
        return row

    def _copies(self) -> Sequence[LedgerCopyRow]:
        with self._database.transaction() as session:
            return session.scalars(select(LedgerCopyRow).order_by(LedgerCopyRow.contract)).all()

    def _forget(self, copy: LedgerCopyRow) -> None:
        """Throw everything away, unless somebody did so, or read on, since `copy` was looked at."""
        with self._database.transaction() as session:
            gone = delete(LedgerCopyRow).where(*_as_seen(copy))
            if _changed(session, gone):
                _empty(session)

    def _write(self, copy: LedgerCopyRow, page: _Page) -> None:
        """Write a page and move the copy's end, unless another process did both."""
        end = {"next_block": page.last.number + 1, "last_hash": page.last.hash.hex()}
        with self._database.transaction() as session:
            moved = update(LedgerCopyRow).where(*_as_seen(copy)).values(end)
            if not _changed(session, moved):
                return
            # One that left events of two contracts was written with the first.
            hashes = [one.hash for one in page.transactions]
            known = select(LedgerTransactionRow.hash).where(LedgerTransactionRow.hash.in_(hashes))
            there = set(session.scalars(known))
            session.add_all(one for one in page.transactions if one.hash not in there)
            session.flush()
            session.add_all(page.events)


def _read(ledger: LedgerReader, copy: LedgerCopyRow, head: int) -> _Page:
    """The next page. Raises _ChainChanged, and NotFound where the chain became shorter."""
    first, until = copy.next_block, min(copy.next_block + MOST_BLOCKS - 1, head)
    if copy.last_hash and ledger.block(first).parent.hex() != copy.last_hash:
        raise _ChainChanged
    transactions: list[LedgerTransactionRow] = []
    events: list[LedgerEventRow] = []
    found = ledger.events(from_block=first, to_block=until)
    for number, of_block in groupby(found, key=lambda event: event.block):
        if len(transactions) >= MOST_TRANSACTIONS:
            until = number - 1
            break
        block = ledger.block(number)
        for name, group in groupby(of_block, key=lambda event: event.transaction):
            record = ledger.transaction(name)
            if record.block_hash != block.hash:
                raise _ChainChanged
            transactions.append(transaction_row(record, block))
            events += event_rows(list(group), record)
    return _Page(ledger.block(until), transactions, events)


def transaction_row(record: TransactionRecord, block: BlockHead) -> LedgerTransactionRow:
    """The row of a transaction."""
    return LedgerTransactionRow(
        hash=record.transaction, block_time=moment_of(block), **transaction_columns(record)
    )


def event_rows(found: Sequence[LedgerEvent], record: TransactionRecord) -> list[LedgerEventRow]:
    """The events of a transaction; the first is also found by the hashes that the call carried."""
    rows = []
    for position, event in enumerate(found):
        names = mentioned(event.values, event.training) | {record.sender}
        if position == 0:
            names |= set(filter(is_hash, mentioned(record.arguments, event.training)))
        rows.append(
            LedgerEventRow(
                contract=event.contract,
                block=event.block,
                log_index=event.index,
                mentions=[LedgerMentionRow(value=one) for one in sorted(names)],
                **event_columns(event),
            )
        )
    return rows


def transaction_columns(record: TransactionRecord) -> dict[str, Any]:
    """What is stored of a transaction, beside its hash and its block's time."""
    return {
        "block": record.block,
        "block_hash": record.block_hash.hex(),
        "sender": record.sender,
        "recipient": record.recipient or "",
        "gas": record.gas,
        "function": record.function or "",
        "arguments": to_text(record.arguments),
    }


def event_columns(event: LedgerEvent) -> dict[str, Any]:
    """What is stored of an event, beside its place."""
    return {
        "transaction_hash": event.transaction,
        "name": event.name,
        "training": event.training.hex() if event.training else None,
        "round": event.values.get("round"),
        "attempt": event.values.get("attempt"),
        "arguments": to_text(event.values),
    }


def moment_of(block: BlockHead) -> datetime:
    """When a block was made, in UTC without a zone, as it is stored."""
    return datetime.fromtimestamp(block.timestamp, UTC).replace(tzinfo=None)


def _is_on_chain(ledger: LedgerReader, copy: LedgerCopyRow) -> bool:
    """Whether the last block that was read is on the chain still; it names all before it."""
    if not copy.last_hash:
        return True
    try:
        return ledger.block(copy.next_block - 1).hash.hex() == copy.last_hash
    except NotFound:
        return False


def _as_seen(copy: LedgerCopyRow) -> tuple[ColumnElement[bool], ...]:
    """That the row of a copy is as it was when it was read."""
    row = LedgerCopyRow
    return (
        row.contract == copy.contract,
        row.genesis_hash == copy.genesis_hash,
        row.next_block == copy.next_block,
        row.last_hash == copy.last_hash,
    )


def _changed(session: Session, change: Update | Delete) -> bool:
    """Make a change; whether it found a row."""
    done = session.execute(change.execution_options(synchronize_session=False))
    return isinstance(done, CursorResult) and done.rowcount > 0


def _empty(session: Session) -> None:
    for table in _TABLES:
        session.execute(delete(table).execution_options(synchronize_session=False))
