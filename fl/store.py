"""What must survive a crash, as the parties and the coordinator see it.

The interfaces are defined here, where they are used, and implemented by the application, so that
learning needs no database. A value counts as stored when the method returns: it is then on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from contracts.records import AttemptKey
from fl.evaluation import Evaluation
from fl.outcome import Finding
from fl.stopping import Reports


class PartyStore(Protocol):
    """One party's own folder: values of bytes under slash-separated keys."""

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    def remember(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The stored value; when there is none, `make()`, stored before it is returned."""
        ...

    def record(self, key: str, value: bytes) -> None:
        """Store a value once. Raises ConflictError when another value is stored there."""
        ...

    def replace(self, key: str, value: bytes) -> None:
        """Store a value in place of what was there."""
        ...

    def erase(self, prefix: str) -> None:
        """Remove the value at `prefix` and all that lie below it, if any."""
        ...


@dataclass(frozen=True)
class StepCost:
    """What a step of an attempt took: seconds of wall clock, messages and their bytes."""

    seconds: float
    messages: int
    bytes: int


@dataclass(frozen=True)
class SubmissionNote:
    """What the coordinator knows of a submission. `transaction` is "0x..."; hashes are 32 bytes."""

    hospital: str
    samples: int
    share_root: bytes
    update_hash: bytes
    transaction: str


@dataclass(frozen=True)
class AttemptNote:
    """How an attempt ended. `accepted` maps hospitals to weights, the others to reasons.

    `excused` tells of accepted hospitals why an upheld appeal was needed.

    `reviewed` tells whether the submissions were tested; then `findings` has what was opened of
    each, `flagged` the donors whose slices were set aside, `slices` the rows of each class in each
    slice that stands, and `kept` says that the round ended with the model that it began with.
    `signers` maps the nodes that signed the set to their transactions, `norm_bound` is the bound
    that the updates were held to, in units of 2^-16.
    """

    finalised: bool
    reason: str = ""
    set_hash: bytes | None = None
    result_hash: bytes | None = None
    accepted: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    excused: Mapping[str, str] = field(default_factory=dict)
    reviewed: bool = False
    kept: bool = False
    findings: Mapping[str, Finding] = field(default_factory=dict)
    flagged: tuple[str, ...] = ()
    slices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    committee: tuple[str, ...] = ()
    signers: Mapping[str, str] = field(default_factory=dict)
    norm_bound: int | None = None


class RoundStore(Protocol):
    """The coordinator's record of one training: public values and sealed envelopes only."""

    def begin_attempt(self, key: AttemptKey) -> None:
        """Note that the attempt is about to be opened; again is harmless."""
        ...

    def end_attempt(self, key: AttemptKey, note: AttemptNote) -> None:
        """Note how the attempt ended."""
        ...

    def unfinished(self) -> AttemptKey | None:
        """The training's attempt that began and did not end, if any."""
        ...

    def messages(self, key: AttemptKey, kind: str) -> Mapping[str, bytes]:
        """The stored messages of a kind, by their senders."""
        ...

    def keep_message(self, key: AttemptKey, kind: str, sender: str, data: bytes) -> None:
        """Store a message once. Raises ConflictError when another is stored in its place."""
        ...

    def sessions(self, key: AttemptKey) -> list[int]:
        """The numbers of the review's sessions that left a stored message."""
        ...

    def finished(self, key: AttemptKey, step: str) -> bool:
        """Whether the step was finished before."""
        ...

    def finish_step(self, key: AttemptKey, step: str, cost: StepCost) -> None:
        """Note a finished step and what it cost."""
        ...

    def keep_submission(self, key: AttemptKey, note: SubmissionNote) -> None:
        """Note a submission that stands on the ledger; again is harmless."""
        ...

    def keep_vote(self, key: AttemptKey, node: str, result: bytes, transaction: str) -> None:
        """Note a vote that stands on the ledger; again is harmless."""
        ...

    def keep_fault(
        self, key: AttemptKey, party: str, step: str, reason: str, kind: str = ""
    ) -> None:
        """Name a party that did not do its part; `kind` names its error, if it met one."""
        ...

    def faults(self, key: AttemptKey) -> Mapping[str, str]:
        """The parties named so far, each with a reason."""
        ...

    def keep_result(self, kind: str, data: bytes) -> None:
        """Store a result under the SHA-256 of its bytes; again is harmless."""
        ...

    def result(self, digest: bytes) -> bytes | None:
        """The stored result with this SHA-256, or None."""
        ...

    def keep_evaluation(self, key: AttemptKey, hospital: str, found: Evaluation) -> None:
        """Note how the round's model does on a hospital's rows."""
        ...

    def reports(self) -> Reports:
        """What was noted of the models of finalised rounds."""
        ...
