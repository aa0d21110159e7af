"""New shares for many records at once; how often a record's shares were dealt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty; the audit log tells how often a record was shared so far."""
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sharing", sa.Integer(), nullable=False, server_default="1"))
    op.execute(
        "UPDATE patients SET sharing = 1 + (SELECT COUNT(*) FROM audit "
        "WHERE audit.subject = patients.id AND audit.action = 'record.resealed')"
    )
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.alter_column("sharing", existing_type=sa.Integer(), server_default=None)
    op.create_table(
        "resharings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("successors", _bytes(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("begun_by", sa.Integer(), nullable=False),
        sa.Column("begun_at", _moment(), nullable=False),
        *_foreign_keys("resharings", begun_by="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resharings")),
    )
    op.create_table(
        "resharing_records",
        sa.Column("resharing_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("blamed", sa.String(length=200), nullable=False),
        *_foreign_keys("resharing_records", resharing_id="resharings", patient_id="patients"),
        sa.PrimaryKeyConstraint("resharing_id", "patient_id", name=op.f("pk_resharing_records")),
    )
    op.create_table(
        "resharing_parts",
        sa.Column("resharing_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("dealing", _bytes(), nullable=False),
        *_foreign_keys(
            "resharing_parts", resharing_id="resharings", patient_id="patients", user_id="users"
        ),
        sa.PrimaryKeyConstraint(
            "resharing_id", "patient_id", "user_id", name=op.f("pk_resharing_parts")
        ),
    )
    for table, columns in (
        ("resharing_records", ("patient_id", "state")),
        ("resharing_parts", ("patient_id",)),
    ):
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Drop them: shares that were dealt stay, and what was not finished is gone."""
    for table in ("resharing_parts", "resharing_records", "resharings"):
        op.drop_table(table)
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_column("sharing")


def _foreign_keys(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, other in columns.items()
    ]


def _bytes() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
