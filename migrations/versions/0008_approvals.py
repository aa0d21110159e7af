"""Operators of hospitals, their rules, and what they approved by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty: no hospital asks for an approval yet."""
    _create_operators()
    _create_rules()
    _create_approvals()


def downgrade() -> None:
    """Drop them."""
    for table in ("approvals", "approval_rules", "operators"):
        op.drop_table(table)


def _create_operators() -> None:
    op.create_table(
        "operators",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hospital", sa.String(length=100), nullable=False),
        sa.Column("set_at", _moment(), nullable=False),
        sa.Column("set_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_operators_user_id")),
        sa.ForeignKeyConstraint(["set_by"], ["users.id"], name=op.f("fk_operators_set_by")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_operators")),
    )
    op.create_index(op.f("ix_operators_hospital"), "operators", ["hospital"])


def _create_rules() -> None:
    op.create_table(
        "approval_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hospital", sa.String(length=100), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(length=132), nullable=False),
        sa.Column("wallet", sa.String(length=42), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=False),
        sa.Column("changed_at", _moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name=op.f("fk_approval_rules_changed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_rules")),
        sa.UniqueConstraint("hospital", "issued", name=op.f("uq_approval_rules_hospital")),
    )


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.String(length=64), nullable=False),
        sa.Column("hospital", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_at", _moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("signature", sa.String(length=132), nullable=True),
        sa.Column("wallet", sa.String(length=42), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", _moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["training_id"], ["trainings.id"], name=op.f("fk_approvals_training_id")
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_approvals_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("training_id", "hospital", name=op.f("uq_approvals_training_id")),
    )
    for column in ("hospital", "state"):
        op.create_index(op.f(f"ix_approvals_{column}"), "approvals", [column])


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
