"""Openings of sealed patient records in typed calls (Records.sol): digests only, no patient."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.address import checksum_address
from contracts.artifact import RECORDS
from contracts.client import Client
from contracts.records import LedgerEvent, OpeningRecord, Receipt, Stage
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
        return OpeningRecord(Stage(stage), approvals, checksum_address(doctor), record)

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

    def request_in_emergency(self, record: bytes, opening: bytes, reason_hash: bytes) -> Receipt:
        """Ask as `request` does; the administration's share counts as another approval."""
        return self._send(
            "requestInEmergency",
            (record, opening, reason_hash),
            lambda: self._find("EmergencyDeclared", (record, opening, self.account), {}),
        )

    def approve(self, record: bytes, opening: bytes) -> Receipt:
        """Approve another doctor's request, once."""
        return self._send(
            "approve",
            (opening,),
            lambda: self._find("OpeningApproved", (record, opening, self.account), {}),
        )

    def decline(self, record: bytes, opening: bytes) -> Receipt:
        """Say no to another doctor's request, once."""
        indexed = record, opening, self.account
        return self._send("decline", (opening,), lambda: self._find("OpeningDeclined", indexed, {}))

    def open(self, record: bytes, opening: bytes) -> Receipt:
        """Open what this account asked for, once a quorum approved."""
        indexed = record, opening, self.account
        return self._send("open", (opening,), lambda: self._find("RecordOpened", indexed, {}))

    def close(self, record: bytes, opening: bytes) -> Receipt:
        """Close what this account opened, or withdraw what it asked for."""
        indexed = record, opening, self.account

        def find_done() -> Receipt | None:
            return self._find("RecordClosed", indexed, {}) or self._find(
                "OpeningWithdrawn", indexed, {}
            )

        return self._send("close", (opening,), find_done)

    def erase(self, record: bytes) -> Receipt:
        """Say that the shares of a record's key were destroyed, once, as one of its doctors."""
        return self._send(
            "erase", (record,), lambda: self._find("RecordErased", (record, self.account), {})
        )

    def is_erased(self, record: bytes) -> bool:
        """Whether a doctor said that the record's key was destroyed."""
        return bool(self._view("isErased", record))

    def history(self) -> tuple[LedgerEvent, ...]:
        """Return all events of the contract, in the chain's order."""
        wanted = {"address": self.contract, "fromBlock": "0x0", "toBlock": "latest"}
        return tuple(map(self._interface.event, self._rpc.call("eth_getLogs", wanted)))
