"""The embedded chain without its process and HTTP, for tests that make thousands of calls."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts.artifact import ANCHORS, APPEALS, FEDERATION, MODELS, RECORDS, REGISTRY
from contracts.embedded.evm import EmbeddedChain
from contracts.embedded.methods import Methods, RpcError
from contracts.embedded.store import Store
from contracts.errors import Refused, RpcFailed
from contracts.interface import interface
from contracts.ledger import creation_code
from contracts.rpc import Rpc
from contracts.sender import Sender
from tests.contracts.parties import private_key

CHAIN_ID = 1337
# A refusal's name and arguments; None where the call was accepted.
Outcome = tuple[str, dict[str, object]] | None


class DirectRpc(Rpc):
    """Hands each request to the chain's methods, which lie in this very process."""

    def __init__(self, methods: Methods) -> None:
        self.url = "direct"
        self._methods = methods

    def call(self, method: str, *params: Any) -> Any:
        try:
            return self._methods.answer(method, list(params))
        except RpcError as error:
            raise RpcFailed(method, error.code, error.message, error.data) from error

    def close(self) -> None:
        """There is no connection."""


class World:
    """A chain in memory with the six contracts; account 0 founded them with account 1.

    A call that is accepted is mined, in a block of its own.
    """

    def __init__(self) -> None:
        self._store = Store(Path(":memory:"))
        self.rpc = DirectRpc(Methods(EmbeddedChain(self._store, CHAIN_ID), self._store, "direct"))
        self._senders: dict[tuple[str, int], Sender] = {}
        founder = self._sender(FEDERATION, 0)

        def deploy(contract: str, *addresses: str) -> str:
            return to_checksum_address(founder.deploy(creation_code(contract, *addresses)))

        registry = deploy(REGISTRY, account(0), account(1))
        anchors, records = deploy(ANCHORS, registry), deploy(RECORDS, registry)
        models, appeals = deploy(MODELS, registry), deploy(APPEALS, registry)
        self.addresses = {
            REGISTRY: registry,
            ANCHORS: anchors,
            RECORDS: records,
            MODELS: models,
            APPEALS: appeals,
            FEDERATION: deploy(FEDERATION, registry, anchors, records, models, appeals),
        }
        assert self.call(MODELS, 0, "bind", self.addresses[FEDERATION]) is None
        assert self.call(APPEALS, 0, "attach", self.addresses[FEDERATION]) is None

    def close(self) -> None:
        self._store.close()

    @property
    def block(self) -> int:
        """The number of the last block."""
        return int(self.rpc.call("eth_blockNumber"), 16)

    def refusal(self, contract: str, caller: int, function: str, *arguments: object) -> Outcome:
        """Why a call as the account of this index would be refused now; nothing is mined."""
        data = interface(contract).call_data(function, arguments)
        refused = self._sender(contract, caller)._try(self.addresses[contract], data)
        return (refused.reason, dict(refused.details)) if refused else None

    def call(self, contract: str, caller: int, function: str, *arguments: object) -> Outcome:
        """Make a call as the account of this index; say why it was refused."""
        data = interface(contract).call_data(function, arguments)
        try:
            self._sender(contract, caller).send_once(self.addresses[contract], data, lambda: None)
        except Refused as refused:
            return refused.reason, dict(refused.details)
        return None

    def view(self, contract: str, function: str, *arguments: object) -> Any:
        """What a view returns now, to nobody in particular. Raises Refused where it reverts."""
        return self.view_as(None, contract, function, *arguments)

    def view_as(self, caller: int | None, contract: str, function: str, *arguments: object) -> Any:
        """What a view returns now to the account of this index. Raises Refused."""
        known = interface(contract)
        data = known.call_data(function, arguments)
        call = {"to": self.addresses[contract], "data": "0x" + data.hex()}
        if caller is not None:
            call["from"] = account(caller)
        try:
            answer = self.rpc.call("eth_call", call, "latest")
        except RpcFailed as error:
            raise known.refusal(bytes.fromhex((error.data or "0x")[2:])) from error
        return known.result(function, bytes.fromhex(answer[2:]))

    def _sender(self, contract: str, index: int) -> Sender:
        """The sender of this account, which reads refusals as this contract names them."""
        if (contract, index) not in self._senders:
            known = interface(contract)
            self._senders[contract, index] = Sender(self.rpc, known, CHAIN_ID, private_key(index))
        return self._senders[contract, index]


@cache
def account(index: int) -> str:
    """The address of the account of this index."""
    return str(Account.from_key(private_key(index)).address)
