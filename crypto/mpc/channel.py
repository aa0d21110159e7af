"""Running the three programs in one process, and counting what passes between them.

Parties share nothing but bytes. A channel between machines drives a program the same way: `next`
for the first messages, `send` with what arrived for each further round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from crypto.errors import MpcError
from crypto.mpc.session import Inbox, Message, Outbox, Program, Role

T = TypeVar("T")
Pair: TypeAlias = tuple[Role, Role]

_ROLES = tuple(Role)


@dataclass
class Traffic:
    """Rounds in which anything was sent; the length of each message by (sender, receiver)."""

    rounds: int = 0
    lengths: dict[Pair, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def messages(self) -> int:
        """All messages."""
        return sum(self.messages_between.values())

    @property
    def bytes(self) -> int:
        """The bytes of all messages."""
        return sum(self.bytes_between.values())

    @property
    def messages_between(self) -> dict[Pair, int]:
        """Messages by (sender, receiver)."""
        return {pair: len(lengths) for pair, lengths in self.lengths.items()}

    @property
    def bytes_between(self) -> dict[Pair, int]:
        """Bytes by (sender, receiver)."""
        return {pair: sum(lengths) for pair, lengths in self.lengths.items()}


def run_local(programs: Sequence[Program[T]]) -> tuple[list[T], Traffic]:
    """Run the programs of A, B and C in one thread: their results in that order, and the traffic.

    What a program raises is raised here, after the others are closed. Raises MpcError unless all
    three end after the same number of rounds.
    """
    if len(programs) != len(Role):
        raise MpcError(f"expected programs of {len(Role)} parties, got {len(programs)}")
    traffic = Traffic()
    inboxes: Sequence[Inbox | None] = [None] * len(_ROLES)
    try:
        while True:
            outboxes, results = _step(programs, inboxes)
            if results:
                return results, traffic
            inboxes = deliver(outboxes, traffic)
    finally:
        for program in programs:
            program.close()


def _step(
    programs: Sequence[Program[T]], inboxes: Sequence[Inbox | None]
) -> tuple[list[Outbox], list[T]]:
    """What the parties send next, or, in the last round, their results."""
    outboxes: list[Outbox] = []
    results: list[T] = []
    for program, inbox in zip(programs, inboxes, strict=True):
        try:
            outboxes.append(next(program) if inbox is None else program.send(inbox))
        except StopIteration as end:
            results.append(end.value)
    if outboxes and results:
        raise MpcError("expected all parties to end in the same round")
    return outboxes, results


def deliver(outboxes: Sequence[Outbox], traffic: Traffic) -> Sequence[Inbox]:
    """The inboxes that one round's outboxes, in the order of the roles, make; counts them."""
    inboxes: tuple[dict[Role, Message], ...] = ({}, {}, {})
    for sender, outbox in zip(_ROLES, outboxes, strict=True):
        for receiver, message in outbox.items():
            if receiver is sender:
                raise MpcError(f"{sender.name} sends a message to itself")
            inboxes[receiver][sender] = message
            traffic.lengths[sender, receiver].append(len(message))
    traffic.rounds += any(outboxes)
    return inboxes
