"""What the set-up tells a person, on standard error."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO


class Console:
    """Lines that stay, and on a terminal one line that shows what is going on right now.

    Standard error, because standard output belongs to the result (`train --json`).
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._transient = False

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._erase()
        self._stream.write(line + "\n")
        self._stream.flush()

    def show(self, line: str) -> None:
        """Show a line until the next one; nothing where the stream is no terminal."""
        if not self._stream.isatty() or not line:
            return
        self._erase()
        width = shutil.get_terminal_size().columns - 4
        self._stream.write("    " + line[: max(width, 0)])
        self._stream.flush()
        self._transient = True

    def _erase(self) -> None:
        if self._transient:
            self._stream.write("\r\x1b[K")
            self._transient = False
