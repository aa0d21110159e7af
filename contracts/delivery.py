"""Bringing what an outbox holds to the chain, after whatever came between; no key is needed."""

from __future__ import annotations

import time
from typing import Any

from contracts.errors import ChainUnreachable, RpcFailed
from contracts.outbox import Outbox, Outgoing
from contracts.rpc import Rpc

RECEIPT_DEADLINE = 120.0


class Delivery:
    """Sends through `rpc` what `outbox` holds."""

    def __init__(self, rpc: Rpc, outbox: Outbox) -> None:
        self._rpc = rpc
        self._outbox = outbox

    def bring_all(self) -> None:
        """Send whatever waits, of every account.

        Raises:
            ChainUnreachable, RpcFailed: as `bring`.
        """
        for account in self._outbox.accounts():
            self.bring(account)

    def bring(self, account: str) -> int:
        """Send what waits of `account` and was not mined; return how many of it the chain has.

        Those behind a gap stay until something fills it. Calling again is safe.

        Raises:
            ChainUnreachable: nothing answers.
            RpcFailed: the chain does not take one; that one is forgotten.
        """
        count = int(self._rpc.call("eth_getTransactionCount", account, "latest"), 16)
        for outgoing in self._outbox.waiting(account, count):
            if outgoing.nonce != count:
                break
            if self.send(outgoing):
                self.receipt(outgoing.transaction)
            count += 1
        return count

    def send(self, outgoing: Outgoing) -> bool:
        """Send one; whether the chain has it now. It has not when its nonce was used.

        Raises:
            RpcFailed: the chain does not take it; it is forgotten.
        """
        try:
            self._rpc.call("eth_sendRawTransaction", "0x" + outgoing.raw.hex())
        except RpcFailed as error:
            # Every node has words of its own for a transaction that it knows already.
            if self._rpc.call("eth_getTransactionByHash", outgoing.transaction) is not None:
                return True
            self._outbox.take_back(outgoing)
            if "nonce" in error.message.lower():
                return False
            raise
        return True

    def receipt(self, transaction: str) -> dict[str, Any]:
        """Wait until it is mined. Raises ChainUnreachable when that takes two minutes."""
        end = time.monotonic() + RECEIPT_DEADLINE
        pause = 0.005
        while time.monotonic() < end:
            receipt: dict[str, Any] | None = self._rpc.call(
                "eth_getTransactionReceipt", transaction
            )
            if receipt is not None:
                return receipt
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        raise ChainUnreachable(self._rpc.url, f"{transaction} was not mined in time")
