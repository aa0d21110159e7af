"""Files of patients that predictions are made for: sealed rows and sealed answers, in pieces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("about", _bytes(), nullable=False),
        sa.Column("unusual", sa.Boolean(), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=True),
        sa.Column("made_at", _moment(), nullable=False),
        sa.Column("started_at", _moment(), nullable=True),
        sa.Column("ended_at", _moment(), nullable=True),
        sa.Column("until", _moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_batches_user_id")),
        sa.ForeignKeyConstraint(["key_id"], ["doctor_keys.id"], name=op.f("fk_batches_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_table(
        "batch_pieces",
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sealed", _bytes(), nullable=False),
        sa.Column("answers", _bytes(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_pieces_batch_id")
        ),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_batch_pieces")),
    )
    for column in ("user_id", "until"):
        op.create_index(op.f(f"ix_batches_{column}"), "batches", [column])


def downgrade() -> None:
    """Drop them: what was sealed is gone."""
    op.drop_table("batch_pieces")
    op.drop_table("batches")


def _bytes() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
