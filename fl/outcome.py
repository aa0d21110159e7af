"""What a review opened, as the bytes that each of its three nodes signs.

Two kinds: `SliceOutcome` of donated rows and `UpdateOutcome` of updates. Both name the session and
the committee, so that everybody can see that the three who computed it say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from contracts.records import DONATION, NOTHING_OPENED, Bits
from crypto.context import Context, canonical, parse
from crypto.errors import EncodingError
from fl.errors import MessageError, PlanError
from fl.messages import Statement, pack, unpack
from fl.plan import Plan

OUTCOME_LABEL = "consilium/review/v1"
COMMITTEE = 3
# Sessions in one attempt: each opens the same bits again, so a carrier may not ask without end.
MOST_SESSIONS = 16


@dataclass(frozen=True)
class Finding:
    """What was opened of one update.

    `accepted`, `balanced_accuracy` and `reference` (twentieths, rounded down) are None where the
    range or the norm did not hold, or too few rows were there to judge by: then these two decide.
    """

    bits: Bits
    accepted: bool | None = None
    balanced_accuracy: int | None = None
    reference: int | None = None

    @property
    def in_range(self) -> bool:
        """Whether no entry can wrap round the field."""
        return Bits.IN_RANGE in self.bits

    @property
    def in_norm(self) -> bool:
        """Whether the norm is within the public bound."""
        return Bits.IN_NORM in self.bits


@dataclass(frozen=True)
class SliceOutcome:
    """Of a donation: the rows of each class in each valid slice; the others are refused."""

    session: int
    committee: tuple[str, ...]
    sizes: Mapping[str, tuple[int, ...]]

    def to_bytes(self) -> bytes:
        """The outcome as a message."""
        sizes = [[name, list(counts)] for name, counts in self.sizes.items()]
        return pack(self.session, list(self.committee), sizes)


@dataclass(frozen=True)
class UpdateOutcome:
    """Of a round: a finding for each update, the slices set aside, how many were not clipped.

    `classes` is how many were judged by, 0 when too few rows of two were there: range and norm
    decided alone. `unclipped` counts the clip bits of those that hold, None where none are shared.
    """

    session: int
    committee: tuple[str, ...]
    findings: Mapping[str, Finding]
    flagged: tuple[str, ...]
    classes: int
    unclipped: int | None

    def to_bytes(self) -> bytes:
        """The outcome as a message."""
        findings = [
            [name, int(one.bits), one.accepted, one.balanced_accuracy, one.reference]
            for name, one in self.findings.items()
        ]
        return pack(
            self.session,
            list(self.committee),
            findings,
            list(self.flagged),
            self.classes,
            [] if self.unclipped is None else [self.unclipped],
        )


Outcome = SliceOutcome | UpdateOutcome


def outcome_digest(body: bytes) -> bytes:
    """What the agreed set holds of a review: SHA-256 of its canonical bytes."""
    return sha256(canonical(OUTCOME_LABEL, body)).digest()


def read_session(body: bytes) -> tuple[int, tuple[str, ...]]:
    """Session and committee of an outcome of either kind. Raises MessageError."""
    items = _items(body)
    session, committee = items[0], items[1]
    if type(session) is not int or not _names(committee) or len(committee) != COMMITTEE:
        raise MessageError("expected a session and a committee of three")
    return session, tuple(committee)


def read_slices(body: bytes) -> SliceOutcome:
    """The inverse of `SliceOutcome.to_bytes`. Raises MessageError."""
    session, committee = read_session(body)
    _, _, sizes = unpack(body, int, list, list)
    try:
        found = {str(name): tuple(int(count) for count in counts) for name, counts in sizes}
    except (TypeError, ValueError) as error:
        raise MessageError(f"expected the sizes of slices: {error}") from error
    return SliceOutcome(session, committee, found)


def read_updates(body: bytes) -> UpdateOutcome:
    """The inverse of `UpdateOutcome.to_bytes`. Raises MessageError."""
    session, committee = read_session(body)
    _, _, findings, flagged, classes, unclipped = unpack(body, int, list, list, list, int, list)
    if not _names(flagged) or len(unclipped) > 1 or not all(type(n) is int for n in unclipped):
        raise MessageError("expected the outcome of a review")
    found = dict(_finding(item) for item in findings)
    count = unclipped[0] if unclipped else None
    return UpdateOutcome(session, committee, found, tuple(flagged), classes, count)


def review_purpose(session: int) -> str:
    """The purpose under which the outcome of a session is signed."""
    return f"review-{session}"


def find_outcome(
    context: Context, plan: Plan, active: Sequence[str], round_number: int, carried: Iterable[bytes]
) -> Outcome | None:
    """The outcome that all three members of one committee of `active` nodes signed, or None.

    Whoever computed alone, or says something else than the other two, has said nothing.
    """
    said: dict[bytes, set[str]] = {}
    for data in carried:
        try:
            sender, purpose, body, _ = unpack(data, str, str, bytes, bytes)
            number, committee = read_session(body)
            if sender not in committee or not set(committee) <= set(active):
                continue
            key = plan.node(sender).verifying_key
            if purpose == review_purpose(number):
                Statement.read(data, context, sender, key, purpose)
                said.setdefault(body, set()).add(sender)
        except (MessageError, PlanError):
            continue  # One node's garbage is not the others'.
    for body, senders in said.items():
        if senders == set(read_session(body)[1]):
            return read_slices(body) if round_number == DONATION else read_updates(body)
    return None


def _finding(item: Any) -> tuple[str, Finding]:
    try:
        name, bits, accepted, balanced, reference = item
        figures = (balanced, reference)
        if not isinstance(name, str) or accepted not in (None, True, False):
            raise ValueError("expected a name and a verdict")
        if not all(one is None or 0 <= one < NOTHING_OPENED for one in figures):
            raise ValueError("expected figures in twentieths")
        return name, Finding(Bits(bits), accepted, balanced, reference)
    except (TypeError, ValueError) as error:
        raise MessageError(f"expected a finding of a review: {error}") from error


def _items(body: bytes) -> list[Any]:
    try:
        items = parse(body)
    except EncodingError as error:
        raise MessageError(str(error)) from error
    if not isinstance(items, list) or len(items) not in (3, 6):
        raise MessageError("expected the outcome of a review")
    return items


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
