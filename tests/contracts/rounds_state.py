"""What the rounds' model holds of a training and its attempts, and what the views say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.digests import submissions_root
from contracts.ledger import AttemptState, Standing, SubmissionRecord, TrainingState
from contracts.records import DONATION
from tests.contracts.machine import Views

# Training, round, attempt.
Key = tuple[bytes, int, int]
STATE, EMPTY = AttemptState, bytes(32)


@dataclass
class Seat:
    """A node's part in an attempt."""

    standing: Standing = Standing.ABSENT
    commitment: bytes = EMPTY
    receiving_key: bytes = b""
    nonce: bytes = EMPTY
    signed: tuple[bytes, bool] = (EMPTY, False)
    vote: bytes = EMPTY


@dataclass
class Attempt:
    """A try at a round."""

    model_in: bytes = EMPTY
    norm_bound: int = 0
    state: AttemptState = STATE.NONE
    deadline: int = 0
    joined: int = 0
    revealed: int = 0
    submissions: dict[str, SubmissionRecord] = field(default_factory=dict)
    seats: dict[str, Seat] = field(default_factory=dict)
    challenge: bytes = EMPTY
    agreed: tuple[bytes, bool] = (EMPTY, False)
    result: bytes = EMPTY
    next_bound: int = 0
    reason: str = ""

    @property
    def runs(self) -> bool:
        return STATE.NONE < self.state < STATE.FINALISED

    @property
    def root(self) -> bytes:
        return submissions_root(self.submissions.values())

    def seat(self, node: str) -> Seat:
        return self.seats.get(node, Seat())


@dataclass
class Training:
    """A training with the rules that it was opened by."""

    task: bytes
    config: bytes
    initial: bytes
    hospitals: tuple[str, ...]
    nodes: tuple[str, ...]
    threshold: int
    quorum: int
    fewest: int
    step_blocks: int
    left: int
    model: bytes = EMPTY
    state: TrainingState = TrainingState.OPEN
    next_round: int = 0
    statistics: bytes = EMPTY
    slices: bytes = EMPTY
    norm_bound: int = 0
    reason: str = ""
    locked: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)


def views_of(trainings: Mapping[bytes, Training], attempts: Mapping[Key, Attempt]) -> Views:
    """What each view of the contract must return."""
    found: dict[tuple[object, ...], object] = {}
    for name, one in trainings.items():
        found["trainingOf", name] = (
            *(one.state, one.threshold, one.quorum, one.fewest, one.next_round),
            *(one.step_blocks, one.left, one.task, one.config, one.initial, one.model),
            *(one.statistics, one.slices, one.norm_bound, one.hospitals, one.nodes),
            one.reason,
        )
        for number in (*range(one.next_round + 2), DONATION):
            found["roundOf", name, number] = one.attempts.get(number, 0), number in one.locked
    for key, attempt in attempts.items():
        found |= _attempt_views(key, attempt, trainings[key[0]])
    return found


def _attempt_views(key: Key, one: Attempt, training: Training) -> dict[tuple[object, ...], object]:
    judged = one.submissions.values()
    return {
        ("attemptOf", key): (
            *(one.state, one.joined, one.revealed, len(one.submissions), one.agreed[1]),
            *(key[1] in training.locked, one.norm_bound, one.deadline, one.model_in),
            *(one.root, one.challenge, one.agreed[0], one.result, one.reason),
        ),
        ("submissionsOf", key): (
            [s.hospital for s in judged],
            [(s.share_root, s.update_hash, s.samples, s.verdict, s.weight) for s in judged],
        ),
        ("seatsOf", key): (
            training.nodes,
            [
                (
                    *(s.standing, s.signed[1], s.commitment, s.nonce),
                    *(s.signed[0], s.vote, s.receiving_key),
                )
                for s in map(one.seat, training.nodes)
            ],
        ),
    }
