"""People's roles that the registry holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty: nobody's role was put on a ledger yet."""
    op.create_table(
        "ledger_roles",
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("granted_at", _moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_ledger_roles_deployment_id")
        ),
        sa.PrimaryKeyConstraint("deployment_id", "account", "role", name=op.f("pk_ledger_roles")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ledger_roles")


def _moment() -> sa.types.TypeEngine[object]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
