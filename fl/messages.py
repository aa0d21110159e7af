"""The messages of a round, as bytes: CBOR arrays, checked when they are read.

`docs/formats.md` lists each with an example. What a party says for everybody to judge is a
statement: signed with its P-256 key, for one attempt and one purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from crypto.context import Context, parse
from crypto.envelope import PrivateKey, PublicKey, sign, verify
from crypto.errors import EncodingError, EnvelopeError
from crypto.field import F61
from crypto.vss import DISPUTED, MASKS, MISSING, Answer
from fl.errors import MessageError

STATEMENT_LABEL = "consilium/statement/v1"

# Purposes of statements and envelopes.
SHARE = "share"
ANSWERS = "answers"
SET = "set"
SUM = "sum"
OUTCOME = "outcome"
REPORT = "report"


def pack(*items: Any) -> bytes:
    """A CBOR array of the items."""
    return cbor2.dumps(list(items), canonical=True)


def unpack(data: bytes, *types: type) -> list[Any]:
    """The items of an array with exactly these types. Raises MessageError."""
    try:
        items = parse(data)
    except EncodingError as error:
        raise MessageError(f"expected a message: {error}") from error
    return require_types(items, *types)


def require_types(items: Any, *types: type) -> list[Any]:
    """The items, a list with exactly these types. Raises MessageError."""
    if not isinstance(items, list) or len(items) != len(types):
        raise MessageError(f"expected a message of {len(types)} items")
    for item, kind in zip(items, types, strict=True):
        # bool is an int to Python, but no number to us.
        if not isinstance(item, kind) or (kind is int and isinstance(item, bool)):
            raise MessageError(f"expected {kind.__name__} in a message, got {type(item).__name__}")
    return items


@dataclass(frozen=True)
class Submission:
    """A hospital's envelopes to the nodes, with the digests of their contents, in one order."""

    hospital: str
    digests: tuple[bytes, ...]
    envelopes: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The submission as a message."""
        return pack(self.hospital, list(self.digests), list(self.envelopes))

    def for_seat(self, seat: int) -> Submission:
        """What the holder of a seat needs of it: all digests, and no envelope but its own."""
        kept = [e if place == seat else b"" for place, e in enumerate(self.envelopes)]
        return Submission(self.hospital, self.digests, tuple(kept))

    @classmethod
    def from_bytes(cls, data: bytes) -> Submission:
        """The inverse of `to_bytes`. Raises MessageError."""
        hospital, digests, envelopes = unpack(data, str, list, list)
        if not all(isinstance(item, bytes) for item in (*digests, *envelopes)):
            raise MessageError("expected digests and envelopes as byte strings")
        return cls(hospital, tuple(digests), tuple(envelopes))


@dataclass(frozen=True)
class Statement:
    """A signed message: its sender, what it is for, its body and the signature."""

    sender: str
    purpose: str
    body: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """The statement as a message."""
        return pack(self.sender, self.purpose, self.body, self.signature)

    @classmethod
    def make(
        cls, context: Context, sender: str, key: PrivateKey, purpose: str, body: bytes
    ) -> Statement:
        """Sign a body for one attempt and purpose."""
        signature = sign(key, context.bind(STATEMENT_LABEL, purpose, sender, body))
        return cls(sender, purpose, body, signature)

    @classmethod
    def read(
        cls, data: bytes, context: Context, sender: str, key: PublicKey, purpose: str
    ) -> Statement:
        """A statement of this sender for this purpose, checked. Raises MessageError."""
        statement = cls(*unpack(data, str, str, bytes, bytes))
        if (statement.sender, statement.purpose) != (sender, purpose):
            raise MessageError(
                f"expected {purpose} of {sender}, got {statement.purpose} of {statement.sender}"
            )
        try:
            signed = context.bind(STATEMENT_LABEL, purpose, sender, statement.body)
            verify(key, signed, statement.signature, sender)
        except EnvelopeError as error:
            raise MessageError(str(error)) from error
        return statement


def pack_answers(answers: Mapping[str, Answer]) -> bytes:
    """A node's answers, one for each hospital that submitted."""
    items = {d: list(a) if isinstance(a, tuple) else a for d, a in answers.items()}
    return pack(items)


def unpack_answers(data: bytes) -> dict[str, Answer]:
    """The inverse of `pack_answers`. Raises MessageError for any other form or value."""
    (items,) = unpack(data, dict)
    answers: dict[str, Answer] = {}
    for dealer, given in items.items():
        if not isinstance(dealer, str):
            raise MessageError(f"expected a hospital's name, got {type(dealer).__name__}")
        if given in (MISSING, DISPUTED):
            answers[dealer] = given
        elif _is_pair(given):
            answers[dealer] = tuple(given)
        else:
            raise MessageError(f"expected two field elements for {dealer}")
    return answers


def _is_pair(given: Any) -> bool:
    return (
        isinstance(given, list)
        and len(given) == MASKS
        and all(type(v) is int and 0 <= v < F61.modulus for v in given)
    )
