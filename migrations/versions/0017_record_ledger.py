"""Openings on the ledger: doctors' accounts, their steps, and the transactions they signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty: a doctor's account is made at the next sign-in."""
    op.create_table(
        "doctor_accounts",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("sealed", _bytes(), nullable=False),
        sa.Column("made_at", _moment(), nullable=False),
        *_foreign_keys("doctor_accounts", key_id="doctor_keys"),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_doctor_accounts")),
        sa.UniqueConstraint("address", name=op.f("uq_doctor_accounts_address")),
    )
    op.create_table(
        "record_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("opening_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("record", sa.String(length=64), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("made_at", _moment(), nullable=False),
        *_foreign_keys("record_steps", patient_id="patients", user_id="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_steps")),
    )
    op.create_table(
        "record_transactions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("genesis_hash", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.String(length=66), nullable=False),
        sa.Column("raw", _bytes(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        *_foreign_keys("record_transactions", step_id="record_steps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_transactions")),
        sa.UniqueConstraint(
            "genesis_hash", "account", "nonce", name=op.f("uq_record_transactions_genesis_hash")
        ),
    )
    op.create_table(
        "record_chains",
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("gas_price", sa.BigInteger(), nullable=False),
        *_foreign_keys("record_chains", deployment_id="deployments"),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_record_chains")),
    )
    for table, columns in (
        ("record_steps", ("patient_id", "opening_id", "user_id")),
        ("record_transactions", ("step_id", "outcome")),
    ):
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Drop them: what was not sent is lost, what was sent stays on the chain."""
    for table in ("record_chains", "record_transactions", "record_steps", "doctor_accounts"):
        op.drop_table(table)


def _foreign_keys(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, other in columns.items()
    ]


def _bytes() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
