"""The dossier of a round as a file: `docs/formats.md` has it with an example.

Every value has one way to be written, so that no digit of a file can be changed unseen: lower-case
hexadecimal digits, base64 with zero padding bits, no member that the format does not know.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from eth_utils.address import is_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    field_validator,
)

from app.errors import AppError
from app.services.hexadecimal import from_hex
from contracts.evidence import Block, Entry
from contracts.json_depth import TooDeep, load_json

FORMAT = "consilium/dossier/v1"
# Far beyond any round; a file above it is not read.
MOST_BYTES = 64 * 1024 * 1024


class NotADossier(AppError):
    """The file is no dossier at all; the text says why."""


class BadValues(AppError):
    """The file is a dossier that holds values no dossier can: (where, what is wrong) of each."""

    def __init__(self, wrong: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in wrong))
        self.wrong = wrong


def _from_hex(value: Any) -> bytes:
    if isinstance(value, bytes):  # Never out of a file: JSON has no bytes.
        return value
    if not isinstance(value, str):
        raise ValueError("no lower-case hexadecimal digits")
    return from_hex(value)


def _from_base64(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValueError("no base64") from error
    if base64.b64encode(found).decode() != value:
        raise ValueError("base64 in another form")
    return found


def _account(value: str) -> str:
    if not is_checksum_address(value):
        raise ValueError("an address whose checksum (EIP-55) is wrong")
    return value


def _to_hex(value: bytes) -> str:
    return value.hex()


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _require_hash(value: bytes) -> bytes:
    if len(value) != 32:
        raise ValueError(f"{len(value)} bytes instead of 32")
    return value


Hex = Annotated[bytes, BeforeValidator(_from_hex), PlainSerializer(_to_hex)]
Hash = Annotated[Hex, AfterValidator(_require_hash)]
Base64 = Annotated[bytes, BeforeValidator(_from_base64), PlainSerializer(_to_base64)]
Word = Literal["accepted", "refused", "rejected", "none"]
Account = Annotated[str, AfterValidator(_account)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Contracts(_Part):
    """The addresses of a federation's contracts; `appeals` where an upheld one counted."""

    registry: Account
    anchors: Account
    records: Account
    federation: Account
    appeals: Account | None = None

    @field_validator("appeals")
    @classmethod
    def _not_null(cls, value: str | None) -> str:
        """Where there is nothing to name, the member is not there: one way to be written."""
        if value is None:
            raise ValueError("null instead of an address")
        return value


class Judged(_Part):
    """What became of a hospital's submission."""

    hospital: str
    samples: int
    verdict: Word
    weight: int


class Summary(_Part):
    """What the dossier shows, for readers; a checker computes it again."""

    model_in: Hash
    norm_bound: int
    challenge: Hash
    set_sha256: Hash
    result_sha256: Hash
    kept: bool
    hospitals: list[Judged]
    left_out: list[str]
    disputes: list[list[str]]
    signed: list[str]
    voted: list[str]


class Message(_Part):
    """A statement of a node, as it was sent."""

    kind: str
    sender: str
    body: Base64


class ProvenTransaction(_Part):
    """A transaction's hash and place, and the proofs of it and of its receipt."""

    hash: Hash
    index: int
    transaction: list[Hex]
    receipt: list[Hex]


class ProvenBlock(_Part):
    """A block's hash, its header, and the transactions of it that belong to the dossier."""

    hash: Hash
    header: Hex
    transactions: list[ProvenTransaction]

    def evidence(self) -> Block:
        """The block as `contracts.evidence` checks it."""
        entries = (
            Entry(one.index, tuple(one.transaction), tuple(one.receipt))
            for one in self.transactions
        )
        return Block(self.header, tuple(entries))


class Dossier(_Part):
    """Everything that shows how a round came about."""

    format: Literal["consilium/dossier/v1"]
    chain_id: int
    contracts: Contracts
    fingerprint: Hash
    training: Hash
    round: int
    attempt: int
    summary: Summary
    plan: str
    result: Base64
    messages: list[Message]
    transactions: int
    blocks: list[ProvenBlock]

    def to_bytes(self) -> bytes:
        """The file's content."""
        return (
            json.dumps(self.model_dump(exclude_none=True), indent=1, ensure_ascii=False) + "\n"
        ).encode()


def read_dossier(data: bytes) -> Dossier:
    """The inverse of `to_bytes`. Raises NotADossier, or BadValues."""
    if len(data) > MOST_BYTES:
        raise NotADossier(f"expected a dossier of at most {MOST_BYTES} bytes, got {len(data)}")
    try:
        found = load_json(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (json.JSONDecodeError, UnicodeDecodeError, TooDeep) as error:
        raise NotADossier("expected a JSON file, as run.py dossier writes it") from error
    except ValueError as error:
        raise NotADossier(f"expected a JSON file: {error}") from error
    return parse_dossier(found)


def parse_dossier(found: Any) -> Dossier:
    """A dossier from JSON values. Raises NotADossier, or BadValues."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise NotADossier(f"expected a JSON object whose format is {FORMAT}")
    try:
        return Dossier.model_validate(found)
    except ValidationError as error:
        wrong = ((".".join(map(str, one["loc"])), _told(one["msg"])) for one in error.errors())
        raise BadValues(tuple(wrong)) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _told(message: str) -> str:
    words = message.removeprefix("Value error, ")
    known = words.replace("Extra inputs are not permitted", "a member that is none of its")
    return known[:1].lower() + known[1:]
