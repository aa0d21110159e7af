"""The local copy of the contracts' events, which the ledger's pages show, against the chain."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.models import Base, DeploymentRow, LedgerCopyRow, LedgerEventRow, LedgerTransactionRow
from app.services.check_report import NOTHING, Report
from app.services.ledger_index import event_rows, transaction_row
from contracts.errors import NotFound
from contracts.reader import LedgerReader

_NAME = "copy of the ledger"


class CopyCheck:
    """Compares every row of the copy with what the chain would give now.

    Another process may read the chain on in the meantime, so rows beyond the end that the copy had
    at first need not be there; those that are there are compared.
    """

    def __init__(self, report: Report, ledger: LedgerReader, session: Session) -> None:
        self._report = report
        self._ledger = ledger
        self._session = session
        self._contract = ledger.contract

    def run(self) -> None:
        """Compare; the report names each difference."""
        copies = self._session.scalars(select(LedgerCopyRow)).all()
        stored = self._session.scalars(
            select(LedgerEventRow).options(selectinload(LedgerEventRow.mentions))
        ).all()
        sent = self._session.scalars(select(LedgerTransactionRow)).all()
        if not copies and not stored and not sent:
            return  # Nobody has opened the ledger's pages yet.
        others = select(DeploymentRow.contract).where(DeploymentRow.contract != self._contract)
        if {one.contract for one in copies} & set(self._session.scalars(others)):
            return  # It is of the installation's other chain, and is thrown away for this one's.
        end = self._end(copies)
        transactions, events = self._on_chain()
        self._rows(
            "transaction",
            end,
            {(one.hash,): one for one in transactions},
            {(one.hash,): one for one in sent},
        )
        self._rows("event", end, _by_place(events), _by_place(stored))
        self._mentions(_by_place(events), _by_place(stored))

    def _end(self, copies: Iterable[LedgerCopyRow]) -> int:
        """Where the copy ends, after its own row is compared."""
        row = next((one for one in copies if one.contract == self._contract), None)
        for one in copies:
            if one is not row:
                self._report.compare(f"{_NAME} of {one.contract}", "no such contract", "stored")
        if row is None:
            self._report.compare(f"{_NAME}, its row", "stored", NOTHING)
            return 0
        coordinator, deputy = self._ledger.registry.founders()
        expected = {
            "chain_id": self._ledger.chain_id,
            "genesis_hash": self._ledger.block(0).hash.hex(),
            "coordinator": coordinator,
            "deputy": deputy,
            "last_hash": self._last_hash(row.next_block),
        }
        for column, value in expected.items():
            what = f"{_NAME}, {column.replace('_', ' ')}"
            self._report.compare(what, value, getattr(row, column))
        return row.next_block

    def _last_hash(self, next_block: int) -> str:
        if next_block == 0:
            return ""
        try:
            return self._ledger.block(next_block - 1).hash.hex()
        except NotFound:
            return "none: the chain is shorter"

    def _on_chain(self) -> tuple[list[LedgerTransactionRow], list[LedgerEventRow]]:
        """The rows that a reading of the whole chain gives now."""
        transactions, events = [], []
        for number, of_block in groupby(self._ledger.events(), key=lambda event: event.block):
            block = self._ledger.block(number)
            for name, group in groupby(of_block, key=lambda event: event.transaction):
                record = self._ledger.transaction(name)
                transactions.append(transaction_row(record, block))
                events += event_rows(list(group), record)
        return transactions, events

    def _rows(
        self,
        kind: str,
        end: int,
        expected: Mapping[tuple[Hashable, ...], Any],
        found: Mapping[tuple[Hashable, ...], Any],
    ) -> None:
        for key, row in expected.items():
            if key in found:
                self._columns(_called(kind, key), row, found[key])
            elif row.block < end:
                self._report.compare(_called(kind, key), "stored", NOTHING)
        for key in found.keys() - expected.keys():
            self._report.compare(_called(kind, key), "nothing on the chain", "stored")

    def _columns(self, what: str, expected: Base, found: Base) -> None:
        for column in expected.__table__.columns:
            values = (getattr(row, column.name) for row in (expected, found))
            self._report.compare(f"{what}, {column.name.replace('_', ' ')}", *values)

    def _mentions(
        self,
        expected: Mapping[tuple[Hashable, ...], LedgerEventRow],
        found: Mapping[tuple[Hashable, ...], LedgerEventRow],
    ) -> None:
        for key in expected.keys() & found.keys():
            named = [
                sorted(one.value for one in row.mentions) for row in (expected[key], found[key])
            ]
            self._report.compare(f"{_called('event', key)}, whom it mentions", *named)


def _by_place(rows: Iterable[LedgerEventRow]) -> dict[tuple[Hashable, ...], LedgerEventRow]:
    return {(one.contract, one.block, one.log_index): one for one in rows}


def _mentioned(row: LedgerEventRow) -> list[str]:
    return sorted(one.value for one in row.mentions)


def _called(kind: str, key: tuple[Hashable, ...]) -> str:
    return f"{_NAME}, {kind} {' '.join(map(str, key))}"
