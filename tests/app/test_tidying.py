"""What is overdue is cleared away also while the worker is at a long job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from app.models import OpeningAnswerRow, OpeningRow
from app.models.base import now
from app.services.openings import CLOSED
from app.services.work import Worker
from config import Settings
from tests.app.clinic import Clinic, opened
from tests.app.processes import until


class Busy(Worker):
    """A worker whose first job takes until it is told to leave."""

    def __init__(self, settings: Settings, leaving: Event) -> None:
        super().__init__(settings, "busy", leaving)
        self.at_work = Event()

    def look(self, _jobs: object) -> float:
        """Work on, and on."""
        self.at_work.set()
        self._leaving.wait()
        return 0.0


@pytest.fixture
def leaving() -> Iterator[Event]:
    """Set at the test's end, however it ends."""
    event = Event()
    yield event
    event.set()


def test_lent_shares_are_erased_while_the_worker_is_at_a_job(
    clinic: Clinic, tmp_path: Path, leaving: Event
) -> None:
    """An opening that nobody closed ends, and its shares go, though a training takes hours."""
    bea, carl, dora = (clinic.doctor(name) for name in ("bea", "carl", "dora"))
    patient = clinic.seal(bea, carl, dora)
    asked = opened(clinic, bea, carl, patient)
    settings = Settings(instance_dir=tmp_path, database_url=f"sqlite:///{clinic.path}")
    worker = Busy(settings, leaving)
    Thread(target=worker.run, daemon=True).start()
    assert worker.at_work.wait(timeout=60)

    def is_lent() -> bool:
        with clinic.database.transaction() as session:
            return session.get_one(OpeningAnswerRow, (asked, carl.row.id)).share is not None

    assert is_lent()
    clinic.altered(OpeningRow, until=now() - timedelta(seconds=1))
    until(lambda: not is_lent())
    assert clinic.opening(bea, patient).state == CLOSED
