"""Second looks that rejected hospitals ask for, and the contract that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty, and the column: contracts from before have no such contract."""
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("appeals", sa.String(length=42), nullable=True))
    op.create_table(
        "appeals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("hospital", sa.String(length=100), nullable=False),
        *_reason(),
        sa.Column("update_salt", sa.String(length=64), nullable=True),
        sa.Column("update_content", sa.String(length=64), nullable=True),
        *_state(),
        sa.Column("decided_block", sa.Integer(), nullable=True),
        sa.Column("transaction", sa.String(length=66), nullable=True),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", _moment(), nullable=False),
        *_foreign_keys(
            "appeals", deployment_id="deployments", training_id="trainings", asked_by="users"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeals")),
        sa.UniqueConstraint(
            "training_id", "round", "hospital", name=op.f("uq_appeals_training_id")
        ),
    )
    op.create_table(
        "appeal_opinions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("appeal_id", sa.Integer(), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=False),
        *_reason(),
        *_state(),
        sa.Column("account", sa.String(length=42), nullable=True),
        sa.Column("transaction", sa.String(length=66), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=False),
        sa.Column("decided_at", _moment(), nullable=False),
        *_foreign_keys("appeal_opinions", appeal_id="appeals", decided_by="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal_opinions")),
    )
    for table, columns in (
        ("appeals", ("training_id", "hospital", "state")),
        ("appeal_opinions", ("appeal_id", "state")),
    ):
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Drop them; what was said stays on the chain."""
    op.drop_table("appeal_opinions")
    op.drop_table("appeals")
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.drop_column("appeals")


def _reason() -> list[sa.Column[str]]:
    return [
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("reason_sha256", sa.String(length=64), nullable=False),
    ]


def _state() -> list[sa.Column[str]]:
    return [
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
    ]


def _foreign_keys(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, other in columns.items()
    ]


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
