"""A mined transaction with its receipt, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from contracts.address import checksum_address
from contracts.interface import Interface
from contracts.records import TransactionRecord
from contracts.rpc import Rpc


def find_transaction(
    rpc: Rpc, interfaces: Mapping[str, Interface], transaction: str
) -> TransactionRecord | None:
    """Return the transaction of that hash ("0x..."), or None where none is mined.

    `interfaces` are those of the contracts by address.

    Raises:
        ChainUnreachable, RpcFailed: the node does not answer, or not to this.
    """
    sent = rpc.call("eth_getTransactionByHash", transaction)
    receipt = rpc.call("eth_getTransactionReceipt", transaction) if sent else None
    if receipt is None:
        return None
    recipient = checksum_address(receipt["to"]) if receipt["to"] else None
    called = interfaces.get(recipient) if recipient else None
    function, arguments = _decoded(called, bytes.fromhex(sent["input"][2:]))
    return TransactionRecord(
        transaction=receipt["transactionHash"],
        block=int(receipt["blockNumber"], 16),
        block_hash=bytes.fromhex(receipt["blockHash"][2:]),
        sender=checksum_address(receipt["from"]),
        recipient=recipient,
        nonce=int(sent["nonce"], 16),
        succeeded=int(receipt["status"], 16) == 1,
        gas=int(receipt["gasUsed"], 16),
        function=function,
        arguments=arguments,
    )


def _decoded(called: Interface | None, data: bytes) -> tuple[str | None, Mapping[str, Any]]:
    try:
        if called is not None:
            return called.call(data)
    except ValueError:
        pass  # Bytes that are no call of the contract, which refused them.
    return None, MappingProxyType({})
