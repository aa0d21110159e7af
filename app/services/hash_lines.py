"""The lines of a hash's check: what was expected, what was found, in words or digits."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.services.ledger_lines import EventLine

# Of an account and of a hash.
_DIGITS = (40, 64)


def is_digest(value: str) -> bool:
    """Whether a text is the digits of a hash or an account, not words."""
    digits = value.removeprefix("0x").lower()
    return len(digits) in _DIGITS and set(digits) <= set("0123456789abcdef")


@dataclass(frozen=True)
class HashLine:
    """Something that was compared, or computed again; an event's name stands in `event`."""

    what: str
    expected: str
    found: str
    event: str = ""

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.found

    @property
    def is_hash(self) -> bool:
        """Whether digits of a hash or an account were compared, not words."""
        return is_digest(self.expected)


@dataclass(frozen=True)
class HashCheck:
    """What is known of a hash.

    `what` names it, empty where nobody knows it; `on_chain` are the local copy's rows beside the
    chain's, `recomputed` what was computed again; `notes` are sentences, `failure` says why the
    chain could not be asked; `block` is the chain's last at that time. `places` are the events that
    name it, `unread` how many more there are. `transaction` and `training` lead to their pages.
    """

    value: str
    what: str
    on_chain: list[HashLine] = field(default_factory=list)
    recomputed: list[HashLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    places: list[EventLine] = field(default_factory=list)
    unread: int = 0
    block: int | None = None
    failure: str = ""
    transaction: str = ""
    training: str = ""
    of_block: int | None = None

    @property
    def lines(self) -> list[HashLine]:
        """Everything that was compared."""
        return [*self.on_chain, *self.recomputed]

    @property
    def differs(self) -> bool:
        """Whether something is not what it should be."""
        return not all(line.agrees for line in self.lines)

    @property
    def agrees(self) -> bool:
        """Whether the chain was asked, something was compared, and all of it is the same."""
        return not self.failure and bool(self.lines) and not self.differs
