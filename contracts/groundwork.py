"""What an attempt stands on: how its training was opened, and what was agreed on before it.

As in `replay`, only calls that somebody signed are taken, by the contract's own rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.digests import set_digest, set_of
from contracts.errors import BadEvidence
from contracts.members import Members
from contracts.records import AgreedSet, AttemptKey, Permission


@dataclass(frozen=True)
class Opening:
    """What a training was opened with, and the quorum and least count that its policy gave it."""

    training: bytes
    task: bytes
    config_hash: bytes
    initial_model: bytes
    hospitals: tuple[str, ...]
    nodes: tuple[str, ...]
    threshold: int
    quorum: int
    fewest_accepted: int


@dataclass
class Earlier:
    """What a quorum agreed on in an attempt before: its published set, and its result."""

    opening: Opening
    key: AttemptKey
    signed: Counter[tuple[bytes, bool]] = field(default_factory=Counter)
    votes: Counter[bytes] = field(default_factory=Counter)
    published: AgreedSet | None = None
    seen: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, sender: str, function: str, values: Mapping[str, Any]) -> None:
        """Take a call in. Raises BadEvidence for one that shows nothing, or was made twice."""
        refuse_unless((sender, function) not in self.seen, f"{sender} sent {function} twice")
        self.seen.add((sender, function))
        if function == "publishSet":
            found = read_set(values)
            agreed = self.signed[set_digest(self.key, found), found.opens]
            refuse_unless(agreed >= self.opening.quorum, "a set that no quorum signed")
            self.published = found
            return
        refuse_unless(sender in self.opening.nodes, f"{sender} is no node of this training")
        if function == "agree":
            self.signed[values["set_hash"], values["opens"]] += 1
        elif function == "vote":
            self.votes[values["result_hash"]] += 1
        else:
            raise BadEvidence(f"{function} of an earlier attempt shows nothing")

    @property
    def result(self) -> bytes | None:
        """The result that a quorum voted for, or None."""
        return next((one for one, n in self.votes.items() if n >= self.opening.quorum), None)


def quorum_of(nodes: int, threshold: int) -> int:
    """The contract's formula (Trainings.sol)."""
    borne = min((nodes - threshold - 1) // 2, (nodes - 1) // 3)
    return (nodes + borne) // 2 + 1


def open_training(sender: str, values: Mapping[str, Any], members: Members) -> Opening:
    """What a call of openTraining opens, by the policy then. Raises BadEvidence if refused."""
    refuse_unless(
        members.has(Permission.COORDINATOR, sender), f"openTraining: {sender} is no coordinator"
    )
    opening = values["opening"]
    task, nodes, threshold = opening["task"], opening["nodes"], opening["threshold"]
    policy = members.policies.get(task)
    if policy is None or not policy.allowed:
        raise BadEvidence("openTraining: no policy allows its task")
    quorum = max(policy.quorum, quorum_of(len(nodes), threshold))
    return Opening(
        values["training"],
        task,
        opening["config_hash"],
        opening["initial_model"],
        opening["hospitals"],
        nodes,
        threshold,
        quorum,
        policy.fewest_accepted,
    )


def read_set(values: Mapping[str, Any]) -> AgreedSet:
    """The set that publishSet was called with. Raises BadEvidence."""
    try:
        return set_of(values["set"])
    except ValueError as error:
        raise BadEvidence(f"publishSet: {error}") from error


def refuse_unless(holds: bool, problem: str) -> None:
    """Raise BadEvidence with the problem unless it holds."""
    if not holds:
        raise BadEvidence(problem)
