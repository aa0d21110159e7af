"""Parts of pages that everybody who may ask sees alike: made once for all who ask in one moment.

Fifty people at a live page cost little more than one so. A part must hold nothing of the person who
asks: no token of a form, no name, nothing that depends on a role.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from flask import Flask, current_app

# Of what a live page waits between two questions: so one watcher never gets the same part twice.
SHARE_OF_WAIT: Final = 0.9
# A part that takes long serves so many times as long: making it never fills a processor.
TIMES_MAKING: Final = 10

_KEY: Final = "consilium.shared_parts"

Part = TypeVar("Part")


@dataclass
class _Slot:
    """A part, until when it serves, and the lock of whoever makes it."""

    until: float = 0.0
    part: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class SharedParts:
    """The parts made a moment ago, by key; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: dict[Hashable, _Slot] = {}

    def get(self, key: Hashable, make: Callable[[], Part], wait: float = 1.0) -> Part:
        """The part of this key, made by `make` unless that was done a moment ago.

        A moment is a little less than `wait`, the seconds between two questions of one watcher.
        Who asks while it is being made waits for it. What `make` raises is raised, and nothing is
        kept of it.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            begun = self._clock()
            if begun >= slot.until:
                slot.part = make()
                made = self._clock()
                slot.until = made + max(SHARE_OF_WAIT * wait, TIMES_MAKING * (made - begun))
                self._drop_old(key)
            return cast(Part, slot.part)

    def _drop_old(self, kept: Hashable) -> None:
        """Forget the other parts that no longer serve; who still waits for one holds it."""
        moment = self._clock()
        with self._lock:
            for key in [k for k, slot in self._slots.items() if k != kept and slot.until < moment]:
                del self._slots[key]


def install(app: Flask) -> None:
    """Give the application its parts."""
    app.extensions[_KEY] = SharedParts()


def shared_parts() -> SharedParts:
    """The parts of the application that answers this request."""
    return cast(SharedParts, current_app.extensions[_KEY])
