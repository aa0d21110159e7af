"""What the embedded chain keeps, in one SQLite file.

    node         trie nodes, headers and code, under py-evm's own keys
    property     chain id and genesis time, written once
    mined        a row a transaction: where it stands and what it did
    log          a row an event, with its topics as columns

Everything that belongs to a block is written inside one `transaction()`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
create table if not exists node (key blob primary key, value blob not null) without rowid;
create table if not exists property (name text primary key, value integer not null) without rowid;
create table if not exists mined (
    hash blob primary key, block integer not null unique, raw blob not null, sender blob not null,
    recipient blob, contract blob, status integer not null, gas_used integer not null
);
create table if not exists log (
    block integer not null, position integer not null, address blob not null, topic0 blob,
    topic1 blob, topic2 blob, topic3 blob, data blob not null, primary key (block, position)
) without rowid;
create index if not exists log_of_contract on log (address, block);
create index if not exists log_by_subject on log (topic1, topic2, topic0, block);
"""
# Trie nodes never change under their key; a few thousand spare most reads of a block.
CACHE_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Mined:
    """A mined transaction; addresses have 20 bytes, `contract` is the one it created."""

    hash: bytes
    block: int
    raw: bytes
    sender: bytes
    recipient: bytes | None
    contract: bytes | None
    status: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Log:
    """An event in block `block`; up to four topics of 32 bytes."""

    block: int
    position: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs are wanted: any of `addresses` (empty: all), any of each position's topics."""

    first: int
    last: int
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...], ...]


class Store:
    """The database file; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._cache: dict[bytes, bytes] = {}
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; what was committed is on disk before that."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside, or nothing."""
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            self._cache.clear()
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def find_node(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        known = self._cache.get(key)
        if known is not None:
            return known
        row = self._connection.execute("select value from node where key = ?", (key,)).fetchone()
        return None if row is None else self._remember(key, bytes(row[0]))

    def put_node(self, key: bytes, value: bytes) -> None:
        """Set the value under `key`."""
        self._connection.execute("insert or replace into node values (?, ?)", (key, value))
        self._remember(key, value)

    def remove_node(self, key: bytes) -> None:
        """Remove `key`, if it is there."""
        self._cache.pop(key, None)
        self._connection.execute("delete from node where key = ?", (key,))

    def find_property(self, name: str) -> int | None:
        """Return the number that was kept under `name`, or None."""
        row = self._connection.execute(
            "select value from property where name = ?", (name,)
        ).fetchone()
        return None if row is None else int(row[0])

    def put_property(self, name: str, value: int) -> None:
        """Keep a number under `name`, for good.

        Raises:
            sqlite3.IntegrityError: there is one already.
        """
        self._connection.execute("insert into property values (?, ?)", (name, value))

    def add_mined(self, mined: Mined, logs: Sequence[Log]) -> None:
        """Add a transaction and its logs."""
        self._connection.execute(
            "insert into mined values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                mined.hash,
                mined.block,
                mined.raw,
                mined.sender,
                mined.recipient,
                mined.contract,
                mined.status,
                mined.gas_used,
            ),
        )
        self._connection.executemany(
            "insert into log values (?, ?, ?, ?, ?, ?, ?, ?)",
            [(one.block, one.position, one.address, *_four(one.topics), one.data) for one in logs],
        )

    def find_mined(self, transaction: bytes) -> Mined | None:
        """Return the transaction of that hash, or None."""
        row = self._connection.execute(
            "select * from mined where hash = ?", (transaction,)
        ).fetchone()
        return None if row is None else Mined(*row)

    def find_mined_in(self, block: int) -> Mined | None:
        """Return the transaction of that block (one at most), or None."""
        row = self._connection.execute("select * from mined where block = ?", (block,)).fetchone()
        return None if row is None else Mined(*row)

    def logs(self, wanted: LogFilter, limit: int) -> list[Log]:
        """Return the first `limit` logs that match, in the chain's order."""
        conditions = ["block between ? and ?"]
        values: list[object] = [wanted.first, wanted.last]
        columns = [("address", wanted.addresses)]
        columns += [(f"topic{place}", choices) for place, choices in enumerate(wanted.topics)]
        for column, choices in columns:
            if choices:
                conditions.append(f"{column} in ({', '.join('?' * len(choices))})")
                values += choices
        where = " and ".join(conditions)  # columns and question marks only
        query = f"select * from log where {where} order by block, position limit ?"  # noqa: S608
        rows = self._connection.execute(query, (*values, limit))
        return [
            Log(row[0], row[1], row[2], tuple(topic for topic in row[3:7] if topic), row[7])
            for row in rows
        ]

    def _remember(self, key: bytes, value: bytes) -> bytes:
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key] = value
        return value


def _four(topics: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
    return topics + (None,) * (4 - len(topics))
