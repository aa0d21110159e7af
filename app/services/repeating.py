"""Something done again and again in a thread of its own, beside what a `with` block does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

_logger = logging.getLogger("consilium.worker")


class Repeating:
    """Calls `do` every `seconds` from the beginning of a `with` block to its end.

    What fails is logged and tried again the next time: the database may be gone for a while.
    """

    def __init__(self, name: str, seconds: float, do: Callable[[], None]) -> None:
        self._name, self._seconds, self._do = name, seconds, do
        self._over = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                self._do()
            except Exception:
                _logger.exception("%s failed and is tried again", self._name)
