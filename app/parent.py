"""How the server's processes learn that their parent is gone: their standard input then closes.

The parent holds the writing end of a pipe and closes it when they are to end; when it dies, even by
SIGKILL, the system closes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Thread

# Exit status (EX_CONFIG) of a process that a person has to help before it can run.
CANNOT_RUN = 78


class Parent:
    """Watches for the end of the parent from the moment it is made.

    Until `on_end` is set, and while nothing has begun that would need an end, the process just
    ends. `on_end` is called in a thread of its own.
    """

    def __init__(self) -> None:
        self.on_end: Callable[[], object] = lambda: os._exit(0)
        Thread(target=self._watch, name="parent", daemon=True).start()

    def _watch(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self.on_end()
