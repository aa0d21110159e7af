"""The federation for a command that nobody else may disturb, or that may disturb nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from app.errors import BusyError
from app.services.federation import Federation, open_federation
from config import TRAINING_LOCK, Settings


@contextmanager
def exclusive_federation(settings: Settings) -> Iterator[Federation]:
    """The federation, with the right to train in it. Raises BusyError when another has it."""
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(settings.instance_dir / TRAINING_LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            f"another process is training in {settings.instance_dir}: wait until it is done. "
            "A server that runs also finishes trainings that were interrupted; its pages show them"
        ) from error
    with lock, open_federation(settings) as federation:
        yield federation
