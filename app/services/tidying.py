"""What the worker clears away beside its jobs: openings and batches whose time is over.

In a thread of its own, since a job may take hours and what was lent for fifteen minutes may not
wait for its end.
"""

from __future__ import annotations

from typing import Final

from app.database import Database
from app.services.audit import AuditLog
from app.services.batches import erase_overdue
from app.services.escrow import Escrow
from app.services.openings import Openings
from config import Settings

EVERY_SECONDS: Final = 2.0


def tidy(database: Database, settings: Settings) -> None:
    """Clear away, once, what is overdue."""
    audit = AuditLog(database)
    Openings(database, audit, Escrow.of(settings)).end_overdue()
    erase_overdue(database, audit)
