"""Addresses as EIP-55 writes them: each is worked out once, as events name the same few."""

from __future__ import annotations

from functools import lru_cache

from eth_utils.address import to_checksum_address

_KEPT = 4096

checksum_address = lru_cache(_KEPT)(to_checksum_address)
