"""Who a federation is made of, from its registry's events, and the fingerprint of them.

The fingerprint is what a person can compare: over the chain's id, the contracts' addresses and
everybody whose signature counts in a round. It is SHA-256 over the ABI's encoding of

    label, chain id, [registry, anchors, records, federation],
    [(account, roles, keys)] by account: hospitals, nodes, coordinators, administrators

with the roles' words in alphabetical order and all keys that an account ever had, the oldest first.
Doctors and auditors are no part of it: they come and go, and sign nothing in a round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode

from contracts.artifact import ANCHORS, FEDERATION, RECORDS, REGISTRY
from contracts.errors import BadEvidence
from contracts.records import LedgerEvent, Permission, Policy, Role

FEDERATION_LABEL = "consilium/federation/v1"
ADDRESSES = (REGISTRY, ANCHORS, RECORDS, FEDERATION)
_PARTIES = {Role.HOSPITAL: "hospital", Role.NODE: "node"}
_OFFICES = {Permission.ADMINISTRATOR: "administrator", Permission.COORDINATOR: "coordinator"}
_TYPES = ("string", "uint256", "address[]", "(address,string[],bytes[])[]")


@dataclass
class Members:
    """The registry's state, event by event; `holders` has permissions by their identifier."""

    roles: dict[str, Role] = field(default_factory=dict)
    keys: dict[str, list[bytes]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    holders: dict[bytes, set[str]] = field(default_factory=dict)
    policies: dict[bytes, Policy] = field(default_factory=dict)
    _proposed: set[tuple[bytes, str]] = field(default_factory=set)

    @classmethod
    def of(cls, events: Iterable[LedgerEvent]) -> Members:
        """The state after these events."""
        members = cls()
        for event in events:
            members.apply(event)
        return members

    def apply(self, event: LedgerEvent) -> None:
        """Take an event in. Raises BadEvidence for a decision that nobody proposed."""
        values: Mapping[str, Any] = event.values
        account = values.get("account", "")
        match event.name:
            case "Registered":
                self.roles[account] = values["role"]
                self.keys[account] = [values["public_key"]]
            case "KeyRotated":
                self.keys.setdefault(account, []).append(values["public_key"])
                self.revoked.discard(account)
            case "KeyRevoked":
                self.revoked.add(account)
            case "RoleGranted":
                self.holders.setdefault(values["role"], set()).add(account)
            case "RoleRevoked":
                self.holders.get(values["role"], set()).discard(account)
            case "PolicySet":
                self.policies[values["task"]] = Policy(**values["policy"])
            case "Proposed":
                self._proposed.add((values["action"], values["administrator"]))
            case "Decided" if (values["action"], values["first"]) not in self._proposed:
                raise BadEvidence("a decision of two administrators that the first never proposed")

    def has(self, permission: Permission, account: str) -> bool:
        """Whether the account may do this now."""
        return account in self.holders.get(permission.value, ())

    def key_of(self, account: str) -> bytes | None:
        """The key in force, or None."""
        return None if account in self.revoked else self.keys.get(account, [None])[-1]

    def counted(self) -> dict[str, tuple[str, ...]]:
        """Everybody whose signature counts in a round, by account, with the words of its roles."""
        found: dict[str, set[str]] = {}
        for account, role in self.roles.items():
            if role in _PARTIES:
                found.setdefault(account, set()).add(_PARTIES[role])
        for permission, word in _OFFICES.items():
            for account in self.holders.get(permission.value, ()):
                found.setdefault(account, set()).add(word)
        return {account: tuple(sorted(found[account])) for account in sorted(found, key=str.lower)}

    def fingerprint(self, chain_id: int, addresses: Mapping[str, str]) -> bytes:
        """The federation's fingerprint, 32 bytes."""
        members = [
            (account, roles, tuple(self.keys.get(account, ())))
            for account, roles in self.counted().items()
        ]
        places = [addresses[name] for name in ADDRESSES]
        return sha256(encode(_TYPES, (FEDERATION_LABEL, chain_id, places, members))).digest()


def grouped(fingerprint: bytes) -> str:
    """The fingerprint for people: groups of four hex digits."""
    digits = fingerprint.hex()
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))


def read_fingerprint(text: str) -> bytes:
    """The inverse of `grouped`, however it is spaced and written. Raises ValueError."""
    digits = "".join(text.split()).replace(":", "").removeprefix("0x")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise ValueError("expected a fingerprint of 64 hexadecimal digits")
    return found
