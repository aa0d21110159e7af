"""One party's state in one run of a computation among three.

The three hold shares of degree 1 at the committee's points; each pair of them holds a secret that
the third lacks. Every message is masked by words of a stream whose key its receiver lacks, so what
a party sees can be simulated from its own inputs and what is opened: privacy holds against any one
party that follows the program. Whether a result is right rests on all three following it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.context import canonical
from crypto.errors import MpcError
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.mpc.kernels import lines
from crypto.mpc.memory import keep_freed_memory
from crypto.mpc.streams import KEY_BYTES, PairStream
from crypto.shamir import lagrange_weights

STREAM_LABEL = "consilium/mpc-stream/v1"
SECRET_BYTES = 32
_WORD = np.dtype("<u8")


class Role(IntEnum):
    """A party's part: values are opened, masked, to A alone; B and C know the mask."""

    A = 0
    B = 1
    C = 2


T = TypeVar("T")
Message: TypeAlias = bytes | memoryview  # of bytes; nobody writes to it once it is sent
Outbox: TypeAlias = Mapping[Role, Message]
Inbox: TypeAlias = Mapping[Role, Message]
Program: TypeAlias = Generator[Outbox, Inbox, T]


@dataclass(frozen=True)
class Committee:
    """The points of A, B and C. Raises MpcError unless they are distinct and non-zero."""

    points: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(set(self.points)) != 3 or not all(0 < x < F61.modulus for x in self.points):
            raise MpcError(f"expected three distinct points from 1 to p - 1, got {self.points}")

    @cached_property
    def weights(self) -> Words:
        """Weights w with q(0) = sum w_i q(points_i) in F61, q of degree at most 2, shape (3,)."""
        return lagrange_weights(self.points, 0)


class Session:
    """A party's role, streams and constants in one run.

    `secrets` are the 32-byte secrets with the other two. `context` are canonical bytes that name
    the run and nothing else: version, chain, contract, training, round, attempt, number of the
    session, the committee in the order of its roles. Two sessions with the same context would use
    the same streams, so a session that broke off is never resumed: the next has another number.
    Raises MpcError for secrets of other parties or another length.
    """

    def __init__(
        self,
        role: Role,
        committee: Committee,
        secrets: Mapping[Role, bytes],
        context: bytes,
        field: Field = F61,
    ) -> None:
        others = [other for other in Role if other is not role]
        if sorted(secrets) != others or any(len(s) != SECRET_BYTES for s in secrets.values()):
            raise MpcError(f"expected secrets of {SECRET_BYTES} bytes with {others}")
        keep_freed_memory()
        self.role = role
        self.committee = committee
        self.field = field
        self.bits = np.uint64(field.bits)
        self.streams = {
            other: PairStream(_stream_key(secrets[other], context, committee, field, role, other))
            for other in others
        }
        # Messages that go round pass from A to B, from B to C, from C to A.
        self.after, self.before = Role((role + 1) % 3), Role((role + 2) % 3)
        self.weights = lagrange_weights(committee.points, 0, field)
        self.weight = np.uint64(self.weights[role])
        self.points = tuple(np.uint64(x) for x in committee.points)
        self.inverses = tuple(np.uint64(field.inverse(x)) for x in committee.points)

    def elements(self, other: Role, count: int) -> Words:
        """The next `count` elements shared with `other`, shape (count,)."""
        return self.streams[other].elements(count, self.field)

    def draw_into(self, other: Role, words: Words) -> None:
        """Write the next elements shared with `other` over `words`, contiguous."""
        self.streams[other].elements(words.size, self.field, words)

    def words(self, other: Role, count: int) -> Words:
        """The next `count` 64-bit words shared with `other`, shape (count,)."""
        return self.streams[other].words(count)

    def check(self, words: Words) -> Words:
        """The words of a message, as they are. Raises MpcError for one that is no field element."""
        if lines.largest(words) >= self.field.modulus:
            raise MpcError(f"expected words below 2^{self.field.bits} - 1 in a message")
        return words


def exchange(outbox: Outbox, sizes: Mapping[Role, int]) -> Program[Inbox]:
    """Send, and receive exactly one message of so many bytes from each role in `sizes`.

    One round. Raises MpcError for a message that is missing, unexpected or of another length.
    """
    inbox = yield outbox
    for sender, size in sizes.items():
        if sender not in inbox or len(inbox[sender]) != size:
            got = len(inbox.get(sender, b""))
            raise MpcError(f"expected {size} bytes from {sender.name}, got {got}")
    if len(inbox) != len(sizes):
        raise MpcError(f"expected messages from {sorted(sizes)}, got them from {sorted(inbox)}")
    return inbox


def sent_words(words: Words) -> Message:
    """A contiguous vector as a message, uncopied; its receiver cannot write to it."""
    return words.data.cast("B").toreadonly() if words.size else b""


def received_words(data: Message) -> Words:
    """A read-only view of a message as 64-bit words, shape (len(data) / 8,)."""
    return np.frombuffer(data, dtype=_WORD)


def _stream_key(
    secret: bytes, context: bytes, committee: Committee, field: Field, role: Role, other: Role
) -> bytes:
    pair = sorted((role.value, other.value))
    info = canonical(STREAM_LABEL, context, field.bits, list(committee.points), list(pair))
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)
