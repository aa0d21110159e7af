"""What a message belongs to: every digest, stream, envelope and signature is bound to one attempt.

Canonical bytes are a CBOR array in the deterministic encoding of RFC 8949, section 4.2, whose first
item is a label with a version. `docs/formats.md` gives every layout with an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from crypto.errors import EncodingError

Item = int | str | bytes | bool | list["Item"]

PROTOCOL_VERSION = 1


def canonical(label: str, *items: Item) -> bytes:
    """The bytes that are hashed or signed for `label` and its items, in order."""
    return cbor2.dumps([label, *items], canonical=True)


def parse(data: bytes) -> Any:
    """The item whose deterministic encoding `data` is. Raises EncodingError for all other bytes.

    Trailing bytes, a longer way to write a length and an unsorted map are such others: whatever is
    hashed, signed or compared has one form only.
    """
    try:
        item = cbor2.loads(data)
        genuine = cbor2.dumps(item, canonical=True) == data
    except (ValueError, TypeError, cbor2.CBORError) as error:
        raise EncodingError(f"expected deterministic CBOR: {error}") from error
    if not genuine:
        raise EncodingError("expected deterministic CBOR, got another encoding of the same item")
    return item


@dataclass(frozen=True)
class Context:
    """One attempt at one round of one training, on one contract of one chain.

    `contract` has 20 bytes, `training` 32; rounds count from 0 (the statistics), attempts from 1.
    """

    chain_id: int
    contract: bytes
    training: bytes
    round: int
    attempt: int

    def items(self) -> list[Item]:
        """The context as the leading items of a canonical array."""
        return [
            PROTOCOL_VERSION,
            self.chain_id,
            self.contract,
            self.training,
            self.round,
            self.attempt,
        ]

    def bind(self, label: str, *items: Item) -> bytes:
        """Canonical bytes of `items` in this context, for the purpose that `label` names."""
        return canonical(label, *self.items(), *items)
