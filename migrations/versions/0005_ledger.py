"""A local copy of the contract's events, for the ledger explorer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PLACE = ("contract", "block", "log_index")
_INDEXES = {
    "ledger_transactions": ("block", "block_hash", "sender"),
    "ledger_events": ("transaction_hash", "name", "training"),
    "ledger_mentions": ("value",),
}


def upgrade() -> None:
    """Create the tables, empty: whoever opens the explorer fills them from the chain."""
    _create_copies()
    _create_transactions()
    _create_events()
    _create_mentions()
    for table, columns in _INDEXES.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Drop them; the chain still holds everything."""
    for table in ("ledger_mentions", "ledger_events", "ledger_transactions", "ledger_copies"):
        op.drop_table(table)


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _place() -> list[sa.Column[object]]:
    return [
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
    ]


def _create_copies() -> None:
    op.create_table(
        "ledger_copies",
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("genesis_hash", sa.String(length=64), nullable=False),
        sa.Column("coordinator", sa.String(length=42), nullable=False),
        sa.Column("deputy", sa.String(length=42), nullable=False),
        sa.Column("next_block", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_ledger_copies")),
    )


def _create_transactions() -> None:
    op.create_table(
        "ledger_transactions",
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=64), nullable=False),
        sa.Column("block_time", _moment(), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("recipient", sa.String(length=42), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("function", sa.String(length=100), nullable=False),
        sa.Column("arguments", _long_text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_ledger_transactions")),
    )


def _create_events() -> None:
    op.create_table(
        "ledger_events",
        *_place(),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("training", sa.String(length=64), nullable=True),
        sa.Column("round", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("arguments", _long_text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_hash"],
            ["ledger_transactions.hash"],
            name=op.f("fk_ledger_events_transaction_hash"),
        ),
        sa.PrimaryKeyConstraint(*_PLACE, name=op.f("pk_ledger_events")),
    )


def _create_mentions() -> None:
    op.create_table(
        "ledger_mentions",
        *_place(),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            _PLACE,
            [f"ledger_events.{name}" for name in _PLACE],
            name=op.f("fk_ledger_mentions_contract"),
        ),
        sa.PrimaryKeyConstraint(*_PLACE, "value", name=op.f("pk_ledger_mentions")),
    )
