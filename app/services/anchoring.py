"""Anchors of the audit log on the ledger: a Merkle root over the hashes of its entries, in order.

Whoever has the log can then show that it is whole and unchanged, entry by entry, against one record
on the chain; whoever could rewrite the database could not rewrite that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.database import Database
from app.models import AuditHeadRow, AuditRow
from app.services.audit import entry_hash
from contracts.anchors import Anchors
from contracts.records import AnchorRecord
from crypto.digest import merkle_root

# So many entries wait for a training's end at most; then they are anchored by themselves.
EVERY = 100
# Entries under one root: what is read at once.
_MOST = 10_000


@dataclass(frozen=True)
class AnchorCheck:
    """An anchor, and the root over the entries as they are now; None where one is missing."""

    anchor: AnchorRecord
    found: bytes | None


class Anchoring:
    """The audit log of `database` and its anchors on one chain."""

    def __init__(self, database: Database, anchors: Anchors) -> None:
        self._database = database
        self._anchors = anchors

    def anchored(self) -> int:
        """The last entry that is anchored; 0 before the first."""
        count = self._anchors.count()
        return self._anchors.find(count - 1).last if count else 0

    def bring_up(self) -> int:
        """Anchor all entries that are not yet; return the last one. Calling again is safe.

        Raises ChainUnreachable, and Refused for another account than the coordinator's.
        """
        first = self.anchored() + 1
        newest = last_entry(self._database)
        while first <= newest:
            rows = self._rows(first, min(first + _MOST - 1, newest))
            if not rows:
                break
            self._anchors.anchor(first, rows[-1].id, _root(rows))
            first = rows[-1].id + 1
        return newest

    def check(self) -> Iterator[AnchorCheck]:
        """Compute the root of every anchor again from the entries."""
        for index in range(self._anchors.count()):
            anchor = self._anchors.find(index)
            rows = self._rows(anchor.first, anchor.last)
            whole = len(rows) == anchor.last - anchor.first + 1
            yield AnchorCheck(anchor, _root(rows) if whole else None)

    def _rows(self, first: int, last: int) -> Sequence[AuditRow]:
        chosen = select(AuditRow).where(AuditRow.id.between(first, last)).order_by(AuditRow.id)
        with self._database.transaction() as session:
            return session.scalars(chosen).all()


def last_entry(database: Database) -> int:
    """The number of the newest entry of the log; 0 while it is empty."""
    with database.transaction() as session:
        return session.scalars(select(AuditHeadRow.entry_id)).one()


def _root(rows: Sequence[AuditRow]) -> bytes:
    """The Merkle root over the entries' hashes, computed again from their fields."""
    return merkle_root([bytes.fromhex(entry_hash(row)) for row in rows])
