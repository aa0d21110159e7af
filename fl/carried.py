"""What passes from node to node in a session of the review, carried by the coordinator.

A session's sealed messages are its bulk, megabytes in a hundred exchanges. So they follow a short
CBOR array as they are, instead of being written into it and, to see that there is one way to write
them, written once more by each reader: four bytes of length (big-endian), the array [head, [[party,
bytes], ...]], then the sealed messages in that order. They are authenticated by whom they are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fl.errors import MessageError
from fl.messages import pack, require_types, unpack

_LENGTH = 4


def pack_carried(sealed: Iterable[tuple[str, bytes | memoryview]], *head: Any) -> bytes:
    """A message of the items of `head` and of sealed messages, each with the party's name."""
    given = list(sealed)
    lead = pack(list(head), [[party, len(data)] for party, data in given])
    return b"".join((len(lead).to_bytes(_LENGTH, "big"), lead, *(data for _, data in given)))


def unpack_carried(message: bytes, *types: type) -> tuple[list[Any], Mapping[str, memoryview]]:
    """The head's items, with exactly these types, and the sealed messages by party.

    These are parts of `message` itself: copies would cost as much as sealing them.

    Raises MessageError.
    """
    start = _LENGTH + int.from_bytes(message[:_LENGTH], "big")
    if len(message) < start:
        raise MessageError(f"expected a message of {start} bytes or more, got {len(message)}")
    head, given = unpack(message[_LENGTH:start], list, list)
    items = require_types(head, *types)
    body = memoryview(message)
    carried: dict[str, memoryview] = {}
    for one in given:
        if not (isinstance(one, list) and [type(part) for part in one] == [str, int]):
            raise MessageError("expected messages, each with a party's name and its length")
        party, length = one
        if party in carried:
            raise MessageError(f"expected one message for {party}, got two")
        if length < 0 or start + length > len(message):
            raise MessageError(f"expected {length} bytes for {party}, got {len(message) - start}")
        carried[party] = body[start : start + length]
        start += length
    if start != len(message):
        raise MessageError(f"expected a message of {start} bytes, got {len(message)}")
    return items, carried
