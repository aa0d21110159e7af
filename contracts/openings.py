"""Openings of sealed patient records in typed calls (Records.sol): digests only, no patient."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.address import to_checksum_address

from contracts.artifact import RECORDS
from contracts.client import Client
from contracts.records import OpeningRecord, Receipt, Stage
from contracts.rpc import Rpc
from contracts.sender import Sender


class Openings(Client):
    """The contract of sealed records at `address`, as the account of `sender` sees it."""

    def __init__(self, rpc: Rpc, address: str, sender: Sender | None = None) -> None:
        super().__init__(rpc, RECORDS, address, sender)

    def quorum(self, record: bytes) -> int:
        """How many doctors open a record; 0 if it was never sealed."""
        return int(self._view("quorumOf", record))

    def find(self, opening: bytes) -> OpeningRecord | None:
        """Return the request of this identifier, or None."""
        stage, approvals, doctor, record = self._view("openingOf", opening)
        if stage == Stage.NONE:
            return None
        return OpeningRecord(Stage(stage), approvals, to_checksum_address(doctor), record)

    def seal(self, record: bytes, doctors: Sequence[str], quorum: int) -> Receipt:
        """Seal a record among doctors, of whom this account is one; a majority opens it."""
        same = {"doctors": tuple(doctors), "quorum": quorum}
        return self._send(
            "seal",
            (record, tuple(doctors), quorum),
            lambda: self._find("Sealed", (record, self.account), same),
        )

    def request(self, record: bytes, opening: bytes, reason_hash: bytes) -> Receipt:
        """Ask for a record under a fresh identifier; `reason_hash` is salted."""
        same = {"reason_hash": reason_hash}
        return self._send(
            "request",
            (record, opening, reason_hash),
            lambda: self._find("OpeningRequested", (record, opening, self.account), same),
        )

    def approve(self, record: bytes, opening: bytes) -> Receipt:
        """Approve another doctor's request, once."""
        return self._send(
            "approve",
            (opening,),
            lambda: self._find("OpeningApproved", (record, opening, self.account), {}),
        )

    def open(self, record: bytes, opening: bytes) -> Receipt:
        """Open what this account asked for, once a quorum approved."""
        indexed = record, opening, self.account
        return self._send("open", (opening,), lambda: self._find("RecordOpened", indexed, {}))
