"""Evidence from a chain: headers, transactions and receipts as bytes, proven against the header.

A node answers with JSON; the bytes are put together again from it and kept only where their hashes
are those that the node names, so that what cannot be rebuilt is found here and not by a reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

from contracts.errors import BadEvidence, NotFound
from contracts.evidence import Block, Entry, prove
from contracts.rpc import Rpc

# A header's fields in the order of the yellow paper, then what later forks added (EIP-1559, 4895,
# 4844, 4788, 7685). Fixed ones are byte strings, the others numbers.
HEADER: tuple[tuple[str, bool], ...] = (
    ("parentHash", True), ("sha3Uncles", True), ("miner", True), ("stateRoot", True),
    ("transactionsRoot", True), ("receiptsRoot", True), ("logsBloom", True),
    ("difficulty", False), ("number", False), ("gasLimit", False), ("gasUsed", False),
    ("timestamp", False), ("extraData", True), ("mixHash", True), ("nonce", True),
    ("baseFeePerGas", False), ("withdrawalsRoot", True), ("blobGasUsed", False),
    ("excessBlobGas", False), ("parentBeaconBlockRoot", True), ("requestsHash", True),
)  # fmt: skip


def collect(rpc: Rpc, transactions: Iterable[str]) -> tuple[Block, ...]:
    """The evidence of transactions, by block, in the chain's order.

    Raises:
        NotFound: the chain has no such transaction.
        BadEvidence: the node's answers do not make up what their hashes say.
        ChainUnreachable, RpcFailed: it does not answer.
    """
    places = sorted({_place(rpc, one) for one in transactions})
    return tuple(
        _block(rpc, number, [index for _, index in found])
        for number, found in groupby(places, key=lambda place: place[0])
    )


def _place(rpc: Rpc, transaction: str) -> tuple[int, int]:
    receipt = rpc.call("eth_getTransactionReceipt", transaction)
    if receipt is None:
        raise NotFound(f"the transaction {transaction}")
    return int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)


def _block(rpc: Rpc, number: int, indices: list[int]) -> Block:
    block = rpc.call("eth_getBlockByNumber", hex(number), True)
    header = _header(block)
    _require(keccak(header) == _bytes(block["hash"]), f"the header of block {number}")
    raws = [_transaction(one) for one in block["transactions"]]
    receipts = [
        _receipt(rpc.call("eth_getTransactionReceipt", one["hash"]))
        for one in block["transactions"]
    ]
    transactions_root, transactions = prove(raws, indices)
    receipts_root, proven = prove(receipts, indices)
    named = _bytes(block["transactionsRoot"]), _bytes(block["receiptsRoot"])
    what = f"the transactions and receipts of block {number}"
    _require((transactions_root, receipts_root) == named, what)
    return Block(header, tuple(map(Entry, indices, transactions, proven)))


def _header(block: Mapping[str, Any]) -> bytes:
    there = [(name, fixed) for name, fixed in HEADER if block.get(name) is not None]
    return _encoded(
        [_bytes(block[name]) if fixed else int(block[name], 16) for name, fixed in there]
    )


def _transaction(fields: Mapping[str, Any]) -> bytes:
    kind = int(fields.get("type") or "0x0", 16)
    whom = _bytes(fields["to"]) if fields.get("to") else b""
    what = [int(fields["value"], 16), _bytes(fields["input"])]
    signature = [int(fields[name], 16) for name in ("v", "r", "s")]
    before = [int(fields["nonce"], 16)]
    gas = [int(fields["gas"], 16), whom, *what]
    if kind == 0:
        raw = _encoded([*before, int(fields["gasPrice"], 16), *gas, *signature])
    else:
        names = {1: ("gasPrice",), 2: ("maxPriorityFeePerGas", "maxFeePerGas")}.get(kind, ())
        fees = [int(fields[name], 16) for name in names]
        access = [
            [_bytes(one["address"]), [_bytes(key) for key in one["storageKeys"]]]
            for one in fields.get("accessList") or ()
        ]
        chain = int(fields["chainId"], 16)
        raw = bytes([kind]) + _encoded([chain, *before, *fees, *gas, access, *signature])
    _require(keccak(raw) == _bytes(fields["hash"]), f"the transaction {fields['hash']}")
    return raw


def _receipt(fields: Mapping[str, Any]) -> bytes:
    logs = [
        [_bytes(one["address"]), [_bytes(topic) for topic in one["topics"]], _bytes(one["data"])]
        for one in fields["logs"]
    ]
    kind = int(fields.get("type") or "0x0", 16)
    totals = [int(fields["status"], 16), int(fields["cumulativeGasUsed"], 16)]
    raw = _encoded([*totals, _bytes(fields["logsBloom"]), logs])
    return raw if kind == 0 else bytes([kind]) + raw


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise BadEvidence(f"the node’s answers do not make up {what}")


def _encoded(items: list[Any]) -> bytes:
    return bytes(rlp.encode(items))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
