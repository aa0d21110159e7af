"""The registry in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from contracts.artifact import REGISTRY
from contracts.interface import interface
from contracts.ledger import Permission, Role
from tests.contracts.machine import Denied, Views

ADMINISTRATOR, NODE = Permission.ADMINISTRATOR.value, Permission.NODE.value
COORDINATOR = Permission.COORDINATOR.value
# What a registration brings.
GRANTED = {
    Role.HOSPITAL: (Permission.HOSPITAL, Permission.SUBMITTER, Permission.DOWNLOADER),
    Role.NODE: (),
    Role.DOCTOR: (Permission.DOCTOR, Permission.DOWNLOADER),
    Role.AUDITOR: (Permission.AUDITOR,),
}
NO_POLICY = (False, 0, 0, 0, 0, 0, 0)
MOST_KEYS, MOST_NODES = 32, 16


def action_of(function: str, *arguments: object) -> bytes:
    """The name under which a call of two administrators is proposed."""
    return keccak(interface(REGISTRY).call_data(function, arguments))


@dataclass
class RegistryModel:
    """Roles, parties, keys, nodes, policies and proposals, among `accounts`."""

    accounts: tuple[str, ...]
    block: int = 0
    roles: dict[bytes, set[str]] = field(default_factory=dict)
    registered: dict[str, Role] = field(default_factory=dict)
    keys: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    policies: dict[bytes, tuple[object, ...]] = field(default_factory=dict)
    proposed: dict[bytes, str] = field(default_factory=dict)
    # Every role, task and action that was ever named, so that all views are looked at.
    actions: set[bytes] = field(default_factory=set)
    tasks: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        first, second = self.accounts[:2]
        self.roles = {one.value: set() for one in Permission}
        self.roles[ADMINISTRATOR] = {first, second}
        self.roles[COORDINATOR] = {first}

    def has(self, role: bytes, account: str) -> bool:
        return account in self.roles.get(role, ())

    def require(self, account: str) -> None:
        """Raise Denied unless the account is an administrator."""
        if not self.has(ADMINISTRATOR, account):
            raise Denied(
                "AccessControlUnauthorizedAccount", account=account, needed_role=ADMINISTRATOR
            )

    def grant_role(self, sender: str, role: bytes, account: str) -> None:
        self._single(sender, role)
        self.roles.setdefault(role, set()).add(account)

    def revoke_role(self, sender: str, role: bytes, account: str) -> None:
        self._single(sender, role)
        self.roles.setdefault(role, set()).discard(account)

    def renounce_role(self, sender: str, role: bytes, confirmation: str) -> None:
        if confirmation != sender:
            raise Denied("AccessControlBadConfirmation")
        self.roles.setdefault(role, set()).discard(sender)
        self._two_remain()

    def set_administrator(self, sender: str, account: str, holds: bool) -> None:
        if self.has(ADMINISTRATOR, account) == holds:
            raise Denied("Unchanged")
        if self._decided(sender, "setAdministrator", account, holds):
            change = set.add if holds else set.discard
            change(self.roles[ADMINISTRATOR], account)
            self._two_remain()

    def set_nodes(self, sender: str, nodes: tuple[str, ...]) -> None:
        if len(nodes) > MOST_NODES:
            raise Denied("TooMany", most=MOST_NODES, actual=len(nodes))
        if nodes == self.nodes:
            raise Denied("Unchanged")
        if not self._decided(sender, "setNodes", nodes):
            return
        self.roles[NODE].clear()
        for node in nodes:
            if self.registered.get(node) is not Role.NODE:
                raise Denied("NotANode", account=node)
            if node in self.roles[NODE]:
                raise Denied("Twice", account=node)
            self.roles[NODE].add(node)
        self.nodes = nodes

    def set_policy(self, sender: str, task: bytes, policy: tuple[int, ...]) -> None:
        _, _, _, hospitals, accepted, blocks, attempts = policy
        self.tasks.add(task)
        if not any(task) or min(hospitals, accepted) < 3 or blocks == 0 or attempts == 0:
            raise Denied("WrongPolicy", task=task)
        if policy == self.policies.get(task):
            raise Denied("Unchanged")
        if self._decided(sender, "setPolicy", task, policy):
            self.policies[task] = policy

    def withdraw(self, sender: str, action: bytes) -> None:
        if self.proposed.get(action) != sender:
            raise Denied("NotProposed", action=action, administrator=sender)
        del self.proposed[action]

    def register(self, sender: str, account: str, role: Role, point: bytes) -> None:
        self.require(sender)
        if role is Role.NONE:
            raise Denied("NoRole", account=account)
        if account in self.registered:
            raise Denied("AlreadyRegistered", account=account)
        _require_point(point)
        self.registered[account] = role
        self.keys[account] = [(self.block, 0, point)]
        for permission in GRANTED[role]:
            self.roles[permission.value].add(account)

    def rotate_key(self, sender: str, point: bytes) -> None:
        keys = self.keys.get(sender)
        if not keys:
            raise Denied("NotRegistered", account=sender)
        if len(keys) == MOST_KEYS:
            raise Denied("TooMany", most=MOST_KEYS, actual=MOST_KEYS + 1)
        _require_point(point)
        if keys[-1][2] == point:
            raise Denied("SameKey", account=sender)
        keys.append((self.block, 0, point))

    def revoke_key(self, sender: str, account: str) -> None:
        if sender != account:
            self.require(sender)
        keys = self.keys.get(account)
        if not keys:
            raise Denied("NotRegistered", account=account)
        since, revoked, point = keys[-1]
        if revoked:
            raise Denied("NoKey", account=account)
        keys[-1] = since, self.block, point

    def views(self) -> Views:
        found: dict[tuple[object, ...], object] = {
            ("founder",): self.accounts[0],
            ("cofounder",): self.accounts[1],
            ("nodeSet",): self.nodes,
        }
        for account in self.accounts:
            keys = self.keys.get(account, [])
            in_force = keys[-1][2] if keys and not keys[-1][1] else b""
            found["partyOf", account] = (self.registered.get(account, Role.NONE), in_force)
            found["keysOf", account] = keys
            for role, holders in self.roles.items():
                found["hasRole", role, account] = account in holders
        for task in self.tasks:
            found["policyOf", task] = self.policies.get(task, NO_POLICY)
        for action in self.actions:
            found["proposerOf", action] = self.proposed.get(action, "0x" + "00" * 20)
        return found

    def _single(self, sender: str, role: bytes) -> None:
        if role in (ADMINISTRATOR, NODE):
            raise Denied("NeedsTwo", role=role)
        self.require(sender)

    def _two_remain(self) -> None:
        if len(self.roles[ADMINISTRATOR]) < 2:
            raise Denied("TooFewAdministrators", least=2)

    def _decided(self, sender: str, function: str, *arguments: object) -> bool:
        self.require(sender)
        action = action_of(function, *arguments)
        self.actions.add(action)
        first = self.proposed.get(action)
        if first == sender:
            raise Denied("AlreadyProposed", action=action, administrator=sender)
        if first is None or not self.has(ADMINISTRATOR, first):
            self.proposed[action] = sender
            return False
        del self.proposed[action]
        return True


def _require_point(point: bytes) -> None:
    if len(point) != 65 or point[0] != 4:
        raise Denied("NotAPoint", length=len(point))
