"""The key that signs what browsers keep: made once by the set-up, without it nothing is served."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from app.errors import SetupError

NAME = "secret.key"
_BYTES = 32
_OTHERS = 0o077


def make_secret_key(instance: Path) -> Path:
    """The file of the key, made with mode 600 where there is none."""
    path = instance / NAME
    instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
    return path


def read_secret_key(instance: Path) -> bytes:
    """The key. Raises SetupError when it is missing, too short, or readable by others."""
    path = instance / NAME
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise SetupError(f"expected a key of {_BYTES} bytes in {path}: run.py makes it") from error
    if len(key) < _BYTES:
        raise SetupError(f"expected at least {_BYTES} bytes in {path}, got {len(key)}")
    if os.name == "posix" and mode & _OTHERS:
        raise SetupError(f"{path} can be read by others: chmod 600 {path}")
    return key
