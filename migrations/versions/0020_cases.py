"""Confirmed cases of patients, sealed to the hospital whose trainings they join."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty: no diagnosis was a case before."""
    op.create_table(
        "cases",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("hospital", sa.String(length=100), nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_cases_made_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_cases_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "task", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_hospital"), "cases", ["hospital"])


def downgrade() -> None:
    """Drop it: the diagnoses stay in their records."""
    op.drop_table("cases")
