"""A party's private state as files in its own folder, readable by the owner only.

A value is on disk, under its final name, before a method returns: written beside it, flushed, then
renamed or linked, and the folder flushed. So a kill at any moment leaves the old value or the new
one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fl.errors import ConflictError

_NEW = ".new-"


class PartyFiles:
    """Implements `fl.store.PartyStore` in a folder."""

    def __init__(self, folder: Path) -> None:
        _make_folder(folder)
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def remember(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The stored value; when there is none, `make()`, stored before it is returned."""
        known = self.get(key)
        if known is not None:
            return known
        value = make()
        if not self._write(key, value, replace=False):
            return self.get(key) or b""
        return value

    def record(self, key: str, value: bytes) -> None:
        """Store a value once. Raises ConflictError when another value is stored there."""
        if self.remember(key, lambda: value) != value:
            raise ConflictError(key)

    def replace(self, key: str, value: bytes) -> None:
        """Store a value in place of what was there."""
        self._write(key, value, replace=True)

    def erase(self, prefix: str) -> None:
        """Remove the value at `prefix` and all that lie below it, if any."""
        path = self._path(prefix)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        # A kill in the middle of a write left a copy of a value beside it, perhaps of this one.
        for leftover in path.parent.glob(f"{_NEW}*"):
            leftover.unlink()
        if path.parent.is_dir():
            _flush_folder(path.parent)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not all(part and part not in (".", "..") and "\x00" not in part for part in parts):
            raise ValueError(f"expected a key of plain names, got {key!r}")
        return self._folder.joinpath(*parts)

    def _write(self, key: str, value: bytes, replace: bool) -> bool:
        """Whether the value was written; False when another one stands and may not be replaced."""
        path = self._path(key)
        _make_folder(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_NEW)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            Path(temporary).unlink(missing_ok=True)
        _flush_folder(path.parent)
        return True


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it for the owner alone, each on disk before the next."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
