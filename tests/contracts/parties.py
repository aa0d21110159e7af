"""A federation on a chain for tests: a coordinator, hospitals, nodes and a stranger, with keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from eth_account import Account

from contracts.ledger import (
    AgreedSet,
    AttemptKey,
    AttemptState,
    Ledger,
    Policy,
    Refused,
    Role,
    nonce_commitment,
    set_digest,
)

MOST_PARTIES = 16


def digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


def point(name: str) -> bytes:
    """Bytes of the shape of an uncompressed point; the contract looks at no more."""
    return b"\x04" + digest(name) + digest(name + "'")


def private_key(index: int) -> bytes:
    return digest(f"account {index}")


def refusal(call: Callable[..., object], *arguments: object) -> Refused:
    """Return the refusal that `call` must end with."""
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value


def all_accounts() -> list[str]:
    return [Account.from_key(private_key(index)).address for index in range(MOST_PARTIES)]


@dataclass
class Federation:
    """Account 0 is the coordinator's, 1 a stranger's, then hospitals', nodes'; 15 the deputy's."""

    url: str
    hospital_count: int = 4
    node_count: int = 4
    training: bytes = digest("training")
    config: bytes = digest("config")
    model: bytes = digest("model 0")
    task: str = "heart"
    policy: Policy = field(default_factory=Policy)
    coordinator: Ledger = field(init=False)
    stranger: Ledger = field(init=False)
    hospitals: list[Ledger] = field(init=False)
    nodes: list[Ledger] = field(init=False)
    deputy: Ledger = field(init=False)

    def __post_init__(self) -> None:
        second = Account.from_key(private_key(MOST_PARTIES - 1)).address
        self.coordinator = Ledger.deploy(self.url, private_key(0), second)
        self.deputy = self.ledger(MOST_PARTIES - 1)
        members = [self.ledger(2 + i) for i in range(self.hospital_count + self.node_count)]
        self.stranger = self.ledger(1)
        self.hospitals = members[: self.hospital_count]
        self.nodes = members[self.hospital_count :]

    def ledger(self, index: int) -> Ledger:
        return Ledger(self.url, self.coordinator.contract, private_key(index))

    def close(self) -> None:
        for ledger in (self.coordinator, self.deputy, self.stranger, *self.hospitals, *self.nodes):
            ledger.close()

    def register(self) -> None:
        for role, ledgers in ((Role.HOSPITAL, self.hospitals), (Role.NODE, self.nodes)):
            for ledger in ledgers:
                self.coordinator.registry.register(ledger.account, role, point(ledger.account))
        nodes = [ledger.account for ledger in self.nodes]
        for one in (self.coordinator, self.deputy):
            one.registry.set_nodes(nodes)
            one.registry.set_policy(self.task, self.policy)

    def open_training(self, threshold: int = 1) -> None:
        self.coordinator.open_training(
            self.training,
            self.task,
            self.config,
            self.model,
            [ledger.account for ledger in self.hospitals],
            [ledger.account for ledger in self.nodes],
            threshold,
        )

    def key(self, round_number: int = 0, attempt: int = 1) -> AttemptKey:
        return AttemptKey(self.training, round_number, attempt)

    def nonce(self, key: AttemptKey, node: Ledger) -> bytes:
        return digest(f"nonce {key} {node.account}")

    def join(self, key: AttemptKey, node: Ledger) -> None:
        commitment = nonce_commitment(key, node.account, self.nonce(key, node))
        node.join(key, commitment, point(f"receiving {key} {node.account}"))

    def submit(self, key: AttemptKey, hospital: Ledger) -> None:
        name = f"{key} {hospital.account}"
        hospital.submit(key, digest("root " + name), digest("update " + name), 100)

    def agreed_set(self, key: AttemptKey, **changes: object) -> AgreedSet:
        accepted = tuple(one.hospital for one in self.coordinator.submissions(key))
        fields: dict[str, object] = {
            "submissions_root": self.coordinator.attempt(key).submissions_root,
            "opens": True,
            "accepted": accepted,
            "weights": (100,) * len(accepted),
        }
        return AgreedSet(**{**fields, **changes})

    def agree(self, key: AttemptKey, agreed: AgreedSet, count: int = 3) -> None:
        for node in self.nodes[:count]:
            node.agree(key, set_digest(key, agreed), agreed.opens)

    def advance(self, key: AttemptKey, state: AttemptState, result: bytes | None = None) -> None:
        """Drive an attempt that was not opened yet to `state`, everybody taking part."""
        steps: dict[AttemptState, Callable[[], None]] = {
            AttemptState.OPENED: lambda: self._open(key),
            AttemptState.SUBMITTING: lambda: self._all_join(key),
            AttemptState.REVEALING: lambda: self._all_submit(key),
            AttemptState.CHECKING: lambda: self._all_reveal(key),
            AttemptState.AGREED: lambda: self.agree(key, self.agreed_set(key)),
            AttemptState.VOTING: lambda: self._publish(key),
            AttemptState.FINALISED: lambda: self._vote(key, result or digest(f"result {key}")),
        }
        for reached, step in steps.items():
            if reached <= state:
                step()

    def _open(self, key: AttemptKey) -> None:
        self.coordinator.open_attempt(key, self.coordinator.training(self.training).model)

    def _all_join(self, key: AttemptKey) -> None:
        for node in self.nodes:
            self.join(key, node)
        self.coordinator.call_for_submissions(key)

    def _all_submit(self, key: AttemptKey) -> None:
        for hospital in self.hospitals:
            self.submit(key, hospital)
        self.coordinator.close_submissions(key)

    def _all_reveal(self, key: AttemptKey) -> None:
        for node in self.nodes:
            node.reveal(key, self.nonce(key, node))
        self.coordinator.close_reveals(key)

    def _publish(self, key: AttemptKey) -> None:
        self.nodes[0].publish_set(key, self.agreed_set(key))

    def _vote(self, key: AttemptKey, result: bytes) -> None:
        for node in self.nodes[:3]:
            node.vote(key, result)
