"""How often each watcher of a live page may ask: the more they are, the longer each one waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import ceil
from typing import Final, cast

from flask import Flask, current_app

from app.web.login import viewer

# What all watchers together may ask in a second, so that a training hardly notices them.
MOST_A_SECOND: Final = 10
# Who has not asked for so long, in seconds, is gone; more than anybody has to wait.
GONE_SECONDS: Final = 30.0
# Tells the page's script how many seconds it waits before it asks again.
HEADER: Final = "Consilium-Ask-After"

_KEY: Final = "consilium.pace"


class Pace:
    """Who watches at present; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def seconds(self, who: str) -> int:
        """Note that this one asks; how many seconds to wait before the next time, at least 1."""
        moment = self._clock()
        with self._lock:
            self._seen[who] = moment
            for gone in [w for w, at in self._seen.items() if at < moment - GONE_SECONDS]:
                del self._seen[gone]
            watchers = len(self._seen)
        return min(ceil(watchers / MOST_A_SECOND), int(GONE_SECONDS) // 2)


def install(app: Flask) -> None:
    """Give the application its pace."""
    app.extensions[_KEY] = Pace()


def viewer_wait() -> int:
    """How many seconds the browser that asks has to wait before it asks again."""
    found = viewer()
    return cast(Pace, current_app.extensions[_KEY]).seconds(found.get_id() if found else "")
