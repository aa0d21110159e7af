"""Which models were put into use, and the contract that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty, and the column: contracts from before have no such contract."""
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("models", sa.String(length=42), nullable=True))
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("training_id", sa.String(length=64), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("back", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("reason_sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("transaction", sa.String(length=66), nullable=True),
        sa.Column("asked_by", sa.Integer(), nullable=True),
        sa.Column("asked_at", _moment(), nullable=False),
        *_foreign_keys(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        sa.UniqueConstraint(
            "deployment_id", "task", "position", name=op.f("uq_promotions_deployment_id")
        ),
    )
    for column in ("task", "training_id", "state"):
        op.create_index(op.f(f"ix_promotions_{column}"), "promotions", [column])


def downgrade() -> None:
    """Drop both; the promotions stay on the chain."""
    op.drop_table("promotions")
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.drop_column("models")


def _foreign_keys() -> list[sa.ForeignKeyConstraint]:
    columns = {
        "deployment_id": "deployments.id",
        "training_id": "trainings.id",
        "asked_by": "users.id",
    }
    return [
        sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_promotions_{column}"))
        for column, other in columns.items()
    ]


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
