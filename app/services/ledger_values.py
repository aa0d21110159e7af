"""What the ledger says, as the local copy stores it: JSON, and what can be looked up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from eth_utils.address import is_checksum_address

HASH_BYTES = 32


def to_text(values: Mapping[str, object]) -> str:
    """The values as JSON in the contract's order: bytes as hex digits, enums as words."""
    return json.dumps(_plain(values), separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> dict[str, Any]:
    """The inverse of `to_text`, as far as JSON goes; what is none any more is told as it is."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    return values if isinstance(values, dict) else {"unreadable": text}


def mentioned(values: Mapping[str, object], training: bytes | None) -> frozenset[str]:
    """The accounts and hashes among the values, as they are stored.

    The training's identifier is left out, and so are hashes of zeros: they stand for nothing.
    """
    names = frozenset(_lookups(values.values()))
    return names - {training.hex()} if training else names


def is_hash(text: str) -> bool:
    """Whether what `mentioned` gave is a hash, no account."""
    return len(text) == 2 * HASH_BYTES


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _lookups(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, bytes) and len(value) == HASH_BYTES and any(value):
            yield value.hex()
        elif isinstance(value, str) and is_checksum_address(value):
            yield value
        elif isinstance(value, list | tuple):
            yield from _lookups(value)
        elif isinstance(value, Mapping):
            yield from _lookups(value.values())
