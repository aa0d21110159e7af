"""The passphrase of the installation's keystores: of the environment, else of a file of its own."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import SetupError
from app.stores.party_files import PartyFiles
from config import Settings

FILE = "keystore.passphrase"
VARIABLE = "CONSILIUM_KEYSTORE_PASSPHRASE"
KEYSTORE = "keystore.json"
PARTIES = "parties"

# What scrypt costs (its n, with r = 8 and p = 1) depends on how guessable the passphrase is. One
# that a person chose gets the standard of Ethereum's clients: 256 MiB and a second a guess. One of
# 256 random bits cannot be guessed at any price, so it gets the least that those clients use.
STANDARD_N = 1 << 18
LIGHT_N = 1 << 12
LEAST_CHARACTERS = 12
_BYTES = 32
_OTHERS = 0o077


@dataclass(frozen=True)
class Passphrase:
    """What opens the keystores; `scrypt_n` is what new ones cost, `source` where it came from."""

    text: str = field(repr=False)
    scrypt_n: int
    source: str


def find_passphrase(settings: Settings) -> Passphrase:
    """The passphrase of the environment; without it that of the file, made on the first use.

    Raises SetupError when it is too short, readable by others, or lost.
    """
    chosen = settings.keystore_passphrase.get_secret_value()
    if chosen:
        if len(chosen) < LEAST_CHARACTERS:
            raise SetupError(f"expected at least {LEAST_CHARACTERS} characters in {VARIABLE}")
        return Passphrase(chosen, STANDARD_N, VARIABLE)
    path = settings.instance_dir / FILE
    if not path.exists():
        _make(settings.instance_dir)
    return Passphrase(_read(path), LIGHT_N, str(path))


def _make(instance: Path) -> None:
    # Looked at before the file is: another process may be making both at this moment.
    keystores = len(list((instance / PARTIES).glob(f"*/{KEYSTORE}")))
    if keystores and not (instance / FILE).exists():
        raise SetupError(
            f"{instance / FILE} is missing, and {keystores} keystores in {instance / PARTIES} were "
            f"sealed before. Restore the file, or set {VARIABLE} if they were sealed with that. "
            "Without the passphrase nobody can open them: start over with another "
            "CONSILIUM_INSTANCE folder"
        )
    PartyFiles(instance).remember(FILE, lambda: f"{secrets.token_hex(_BYTES)}\n".encode("ascii"))


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SetupError(f"expected the passphrase of the keystores in {path}: {error}") from error
    if os.name == "posix" and mode & _OTHERS:
        raise SetupError(f"{path} can be read by others: chmod 600 {path}")
    if len(text) < 2 * _BYTES:
        raise SetupError(f"expected {2 * _BYTES} digits in {path}, got {len(text)}: restore it")
    return text
