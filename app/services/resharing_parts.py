"""What a doctor deals of the own share of a record, and a new share while it lies in parts.

Each helper shares the own share with Feldman's scheme among those who are to hold new ones, and
seals every part to its receiver. The new share is what the parts of enough helpers add up to (see
`crypto.feldman.take_over`), and only its holder opens them: so it stays in parts, as it was dealt,
and is put together each time that it is used. docs/formats.md gives the layouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from app.models import CarerRow, DoctorKeyRow
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.record_sealing import public_key
from crypto.box import open_box, seal_box
from crypto.context import Item, canonical, parse
from crypto.errors import CryptoError, EncodingError
from crypto.feldman import Commitments, Moved, deal, fits, take_over

PART: Final = "consilium/record-part/v1"
SUCCESSORS: Final = "consilium/record-successors/v1"
_DEALING: Final = "consilium/record-dealing/v1"
_SHARE: Final = "consilium/record-share-parts/v1"
# How a box begins: an uncompressed point. A share in parts is a CBOR array.
_BOX: Final = b"\x04"


@dataclass(frozen=True)
class Holder:
    """A doctor who is to hold a new share, at a point, and the key that it is sealed to."""

    point: int
    user: int
    key: DoctorKeyRow


@dataclass(frozen=True)
class Dealing:
    """What a helper dealt: the commitments, and a box for each receiver by its point.

    `sharing` is which sharing of the record it is to be; `receivers` are the public keys by point,
    in hexadecimal digits, the administration's without any.
    """

    sharing: int
    commitments: Commitments
    receivers: Mapping[int, str]
    boxes: Mapping[int, bytes]

    def to_bytes(self) -> bytes:
        """As it is stored."""
        boxes: list[Item] = [[x, self.receivers[x], box] for x, box in sorted(self.boxes.items())]
        return canonical(_DEALING, self.sharing, list(self.commitments), boxes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Dealing:
        """The inverse of `to_bytes`. Raises EncodingError."""
        sharing, commitments, boxes = _fields(data, _DEALING, 3)
        try:
            to = {int(x): str(receiver) for x, receiver, _ in boxes}
            sealed = {int(x): _bytes(box) for x, _, box in boxes}
            return cls(int(sharing), _commitments(commitments), to, sealed)
        except (TypeError, ValueError) as error:
            raise EncodingError("expected what a doctor dealt of a share") from error


@dataclass(frozen=True)
class Helper:
    """A doctor whose dealing counts: the number, the point of the old share, what was dealt."""

    user: int
    point: int
    dealing: Dealing


def dealing_digest(stored: bytes) -> str:
    """SHA-256, in hexadecimal digits, of a dealing as it is stored."""
    return sha256(stored).hexdigest()


def receivers(holders: Sequence[Holder], last: int) -> dict[int, str]:
    """Whom a dealing is for: the public key at each point, "" at `last`, the administration's."""
    return {one.point: one.key.public_key for one in holders} | {last: ""}


def deal_share(
    patient: str,
    sharing: int,
    dealer: int,
    share: bytes,
    quorum: int,
    holders: Sequence[Holder],
    last: int,
    escrow: Escrow,
) -> Dealing:
    """Share the share of the point `dealer` among the holders, and the administration at `last`."""
    keys = {one.point: public_key(one.key) for one in holders} | {last: escrow.public_key()}
    dealt = deal(share, quorum - 1, sorted(keys))
    boxes = {
        x: seal_box(keys[x], part, PART, patient, sharing, dealer, x)
        for x, part in dealt.shares.items()
    }
    return Dealing(sharing, dealt.commitments, receivers(holders, last), boxes)


def wrong_parts(patient: str, helpers: Sequence[Helper], point: int, key: OpenKey) -> list[int]:
    """The points of helpers whose part for a doctor at `point` does not fit what they dealt.

    That it is a dealing of the old share is not checked here. Raises EncodingError.
    """
    return [
        one.point
        for one in helpers
        if not fits(one.dealing.commitments, point, _opened(patient, one, point, key))
    ]


def escrow_new_share(
    patient: str, old: Commitments, helpers: Sequence[Helper], point: int, escrow: Escrow
) -> Moved:
    """The administration's new share and its commitments.

    Raises WrongShares, which names the points of helpers whose part, or whose dealing, is wrong;
    ShareError and EncodingError for what was altered otherwise.
    """
    parts = {
        one.point: escrow.open_box(
            one.dealing.boxes[point], PART, patient, one.dealing.sharing, one.point, point
        )
        for one in helpers
    }
    return _taken_over(old, helpers, point, parts)


def share_in_parts(old: Commitments, helpers: Sequence[Helper], point: int) -> bytes:
    """A new share as its holder's row has it: what each helper dealt, with the holder's part."""
    dealt: list[Item] = [
        [one.user, one.point, list(one.dealing.commitments), one.dealing.boxes[point]]
        for one in helpers
    ]
    return canonical(_SHARE, helpers[0].dealing.sharing, list(old), dealt)


def lies_in_parts(share: bytes) -> bool:
    """Whether a stored share came from other holders; else it is a box."""
    return not share.startswith(_BOX)


def put_parts_together(row: CarerRow, key: OpenKey) -> bytes:
    """The doctor's share of a row in which it lies in parts.

    Raises as `escrow_new_share` does.
    """
    old, helpers = _of_row(row)
    parts = {one.point: _opened(row.patient_id, one, row.point, key) for one in helpers}
    return _taken_over(old, helpers, row.point, parts).share


def dealers_of(row: CarerRow) -> dict[int, int]:
    """Who dealt the parts of a share, persons' numbers by point; nobody where it is unreadable."""
    try:
        return {one.point: one.user for one in _of_row(row)[1]}
    except EncodingError:
        return {}


def _of_row(row: CarerRow) -> tuple[Commitments, list[Helper]]:
    sharing, old, dealt = _fields(row.share, _SHARE, 3)
    try:
        helpers = [
            Helper(user, x, Dealing(sharing, _commitments(dealing), {}, {row.point: _bytes(box)}))
            for user, x, dealing, box in dealt
        ]
        return _commitments(old), helpers
    except (TypeError, ValueError) as error:
        raise EncodingError("expected a share in parts") from error


def _opened(patient: str, helper: Helper, point: int, key: OpenKey) -> bytes:
    """The part; b"" for one that was altered, which no commitments fit."""
    box, sharing = helper.dealing.boxes[point], helper.dealing.sharing
    try:
        return open_box(key.private, box, PART, patient, sharing, helper.point, point)
    except CryptoError:
        return b""


def _taken_over(
    old: Commitments, helpers: Sequence[Helper], point: int, parts: Mapping[int, bytes]
) -> Moved:
    dealt = {one.point: one.dealing.commitments for one in helpers}
    return take_over(old, dealt, point, parts)


def _commitments(items: Sequence[object]) -> Commitments:
    return tuple(_bytes(one) for one in items)


def _bytes(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise TypeError(f"expected bytes, got {type(item).__name__}")
    return item


def _fields(data: bytes, label: str, count: int) -> list[Any]:
    fields = parse(data)
    if not isinstance(fields, list) or fields[:1] != [label] or len(fields) != count + 1:
        raise EncodingError(f"expected {label}")
    return fields[1:]
