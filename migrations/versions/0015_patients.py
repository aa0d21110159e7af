"""Sealed patients: doctors' keys, care groups, openings; and what a session keeps of a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = (
    "doctor_keys", "patients", "patient_versions", "patient_entries", "carers", "openings",
    "opening_answers",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables, empty, and the column: nobody has a key yet."""
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unlocked", _bytes(), nullable=True))
        batch_op.add_column(sa.Column("key_id", sa.Integer(), nullable=True))
    op.create_table(
        "doctor_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.String(length=130), nullable=False),
        sa.Column("locked", _bytes(), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("lost_at", _moment(), nullable=True),
        *_foreign_keys("doctor_keys", user_id="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctor_keys")),
        sa.UniqueConstraint("public_key", name=op.f("uq_doctor_keys_public_key")),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("commitments", _bytes(), nullable=False),
        sa.Column("escrow", _bytes(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("erased_at", _moment(), nullable=True),
        *_foreign_keys("patients", created_by="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
    )
    op.create_table(
        "patient_versions",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", _bytes(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", _moment(), nullable=False),
        *_foreign_keys("patient_versions", patient_id="patients", made_by="users"),
        sa.PrimaryKeyConstraint("patient_id", "version", name=op.f("pk_patient_versions")),
    )
    op.create_table(
        "patient_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("sealed", _bytes(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", _moment(), nullable=False),
        *_foreign_keys("patient_entries", patient_id="patients", made_by="users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_entries")),
    )
    op.create_table(
        "carers",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("point", sa.Integer(), nullable=False),
        sa.Column("share", _bytes(), nullable=False),
        sa.Column("minimum", _bytes(), nullable=False),
        *_foreign_keys("carers", patient_id="patients", user_id="users", key_id="doctor_keys"),
        sa.PrimaryKeyConstraint("patient_id", "user_id", name=op.f("pk_carers")),
    )
    op.create_table(
        "openings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("share", _bytes(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_at", _moment(), nullable=False),
        sa.Column("opened_at", _moment(), nullable=True),
        sa.Column("until", _moment(), nullable=False),
        sa.Column("ended_at", _moment(), nullable=True),
        *_foreign_keys("openings", patient_id="patients", asked_by="users", key_id="doctor_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
    )
    op.create_table(
        "opening_answers",
        sa.Column("opening_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("reason", _bytes(), nullable=False),
        sa.Column("answer", sa.String(length=20), nullable=False),
        sa.Column("answered_at", _moment(), nullable=True),
        sa.Column("share", _bytes(), nullable=True),
        *_foreign_keys(
            "opening_answers", opening_id="openings", user_id="users", key_id="doctor_keys"
        ),
        sa.PrimaryKeyConstraint("opening_id", "user_id", name=op.f("pk_opening_answers")),
    )
    for table, columns in (
        ("doctor_keys", ("user_id",)),
        ("patient_entries", ("patient_id",)),
        ("carers", ("user_id",)),
        ("openings", ("patient_id", "asked_by", "state")),
        ("opening_answers", ("user_id",)),
    ):
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    """Drop them: what was sealed is gone."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("key_id")
        batch_op.drop_column("unlocked")


def _foreign_keys(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, other in columns.items()
    ]


def _bytes() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
