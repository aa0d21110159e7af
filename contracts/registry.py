"""The registry in typed calls: permissions, parties with their keys, policies.

What two administrators decide is called by both, with the same arguments: the first call proposes,
the second decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from contracts.artifact import REGISTRY
from contracts.client import Client
from contracts.records import (
    LedgerEvent,
    PartyKey,
    PartyRecord,
    Permission,
    Policy,
    Receipt,
    Role,
)
from contracts.rpc import Rpc
from contracts.sender import Sender


def task_word(task: str) -> bytes:
    """A task's name as the contracts hold it: UTF-8, padded with zeros to 32 bytes.

    Raises ValueError for a name that does not fit.
    """
    name = task.encode()
    if not 0 < len(name) <= 32 or b"\0" in name:
        raise ValueError(f"expected a task of 1 to 32 bytes, got {task!r}")
    return name.ljust(32, b"\0")


class Registry(Client):
    """The registry at `address`, as the account of `sender` sees it."""

    def __init__(self, rpc: Rpc, address: str, sender: Sender | None = None) -> None:
        super().__init__(rpc, REGISTRY, address, sender)

    def find_party(self, account: str) -> PartyRecord | None:
        """Return what is registered under `account`, or None."""
        role, public_key = self._view("partyOf", account)
        return PartyRecord(to_checksum_address(account), Role(role), public_key) if role else None

    def keys(self, account: str) -> tuple[PartyKey, ...]:
        """Return all keys that `account` ever had, the oldest first."""
        found = self._view("keysOf", account)
        return tuple(PartyKey(since, revoked or None, key) for since, revoked, key in found)

    def founders(self) -> tuple[str, str]:
        """Return the first coordinator, and the other administrator of the beginning."""
        first, second = self._view("founder"), self._view("cofounder")
        return to_checksum_address(first), to_checksum_address(second)

    def nodes(self) -> tuple[str, ...]:
        """Return the nodes, in their order."""
        return tuple(map(to_checksum_address, self._view("nodeSet")))

    def has(self, permission: Permission, account: str) -> bool:
        """Whether the account may do this now."""
        return bool(self._view("hasRole", permission.value, account))

    def history(self) -> tuple[LedgerEvent, ...]:
        """Return all events of the registry, in the chain's order."""
        wanted = {"address": self.contract, "fromBlock": "0x0", "toBlock": "latest"}
        return tuple(map(self._interface.event, self._rpc.call("eth_getLogs", wanted)))

    def policy(self, task: str) -> Policy:
        """Return the rules of a task; not allowed if none were set."""
        return Policy(*self._view("policyOf", task_word(task)))

    def register(self, account: str, role: Role, public_key: bytes) -> Receipt:
        """Register `account` (administrator); `public_key` is a P-256 point of 65 bytes."""
        return self._send(
            "register",
            (account, role, public_key),
            lambda: self._find("Registered", (account, role), {"public_key": public_key}),
        )

    def rotate_key(self, public_key: bytes) -> Receipt:
        """Use another key from now on, as this account."""
        same = {"public_key": public_key}
        return self._send(
            "rotateKey", (public_key,), lambda: self._find("KeyRotated", (self.account,), same)
        )

    def revoke_key(self, account: str) -> Receipt:
        """Put the account's key out of force (itself, or an administrator)."""
        return self._send("revokeKey", (account,), lambda: self._find("KeyRevoked", (account,), {}))

    def grant(self, permission: Permission, account: str) -> Receipt:
        """Grant a permission (administrator); again changes nothing."""
        return self._send("grantRole", (permission.value, account), lambda: None)

    def revoke(self, permission: Permission, account: str) -> Receipt:
        """Take a permission away (administrator); again changes nothing."""
        return self._send("revokeRole", (permission.value, account), lambda: None)

    def renounce(self, permission: Permission) -> Receipt:
        """Give up a permission of this account."""
        return self._send("renounceRole", (permission.value, self.account), lambda: None)

    def set_nodes(self, nodes: Sequence[str]) -> Receipt:
        """Replace the set of nodes (two administrators)."""
        same = {"nodes": tuple(nodes)}
        return self._decide("setNodes", (tuple(nodes),), lambda: self._find("NodesSet", (), same))

    def set_policy(self, task: str, policy: Policy) -> Receipt:
        """Set the rules of a task (two administrators)."""
        word, rules = task_word(task), astuple(policy)
        return self._decide(
            "setPolicy",
            (word, rules),
            lambda: self._find("PolicySet", (word,), {"policy": asdict(policy)}),
        )

    def policy_action(self, task: str, policy: Policy) -> bytes:
        """The name under which `set_policy` with these arguments is proposed."""
        return keccak(self._interface.call_data("setPolicy", (task_word(task), astuple(policy))))

    def set_administrator(self, account: str, holds: bool) -> Receipt:
        """Make an account an administrator, or no longer one (two administrators)."""
        event = "RoleGranted" if holds else "RoleRevoked"
        role = Permission.ADMINISTRATOR.value
        return self._decide(
            "setAdministrator", (account, holds), lambda: self._find(event, (role, account), {})
        )

    def withdraw(self, action: bytes) -> Receipt:
        """Take back a proposal of this account, by the hash of its call."""
        return self._send(
            "withdraw", (action,), lambda: self._find("Withdrawn", (action, self.account), {})
        )

    def _decide(
        self, function: str, arguments: Sequence[object], find_decided: Callable[[], Receipt | None]
    ) -> Receipt:
        action = keccak(self._interface.call_data(function, arguments))

        def find_done() -> Receipt | None:
            """What this account did itself comes first: it decided, or it proposed."""
            return (
                self._find("Decided", (action,), {"second": self.account})
                or self._find("Proposed", (action, self.account), {})
                or find_decided()
            )

        return self._send(function, arguments, find_done)
