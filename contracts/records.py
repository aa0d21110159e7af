"""What the ledger holds, as frozen values.

Hashes, nonces and identifiers of trainings are 32 bytes; a hash that is not set yet is None.
Accounts are checksummed "0x..." strings. Enum values equal the contract's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

from eth_utils.crypto import keccak

# Bytes of a reason that the contract takes (Trainings.sol).
MOST_REASON = 1024


class Role(IntEnum):
    """What an account is registered as; NONE stands in refusals only."""

    NONE = 0
    HOSPITAL = 1
    NODE = 2
    DOCTOR = 3
    AUDITOR = 4


class Permission(Enum):
    """What an account may do on the ledger (Roles.sol); the value is the role's identifier.

    Administrators change in pairs, and so does who is a NODE. A hospital may lose SUBMITTER or
    DOWNLOADER and stay a hospital.
    """

    ADMINISTRATOR = bytes(32)
    COORDINATOR = keccak(b"COORDINATOR")
    HOSPITAL = keccak(b"HOSPITAL")
    NODE = keccak(b"NODE")
    DOCTOR = keccak(b"DOCTOR")
    AUDITOR = keccak(b"AUDITOR")
    SUBMITTER = keccak(b"SUBMITTER")
    DOWNLOADER = keccak(b"DOWNLOADER")


class Stage(IntEnum):
    """How far the opening of a sealed record is."""

    NONE = 0
    REQUESTED = 1
    OPENED = 2
    ENDED = 3


class TrainingState(IntEnum):
    """A training is open until the coordinator ends it."""

    OPEN = 1
    ENDED = 2


class AttemptState(IntEnum):
    """The steps of an attempt, in order; FAILED can follow any but FINALISED.

    NONE, an attempt that was never opened, stands in refusals only.
    """

    NONE = 0
    OPENED = 1
    SUBMITTING = 2
    REVEALING = 3
    CHECKING = 4
    AGREED = 5
    VOTING = 6
    FINALISED = 7
    FAILED = 8


class Standing(IntEnum):
    """Where a node stands in an attempt; from NOT_JOINED on it is out of it."""

    ABSENT = 0
    IN = 1
    NOT_JOINED = 2
    WITHHELD = 3
    LEFT_OUT = 4


class Verdict(IntEnum):
    """What the published set says about a submission."""

    NONE = 0
    ACCEPTED = 1
    REFUSED = 2
    REJECTED = 3


class Decision(IntEnum):
    """What two administrators said of an appeal; NONE while they have not."""

    NONE = 0
    UPHELD = 1
    DISMISSED = 2


class Bits(IntFlag):
    """What the review opened of a submission beside its figures."""

    IN_RANGE = 1
    IN_NORM = 2
    # Warnings: they are shown, and reject nobody.
    AGREES_EVERYWHERE = 4
    COSINE_HIGH = 8
    COSINE_LOW = 16


# Stands for a figure that was not opened.
NOTHING_OPENED = 255
# The number of the round in which slices are donated (Attempts.sol).
DONATION = 1 << 30


@dataclass(frozen=True, slots=True, order=True)
class AttemptKey:
    """One try at a round: round 0 is the sum of the statistics, rounds from 1 on are updates.

    The round DONATION commits the rows that models are tested on.
    """

    training: bytes
    round: int
    attempt: int

    def __post_init__(self) -> None:
        if len(self.training) != 32:
            raise ValueError(f"training: expected 32 bytes, got {len(self.training)}")
        if not 0 <= self.round < 2**32 or not 1 <= self.attempt < 2**32:
            raise ValueError(
                f"expected 0 <= round and 1 <= attempt, both below 2^32, "
                f"got {self.round} and {self.attempt}"
            )


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction stands on the chain."""

    transaction: str
    block: int
    gas: int


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A mined transaction; `gas` is what it used.

    `recipient` is None where it created a contract. `function` is None where the data are no call
    of ours; `arguments` holds what was passed by name (snake case), structs as mappings.
    """

    transaction: str
    block: int
    block_hash: bytes
    sender: str
    recipient: str | None
    nonce: int
    succeeded: bool
    gas: int
    function: str | None
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BlockHead:
    """A block's place in the chain; hashes are 32 bytes, the timestamp is in seconds (UTC)."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A registered account; the key in force is an uncompressed P-256 point of 65 bytes.

    It is empty after a revocation, until another one is set.
    """

    account: str
    role: Role
    public_key: bytes


@dataclass(frozen=True, slots=True)
class PartyKey:
    """A key that was in force from block `since` on, until the next one's, or until `revoked`."""

    since: int
    revoked: int | None
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a task (Registry.sol), which two administrators set.

    `faults` lying nodes must be borne, `quorum` votes are the fewest that count; a step of an
    attempt may take `step_blocks` blocks, a training `most_attempts` attempts.
    """

    allowed: bool = True
    faults: int = 0
    quorum: int = 0
    fewest_hospitals: int = 3
    fewest_accepted: int = 3
    step_blocks: int = 10_000
    most_attempts: int = 2_500


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """A Merkle root over the audit log's entries from `first` to `last`."""

    first: int
    last: int
    root: bytes


@dataclass(frozen=True, slots=True)
class OpeningRecord:
    """A request to open a sealed record: how far it is, and how many doctors are for it."""

    stage: Stage
    approvals: int
    doctor: str
    record: bytes


@dataclass(frozen=True, slots=True)
class PromotionRecord:
    """A model that was put into use: what `training` ended with after so many rounds.

    `back` tells that it was in use before. `reason_hash` is the salted SHA-256 of the reason.
    """

    training: bytes
    model: bytes
    reason_hash: bytes
    administrator: str
    rounds: int
    back: bool


@dataclass(frozen=True, slots=True)
class AppealRecord:
    """A hospital's appeal; `decided_at` is the block of the decision, None while it is open.

    `upholder` and `dismisser` are the accounts of administrators who last said so, if any did.
    `reason_hash` is the salted SHA-256 of the hospital's reason.
    """

    reason_hash: bytes
    decision: Decision
    decided_at: int | None
    upholder: str | None
    dismisser: str | None


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """A training; `model` is the last finalised one, `statistics` the result of round 0.

    `slices` is the hash of the set that the donated slices were agreed on with, `norm_bound` the
    bound of the next round in units of 2^-16, or 0 while it is the configured one. From
    `fewest_accepted` on it follows the policy that its task had when it was opened.
    """

    training: bytes
    state: TrainingState
    task: str
    config_hash: bytes
    initial_model: bytes
    model: bytes
    statistics: bytes | None
    slices: bytes | None
    norm_bound: int
    next_round: int
    threshold: int
    quorum: int
    hospitals: tuple[str, ...]
    nodes: tuple[str, ...]
    reason: str
    fewest_accepted: int
    step_blocks: int
    attempts_left: int


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """How often a round was tried; a locked one can never be tried again."""

    attempts: int
    locked: bool


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt; `locked` is the round's, `reason` tells why it failed.

    `norm_bound` is the training's when it was opened, as in `TrainingRecord`; `deadline` is the
    last block in which its present step can be taken.
    """

    key: AttemptKey
    state: AttemptState
    model_in: bytes
    joined: int
    submitted: int
    revealed: int
    submissions_root: bytes
    challenge: bytes | None
    agreed_hash: bytes | None
    opens: bool
    result_hash: bytes | None
    reason: str
    locked: bool
    norm_bound: int
    deadline: int


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """What a hospital submitted; `weight` is the published one, 0 unless accepted."""

    hospital: str
    share_root: bytes
    update_hash: bytes
    samples: int
    verdict: Verdict
    weight: int


@dataclass(frozen=True, slots=True)
class JoinRecord:
    """A node's seat in an attempt; `agreed` is the (set hash, opens) it signed."""

    node: str
    standing: Standing
    nonce_commitment: bytes
    receiving_key: bytes
    nonce: bytes | None
    agreed: tuple[bytes, bool] | None
    vote: bytes | None


@dataclass(frozen=True, slots=True)
class Vote:
    """A node's vote for the hash of a result."""

    node: str
    result_hash: bytes


@dataclass(frozen=True, slots=True)
class Dispute:
    """A hospital and a node that contradict each other about a share."""

    hospital: str
    node: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What the review opened of a submission.

    Balanced accuracy and reference are twentieths, rounded down; NOTHING_OPENED where they stayed
    closed. `bits` are those of `Bits`.
    """

    hospital: str
    balanced_accuracy: int
    reference: int
    bits: int


@dataclass(frozen=True, slots=True)
class AgreedSet:
    """What a quorum of nodes agrees on before anything is opened.

    `opens` False ends the attempt without locking its round: with the model that it began with if
    `keeps`, else as failed; `reason` then says why. `weights` stand in the order of `accepted`.
    `review` is the SHA-256 of all that the encrypted review opened, zero bytes without one;
    `flagged` names the donors whose slices were set aside; `norm_bound` is the next round's bound,
    in units of 2^-16, 0 to leave it. What the contract could never publish is refused here, before
    a node signs it.
    """

    submissions_root: bytes
    opens: bool
    accepted: tuple[str, ...]
    weights: tuple[int, ...]
    refused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reason: str = ""
    keeps: bool = False
    rejected: tuple[str, ...] = ()
    review: bytes = bytes(32)
    figures: tuple[Figure, ...] = ()
    flagged: tuple[str, ...] = ()
    norm_bound: int = 0

    def __post_init__(self) -> None:
        if len(self.submissions_root) != 32:
            raise ValueError(f"root: expected 32 bytes, got {len(self.submissions_root)}")
        if len(self.review) != 32:
            raise ValueError(f"review: expected 32 bytes, got {len(self.review)}")
        if self.opens and self.keeps:
            raise ValueError("expected a set that opens a sum or keeps the model, got both")
        if len(self.accepted) != len(self.weights):
            raise ValueError(
                f"expected a weight for each of {len(self.accepted)} accepted, "
                f"got {len(self.weights)}"
            )
        if len(self.reason.encode()) > MOST_REASON:
            raise ValueError(
                f"reason: expected at most {MOST_REASON} bytes, got {len(self.reason.encode())}"
            )


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """An event of one of the contracts; `key` is None where it concerns no attempt.

    `contract` is the address that it came from. `values` holds all its arguments by name (snake
    case), enums as integers.
    """

    name: str
    contract: str
    block: int
    block_hash: bytes
    transaction: str
    index: int
    training: bytes | None
    key: AttemptKey | None
    values: Mapping[str, object]
