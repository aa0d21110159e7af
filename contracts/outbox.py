"""The outbox: transactions that are written down, signed, before they are sent.

An account's transactions are numbered from 0 (their nonces), and a chain takes each number once. A
signed transaction that is kept can therefore be sent again as often as one likes, after a crash of
its sender or of the chain: it is mined once, or another one of its account has its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol


class NumberTaken(Exception):
    """Another transaction of the account was written down with this nonce meanwhile."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signed transaction: `raw` is what is sent, `transaction` its hash ("0x...").

    `intent` is the SHA-256 of whom it calls and with what, see `contracts.sender`.
    """

    account: str
    nonce: int
    intent: bytes
    transaction: str
    raw: bytes


class Outbox(Protocol):
    """Keeps the transactions of all accounts of one chain; what was put survives its caller."""

    def put(self, outgoing: Outgoing) -> None:
        """Write one down, durably. Raises NumberTaken when the account has another of its nonce."""

    def take_back(self, outgoing: Outgoing) -> None:
        """Forget one that the chain does not take."""

    def newest(self, account: str) -> int | None:
        """The highest nonce of the account, or None."""

    def waiting(self, account: str, count: int) -> Sequence[Outgoing]:
        """Those of the account from the nonce `count` on, the lowest first."""

    def find(self, account: str, intent: bytes) -> Outgoing | None:
        """The account's newest of this intent, or None."""

    def accounts(self) -> Sequence[str]:
        """Every account that wrote one down."""


class MemoryOutbox:
    """Lives as long as its process, for those who have no database."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Outgoing] = {}
        self._lock = Lock()

    def put(self, outgoing: Outgoing) -> None:
        """Keep one. Raises NumberTaken as `Outbox.put` does."""
        with self._lock:
            place = outgoing.account, outgoing.nonce
            if place in self._kept:
                raise NumberTaken(f"{outgoing.account} sent its number {outgoing.nonce} already")
            self._kept[place] = outgoing

    def take_back(self, outgoing: Outgoing) -> None:
        """Forget one."""
        with self._lock:
            if self._kept.get((outgoing.account, outgoing.nonce)) == outgoing:
                del self._kept[outgoing.account, outgoing.nonce]

    def newest(self, account: str) -> int | None:
        """The highest nonce of the account, or None."""
        with self._lock:
            return max((one.nonce for one in self._of(account)), default=None)

    def waiting(self, account: str, count: int) -> Sequence[Outgoing]:
        """Those of the account from the nonce `count` on, the lowest first."""
        with self._lock:
            return self._of(account, count)

    def find(self, account: str, intent: bytes) -> Outgoing | None:
        """The account's newest of this intent, or None."""
        with self._lock:
            found = [one for one in self._of(account) if one.intent == intent]
        return found[-1] if found else None

    def accounts(self) -> Sequence[str]:
        """Every account that wrote one down."""
        with self._lock:
            return sorted({account for account, _ in self._kept})

    def _of(self, account: str, count: int = 0) -> list[Outgoing]:
        kept = sorted(self._kept.items())
        return [one for (owner, nonce), one in kept if owner == account and nonce >= count]
