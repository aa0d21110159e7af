"""Transactions of one account, each sent once in effect.

Each is written into the outbox before it is sent, and what lies there unmined is sent first: so
nothing that was signed gets lost, and no number is used for two. A transaction is then run as a
call on the pending state. The contract refuses everything twice, so a refusal may mean that the
very same transaction went through before (sent, and crashed before the receipt was read): then its
event is on the chain, and its receipt is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.delivery import Delivery
from contracts.errors import Refused, RpcFailed
from contracts.interface import Interface
from contracts.outbox import MemoryOutbox, NumberTaken, Outbox, Outgoing
from contracts.records import Receipt
from contracts.rpc import Rpc
from contracts.signatures import sign_message

# The costliest call, a published set of 64 hospitals and 1024 disputes, stays below it, and
# Ganache's blocks (30 million) above.
GAS = 12_000_000
# How often another transaction may come between a call and its transaction.
TRIES = 8
# Refusals of the sender himself: whatever is on the chain already is not his.
NOT_HIS = frozenset(
    {"AccessControlUnauthorizedAccount", "NotCoordinator", "NotYourself", "NotOfThisTraining"}
)


class Sender:
    """Signs with `private_key` for the chain `chain_id` and sends through `rpc`.

    Without an `outbox` that lasts, what was signed is forgotten with this process.
    """

    def __init__(
        self,
        rpc: Rpc,
        interface: Interface,
        chain_id: int,
        private_key: Any,
        outbox: Outbox | None = None,
    ) -> None:
        self._rpc = rpc
        self._outbox: Outbox = MemoryOutbox() if outbox is None else outbox
        self._delivery = Delivery(rpc, self._outbox)
        # The highest nonce that this sender saw mined.
        self._mined = -1
        self._interface = interface
        self._chain_id = chain_id
        self._account: LocalAccount = Account.from_key(private_key)
        self._gas_price: int | None = None
        self._lock = Lock()
        self.account: str = self._account.address
        # Transactions sent so far, and the seconds from sending each until its receipt.
        self.sent = 0
        self.seconds = 0.0

    def sign(self, message: bytes) -> bytes:
        """The account's signature of a message (EIP-191), 65 bytes."""
        return sign_message(self._account, message)

    def send_once(
        self, contract: str, data: bytes, find_done: Callable[[], Receipt | None]
    ) -> Receipt:
        """Send `data` to `contract` unless `find_done` finds it done already.

        Raises:
            Refused: the contract refuses, and `find_done` finds nothing.
            ChainUnreachable: nothing answers; calling again later is safe.
            RpcFailed: the node does not take the transaction.
        """
        with self._lock:
            for _ in range(TRIES):
                self._catch_up()
                refusal = self._try(contract, data)
                if refusal is not None:
                    done = None if refusal.reason in NOT_HIS else find_done()
                    if done is None:
                        raise refusal
                    return done
                receipt = self._send({"to": contract, "data": data})
                # A transaction that fails after its call passed was overtaken: look again.
                if receipt is not None and int(receipt["status"], 16) == 1:
                    return receipt_of(receipt)
        raise Refused("Overtaken", {"tries": TRIES})

    def deploy(self, bytecode: bytes) -> str:
        """Create a contract and return its address; one that the outbox knows is not made again.

        Raises:
            Refused: its constructor, or the chain's gas limit, forbids it.
        """
        with self._lock:
            for _ in range(TRIES):
                self._catch_up()
                receipt = self._created(bytecode) or self._send({"data": bytecode})
                if receipt is not None:
                    if int(receipt["status"], 16) != 1:
                        raise Refused("NotCreated", {"transaction": receipt["transactionHash"]})
                    return str(receipt["contractAddress"])
        raise Refused("Overtaken", {"tries": TRIES})

    def _try(self, contract: str, data: bytes) -> Refused | None:
        call = {"from": self.account, "to": contract, "data": _hex(data), "gas": hex(GAS)}
        try:
            self._rpc.call("eth_call", call, "pending")
        except RpcFailed as error:
            if error.data is None:
                raise
            return self._interface.refusal(bytes.fromhex(error.data[2:]))
        return None

    def _catch_up(self) -> None:
        """Send first what an earlier life of this account left behind."""
        newest = self._outbox.newest(self.account)
        if newest is not None and newest > self._mined:
            self._mined = self._delivery.bring(self.account) - 1

    def _created(self, bytecode: bytes) -> dict[str, Any] | None:
        """The receipt of what created this very contract before, or None."""
        before = self._outbox.find(self.account, _intent({"data": bytecode}))
        if before is None:
            return None
        receipt: dict[str, Any] | None = self._rpc.call(
            "eth_getTransactionReceipt", before.transaction
        )
        return receipt

    def _send(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Return the receipt, or None when another transaction took the nonce."""
        outgoing = self._sign(fields)
        try:
            self._outbox.put(outgoing)
        except NumberTaken:
            return None
        start = time.perf_counter()
        if not self._delivery.send(outgoing):
            return None
        receipt = self._delivery.receipt(outgoing.transaction)
        self._mined = outgoing.nonce
        self.sent += 1
        self.seconds += time.perf_counter() - start
        return receipt

    def _sign(self, fields: dict[str, Any]) -> Outgoing:
        if self._gas_price is None:
            self._gas_price = int(self._rpc.call("eth_gasPrice"), 16)
        nonce = int(self._rpc.call("eth_getTransactionCount", self.account, "pending"), 16)
        signed = self._account.sign_transaction(
            {
                **fields,
                "nonce": nonce,
                "gas": GAS,
                "gasPrice": self._gas_price,
                "value": 0,
                "chainId": self._chain_id,
            }
        )
        return Outgoing(
            account=self.account,
            nonce=nonce,
            intent=_intent(fields),
            transaction=_hex(signed.hash),
            raw=bytes(signed.raw_transaction),
        )


def _intent(fields: dict[str, Any]) -> bytes:
    """Whom a transaction calls, and with what: a creation calls nobody."""
    return sha256(fields.get("to", "").encode() + b"\0" + bytes(fields["data"])).digest()


def receipt_of(receipt: dict[str, Any]) -> Receipt:
    """Return a node's receipt as ours."""
    return Receipt(
        transaction=receipt["transactionHash"],
        block=int(receipt["blockNumber"], 16),
        gas=int(receipt["gasUsed"], 16),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
