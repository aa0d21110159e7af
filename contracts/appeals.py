"""Second looks at rejected submissions, in typed calls (Appeals.sol): asked for, decided by two."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.address import checksum_address
from contracts.artifact import APPEALS
from contracts.client import Client
from contracts.records import AppealRecord, Decision, LedgerEvent, Receipt
from contracts.rpc import Rpc
from contracts.sender import Sender

_NOBODY = "0x" + 40 * "0"


class Appeals(Client):
    """The contract of the appeals at `address`, as the account of `sender` sees it."""

    def __init__(self, rpc: Rpc, address: str, sender: Sender | None = None) -> None:
        super().__init__(rpc, APPEALS, address, sender)

    def federation(self) -> str:
        """The contract whose rounds these are about; the zero address before it was attached."""
        return str(checksum_address(self._view("federation")))

    def find_appeal(self, training: bytes, round: int, hospital: str) -> AppealRecord | None:
        """The appeal of a hospital in a round, or None."""
        reason, decision, block, *who = self._view("appealOf", training, round, hospital)
        if not any(reason):
            return None
        upholder, dismisser = (None if one == _NOBODY else checksum_address(one) for one in who)
        return AppealRecord(reason, Decision(decision), block or None, upholder, dismisser)

    def upheld(self, training: bytes) -> Mapping[str, int]:
        """The hospitals with an upheld appeal in a training, and the block of the first of each."""
        hospitals, blocks = self._view("upheldOf", training)
        return dict(zip(map(checksum_address, hospitals), blocks, strict=True))

    def upheld_at(self, training: bytes, hospital: str) -> int | None:
        """The block in which the first appeal of a hospital in a training was upheld, or None."""
        return int(self._view("upheldAt", training, hospital)) or None

    def history(self) -> tuple[LedgerEvent, ...]:
        """All events of this contract, in the chain's order."""
        wanted = {"address": self.contract, "fromBlock": "0x0", "toBlock": "latest"}
        return tuple(map(self._interface.event, self._rpc.call("eth_getLogs", wanted)))

    def attach(self, federation: str) -> Receipt:
        """Follow the rounds of this contract, for good (coordinator)."""
        return self._send(
            "attach", (federation,), lambda: self._find("Attached", (federation,), {})
        )

    def appeal(self, training: bytes, round: int, reason_hash: bytes) -> Receipt:
        """Appeal as this account's hospital, which the finalised round rejected; once."""
        return self._send(
            "appeal",
            (training, round, reason_hash),
            lambda: self._find(
                "Appealed", (training, round, self.account), {"reason_hash": reason_hash}
            ),
        )

    def decide(
        self, training: bytes, round: int, hospital: str, upheld: bool, reason_hash: bytes
    ) -> Receipt:
        """Uphold or dismiss as this account (administrator); the second who says it settles it."""
        return self._send(
            "decide",
            (training, round, hospital, upheld, reason_hash),
            lambda: self._find(
                "AppealJudged",
                (training, round, hospital),
                {"administrator": self.account, "upheld": upheld, "reason_hash": reason_hash},
            ),
        )

    def find_appealed(self, training: bytes, round: int, hospital: str) -> Receipt | None:
        """The transaction by which a hospital appealed, or None."""
        return self._find("Appealed", (training, round, hospital), {})


def upheld_before(found: Mapping[str, int], block: int) -> frozenset[str]:
    """Of `upheld` hospitals those whose appeal was upheld in an earlier block than `block`."""
    return frozenset(hospital for hospital, upheld in found.items() if upheld < block)
