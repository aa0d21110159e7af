"""A local copy of the contract's events: it can be thrown away and read from the chain again.

Nothing is decided by it. All its rows follow from the chain, keys included, so that a second
reading gives the same.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import HASH, NAME, Base, Moment

ADDRESS = 42
# "0x" and the digits of a hash, as transactions are named everywhere.
TRANSACTION = 66

# The arguments of a published set are longer than MariaDB's TEXT.
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


class LedgerCopyRow(Base):
    """How far a contract was read, and on which chain: every block below `next_block`.

    `deputy` is the other administrator. `last_hash` is the hash of the block before `next_block`,
    empty while nothing was read.
    """

    __tablename__ = "ledger_copies"

    contract: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    genesis_hash: Mapped[str] = mapped_column(String(HASH))
    coordinator: Mapped[str] = mapped_column(String(ADDRESS))
    deputy: Mapped[str] = mapped_column(String(ADDRESS))
    next_block: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str] = mapped_column(String(HASH))


class LedgerTransactionRow(Base):
    """A transaction that left an event. `gas` is what it used, `arguments` are JSON."""

    __tablename__ = "ledger_transactions"

    hash: Mapped[str] = mapped_column(String(TRANSACTION), primary_key=True)
    block: Mapped[int] = mapped_column(BigInteger, index=True)
    block_hash: Mapped[str] = mapped_column(String(HASH), index=True)
    block_time: Mapped[datetime] = mapped_column(Moment)
    sender: Mapped[str] = mapped_column(String(ADDRESS), index=True)
    recipient: Mapped[str] = mapped_column(String(ADDRESS))
    gas: Mapped[int] = mapped_column(BigInteger)
    function: Mapped[str] = mapped_column(String(NAME))
    arguments: Mapped[str] = mapped_column(LongText)

    events: Mapped[list[LedgerEventRow]] = relationship(
        back_populates="transaction", order_by="LedgerEventRow.log_index"
    )


class LedgerEventRow(Base):
    """An event: `name` and its arguments as JSON, and what it concerns, where it does."""

    __tablename__ = "ledger_events"

    contract: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    transaction_hash: Mapped[str] = mapped_column(
        ForeignKey("ledger_transactions.hash"), index=True
    )
    name: Mapped[str] = mapped_column(String(NAME), index=True)
    training: Mapped[str | None] = mapped_column(String(HASH), index=True)
    round: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int | None] = mapped_column(BigInteger)
    arguments: Mapped[str] = mapped_column(LongText)

    transaction: Mapped[LedgerTransactionRow] = relationship(back_populates="events")
    mentions: Mapped[list[LedgerMentionRow]] = relationship(order_by="LedgerMentionRow.value")


class LedgerMentionRow(Base):
    """An account, or a hash, that an event names; its sender, too.

    With a transaction's first event also the hashes that the call carried.
    """

    __tablename__ = "ledger_mentions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["contract", "block", "log_index"],
            ["ledger_events.contract", "ledger_events.block", "ledger_events.log_index"],
        ),
    )

    contract: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(String(HASH), primary_key=True, index=True)
