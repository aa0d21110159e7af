"""The note in a virtual environment that says what was installed in it, written last.

A stamp that is missing or says something else means that the installation has to be done (again).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

# Counted up when the way of installing changes so that old environments must be redone.
FORMAT = 1


@dataclass(frozen=True)
class Group:
    """A set of packages that is installed together: `files[0]` is installed, all are hashed."""

    name: str
    files: tuple[str, ...]


RUNTIME = Group("runtime", ("requirements.txt", "constraints.txt"))
DEVELOPMENT = Group("development", ("requirements-dev.txt", "requirements.txt", "constraints.txt"))


def fingerprint(root: Path, group: Group) -> str:
    """Return the SHA-256, in hex, of the names and contents of the group's files under `root`."""
    digest = hashlib.sha256()
    for name in group.files:
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def path_of(folder: Path, group: Group) -> Path:
    """Return where the stamp of `group` lies in the environment `folder`."""
    return folder / f"consilium-{group.name}.json"


def is_current(root: Path, folder: Path, python: Path, group: Group) -> bool:
    """Tell whether `folder` holds what `group` asks for, for the interpreter behind `python`.

    The interpreter is followed to the real file: when the system's Python was replaced by a newer
    one, the environment's link leads elsewhere and its packages are out of reach.
    """
    try:
        held = json.loads(path_of(folder, group).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return python.exists() and held == _content(root, python, group)


def write(root: Path, folder: Path, python: Path, group: Group) -> None:
    """Write the stamp of `group`, whole or not at all."""
    path = path_of(folder, group)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(_content(root, python, group), indent=1), encoding="utf-8")
    os.replace(temporary, path)


def _content(root: Path, python: Path, group: Group) -> dict[str, object]:
    return {
        "format": FORMAT,
        "requirements": fingerprint(root, group),
        "python": os.path.realpath(python),
    }
