"""A secret locked with a password: Argon2id derives the key (RFC 9106), AES-256-GCM seals.

What is stored tells the costs and the salt that it was made with, so that costs can grow: whoever
knows the password locks anew. Guessing costs as much as it does for a password's hash.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.context import Item, canonical, parse
from crypto.errors import EncodingError, LockError

LABEL: Final = "consilium/password-lock/v1"
_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
# A salt, and so a key, is used once: a constant nonce never meets the same key twice.
_NONCE: Final = bytes(12)
_FIELDS: Final = [str, int, int, int, bytes, bytes]


@dataclass(frozen=True)
class Cost:
    """What a guess costs: passes, memory in KiB, lanes (RFC 9106, section 3.1)."""

    passes: int
    memory: int
    lanes: int


# Who alters a stored lock must not make the server spend its memory.
_MOST: Final = Cost(passes=16, memory=1 << 20, lanes=16)


def lock(secret: bytes, password: str, cost: Cost, *items: Item) -> bytes:
    """The secret under the password; `items` say whose it is, and must be named to open it."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derive(password, salt, cost)
    sealed = AESGCM(key).encrypt(_NONCE, secret, _bound(cost, salt, items))
    return canonical(LABEL, cost.passes, cost.memory, cost.lanes, salt, sealed)


def unlock(locked: bytes, password: str, *items: Item) -> bytes:
    """The secret.

    Raises LockError for another password or other items, EncodingError for what is no lock, or one
    whose costs this machine should not pay.
    """
    fields = parse(locked)
    if not isinstance(fields, list) or [type(one) for one in fields] != _FIELDS:
        raise EncodingError("expected a lock of costs, salt and ciphertext")
    label, passes, memory, lanes, salt, sealed = fields
    if label != LABEL:
        raise EncodingError(f"expected {LABEL}, got {label[:40]!r}")
    cost = Cost(passes, memory, lanes)
    if not (0 < passes <= _MOST.passes and 0 < lanes <= _MOST.lanes):
        raise EncodingError(f"expected up to {_MOST.passes} passes and {_MOST.lanes} lanes")
    if not 8 * lanes <= memory <= _MOST.memory:
        raise EncodingError(f"expected {8 * lanes} to {_MOST.memory} KiB of memory, got {memory}")
    try:
        key = _derive(password, salt, cost)
        return AESGCM(key).decrypt(_NONCE, sealed, _bound(cost, salt, items))
    except InvalidTag as error:
        raise LockError("the password does not open this lock") from error


def _derive(password: str, salt: bytes, cost: Cost) -> bytes:
    return hash_secret_raw(
        password.encode(), salt, cost.passes, cost.memory, cost.lanes, _KEY_BYTES, Type.ID
    )


def _bound(cost: Cost, salt: bytes, items: tuple[Item, ...]) -> bytes:
    return canonical(LABEL, cost.passes, cost.memory, cost.lanes, salt, list(items))
