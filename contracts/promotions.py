"""Which model of each task is in use, in typed calls (Models.sol): promoted, or rolled back to."""

from __future__ import annotations

from typing import Any

from contracts.address import checksum_address
from contracts.artifact import MODELS
from contracts.client import Client
from contracts.records import PromotionRecord, Receipt
from contracts.registry import task_word
from contracts.rpc import Rpc
from contracts.sender import Sender


class Promotions(Client):
    """The contract of the models at `address`, as the account of `sender` sees it."""

    def __init__(self, rpc: Rpc, address: str, sender: Sender | None = None) -> None:
        super().__init__(rpc, MODELS, address, sender)

    def trainings(self) -> str:
        """The contract whose trainings count; the zero address before it was bound."""
        return str(checksum_address(self._view("trainings")))

    def find_in_use(self, task: str) -> PromotionRecord | None:
        """The promotion that counts for a task, or None."""
        found = _record(self._view("inUse", task_word(task)))
        return found if any(found.training) else None

    def history(self, task: str) -> tuple[PromotionRecord, ...]:
        """All promotions of a task, the oldest first."""
        return tuple(map(_record, self._view("promotionsOf", task_word(task))))

    def bind(self, federation: str) -> Receipt:
        """Follow the trainings of this contract, for good (coordinator)."""
        return self._send("bind", (federation,), lambda: self._find("Bound", (federation,), {}))

    def promote(self, task: str, training: bytes, model: bytes, reason_hash: bytes) -> Receipt:
        """Put a finished training's model into use, once (administrator)."""
        return self._use("promote", "Promoted", task, training, model, reason_hash)

    def roll_back(self, task: str, training: bytes, model: bytes, reason_hash: bytes) -> Receipt:
        """Put a model into use again that was in use before (administrator)."""
        return self._use("rollBack", "RolledBack", task, training, model, reason_hash)

    def find_promoted(
        self, task: str, training: bytes, reason_hash: bytes, back: bool
    ) -> Receipt | None:
        """The transaction that put a training's model into use for this reason, or None."""
        event = "RolledBack" if back else "Promoted"
        return self._find(event, (task_word(task), training), {"reason_hash": reason_hash})

    def _use(
        self, function: str, event: str, task: str, training: bytes, model: bytes, reason: bytes
    ) -> Receipt:
        same = {"model": model, "reason_hash": reason}
        return self._send(
            function,
            (training, model, reason),
            lambda: self._find(event, (task_word(task), training), same),
        )


def _record(values: Any) -> PromotionRecord:
    training, model, reason_hash, administrator, rounds, back = values
    return PromotionRecord(
        training, model, reason_hash, checksum_address(administrator), rounds, back
    )
