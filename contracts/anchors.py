"""The anchors of the application's audit log in typed calls."""

from __future__ import annotations

from contracts.artifact import ANCHORS
from contracts.client import Client
from contracts.records import AnchorRecord, Receipt
from contracts.rpc import Rpc
from contracts.sender import Sender


class Anchors(Client):
    """The contract of the anchors at `address`, as the account of `sender` sees it."""

    def __init__(self, rpc: Rpc, address: str, sender: Sender | None = None) -> None:
        super().__init__(rpc, ANCHORS, address, sender)

    def count(self) -> int:
        """How many anchors there are."""
        return int(self._view("count"))

    def find(self, index: int) -> AnchorRecord:
        """Return the anchor of this index, from 0 up to `count()`."""
        return AnchorRecord(*self._view("anchorOf", index))

    def anchor(self, first: int, last: int, root: bytes) -> Receipt:
        """Anchor the entries `first` to `last`, next to those anchored before (coordinator)."""
        same = {"first": first, "last": last, "root": root}
        return self._send("anchor", (first, last, root), lambda: self._find("Anchored", (), same))
