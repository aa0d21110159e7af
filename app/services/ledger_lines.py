"""The lines of the ledger's pages: values out of the local copy, detached from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from app.models import LedgerEventRow, LedgerTransactionRow
from app.services.ledger_values import from_text

Line = TypeVar("Line")


@dataclass(frozen=True)
class Wanted:
    """Which events are wanted; what is empty or None wants all.

    `account` sent it or is named in it, `kind` is an event's name.
    """

    training: str = ""
    round: int | None = None
    account: str = ""
    kind: str = ""


@dataclass(frozen=True)
class EventLine:
    """An event; `values` holds its arguments by name, hashes and accounts as text."""

    contract: str
    block: int
    index: int
    at: datetime
    transaction: str
    sender: str
    name: str
    training: str | None
    round: int | None
    attempt: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class TransactionLine:
    """A transaction with the events that it left, in their order."""

    hash: str
    block: int
    block_hash: str
    at: datetime
    sender: str
    recipient: str
    gas: int
    function: str
    values: Mapping[str, Any]
    events: list[EventLine]


@dataclass(frozen=True)
class Listing(Generic[Line]):
    """A page of lines, the newest first. Pages are counted from 1."""

    lines: list[Line]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class Counts:
    """How much the copy holds; `gas` is the sum."""

    transactions: int
    events: int
    gas: int


@dataclass(frozen=True)
class CopyFacts:
    """The chain that a copy was read from; `kind` is embedded, external or "" where unknown.

    `coordinator` and `deputy` are the two administrators that the federation began with.
    """

    contract: str
    chain_id: int
    kind: str
    genesis_hash: str
    coordinator: str
    deputy: str
    next_block: int


@dataclass(frozen=True)
class Choices:
    """What can be filtered by: trainings (identifier to task), accounts (to names), kinds."""

    trainings: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


def transaction_line(row: LedgerTransactionRow) -> TransactionLine:
    """A stored transaction, with its events."""
    return TransactionLine(
        hash=row.hash,
        block=row.block,
        block_hash=row.block_hash,
        at=row.block_time,
        sender=row.sender,
        recipient=row.recipient,
        gas=row.gas,
        function=row.function,
        values=from_text(row.arguments),
        events=[event_line(one) for one in row.events],
    )


def event_line(row: LedgerEventRow) -> EventLine:
    """A stored event, with what its transaction tells of it."""
    return EventLine(
        contract=row.contract,
        block=row.block,
        index=row.log_index,
        at=row.transaction.block_time,
        transaction=row.transaction_hash,
        sender=row.transaction.sender,
        name=row.name,
        training=row.training,
        round=row.round,
        attempt=row.attempt,
        values=from_text(row.arguments),
    )
