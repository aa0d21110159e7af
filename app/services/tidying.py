"""What the worker clears away beside its jobs: openings and batches whose time is over.

In a thread of its own, since a job may take hours and what was lent for fifteen minutes may not
wait for its end.
"""

from __future__ import annotations

import logging
from contextlib import closing
from threading import Event, Thread
from typing import Final

from app.database import Database
from app.services.audit import AuditLog
from app.services.batches import erase_overdue
from app.services.escrow import Escrow
from app.services.openings import Openings
from config import Settings

EVERY_SECONDS: Final = 2.0

_logger = logging.getLogger("consilium.worker")


class Tidying:
    """Tidies up every EVERY_SECONDS from the beginning of a `with` block to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._over = Event()
        self._thread = Thread(target=self._run, name="tidying", daemon=True)

    def __enter__(self) -> Tidying:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(Database(self._settings.database)) as database:
            while not self._over.is_set():
                try:
                    tidy(database, self._settings)
                except Exception:
                    # The database may be gone for a while: the next time may pass.
                    _logger.exception("what is overdue was not cleared away")
                self._over.wait(EVERY_SECONDS)


def tidy(database: Database, settings: Settings) -> None:
    """Clear away, once, what is overdue."""
    audit = AuditLog(database)
    Openings(database, audit, Escrow.of(settings)).end_overdue()
    erase_overdue(database, audit)
