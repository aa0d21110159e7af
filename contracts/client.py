"""A contract in typed calls: what its clients share.

Every transaction is sent once in effect: where the chain holds the same record by this account
already, that one's receipt is returned; where it holds another, `Refused` is raised. So a party
that crashed may simply call again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from contracts.address import checksum_address
from contracts.errors import ReadOnly
from contracts.interface import interface
from contracts.records import Receipt
from contracts.rpc import Rpc
from contracts.sender import Sender, receipt_of


class Client:
    """The contract called `name` at `address`; without a `sender` it can only be read."""

    def __init__(self, rpc: Rpc, name: str, address: str, sender: Sender | None = None) -> None:
        self._rpc = rpc
        self._interface = interface(name)
        self._sender = sender
        self.contract: str = checksum_address(address)

    @property
    def account(self) -> str | None:
        """The account that sends, or None."""
        return self._sender.account if self._sender else None

    def sign(self, message: bytes) -> bytes:
        """The sending account's signature of a message (EIP-191), 65 bytes. Raises ReadOnly."""
        if self._sender is None:
            raise ReadOnly("a signature")
        return self._sender.sign(message)

    def at_one_look(self) -> AbstractContextManager[None]:
        """Within it, views answer as they did first, until something is sent through this client.

        Those of all contracts that the client leads to share the look.
        """
        return self._rpc.at_one_look()

    def _look_together(self, *views: tuple[str, *tuple[object, ...]]) -> None:
        """Ask for several views at once, each a function with its arguments, at one look."""
        self._rpc.look_together([(self.contract, self._data(*view)) for view in views])

    def _data(self, function: str, *arguments: object) -> str:
        return "0x" + self._interface.call_data(function, arguments).hex()

    def _view(self, function: str, *arguments: object) -> Any:
        answer = self._rpc.view(self.contract, self._data(function, *arguments))
        return self._interface.result(function, bytes.fromhex(answer[2:]))

    def _send(
        self, function: str, arguments: Sequence[object], find_done: Callable[[], Receipt | None]
    ) -> Receipt:
        if self._sender is None:
            raise ReadOnly(function)
        data = self._interface.call_data(function, arguments)
        try:
            return self._sender.send_once(self.contract, data, find_done)
        finally:
            self._rpc.look_again()

    def _find(
        self, event: str, indexed: Sequence[Any], same: Mapping[str, object]
    ) -> Receipt | None:
        """Return the receipt of the last transaction that left this very event, or None."""
        wanted = {
            "address": self.contract,
            "topics": self._interface.indexed(event, indexed),
            "fromBlock": "0x0",
            "toBlock": "latest",
        }
        for log in reversed(self._rpc.call("eth_getLogs", wanted)):
            found = self._interface.event(log)
            if all(found.values[name] == value for name, value in same.items()):
                receipt = self._rpc.call("eth_getTransactionReceipt", found.transaction)
                return receipt_of(receipt)
        return None
