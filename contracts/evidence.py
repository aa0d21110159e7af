"""Transactions with the proof that a block holds them, as bytes that anybody can check.

A block is its header, and of each transaction that matters two Merkle-Patricia proofs: of the
transaction under the header's transactions root, of its receipt under the receipts root (Ethereum
yellow paper, appendix D). What was signed is read out of the proof, so nothing stands there twice.
No chain is asked: `witness` collects the same bytes from one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]
from trie.exceptions import (
    BadTrieProof,
    InvalidNode,
    MissingTrieNode,
    TraversedPartialPath,
)
from trie.exceptions import ValidationError as NoNode
from trie.hexary import HexaryTrie

from contracts.address import checksum_address
from contracts.errors import BadEvidence
from contracts.records import LedgerEvent

# Places in a header (yellow paper, section 4.4.1).
PARENT, TRANSACTIONS, RECEIPTS, NUMBER = 0, 4, 5, 8
# EIP-155: v = 2 * chain id + 35 or 36.
EIP155 = 35

# What the library raises for nodes that make up no trie.
_NO_TRIE = (
    *(RLPException, BadTrieProof, InvalidNode, MissingTrieNode, NoNode, TraversedPartialPath),
    *(ValidationError, AssertionError, LookupError, TypeError, ValueError),
)

Proof = tuple[bytes, ...]


@dataclass(frozen=True)
class Transaction:
    """A mined transaction: who signed it, to whom (None: it creates), its data, and its receipt.

    `logs` have the form of a node's answer, so that `contracts.interface` reads them.
    """

    block: int
    index: int
    hash: bytes
    sender: str
    to: str | None
    data: bytes
    nonce: int
    succeeded: bool
    logs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Entry:
    """The two proofs of the transaction at `index` in its block."""

    index: int
    transaction: Proof
    receipt: Proof


@dataclass(frozen=True)
class Block:
    """A block's header (RLP) and the proofs of some of its transactions."""

    header: bytes
    entries: tuple[Entry, ...]

    @property
    def hash(self) -> bytes:
        """Keccak-256 of the header."""
        return keccak(self.header)


@dataclass(frozen=True)
class CheckedBlock:
    """What a block turned out to hold."""

    number: int
    hash: bytes
    parent: bytes
    transactions: tuple[Transaction, ...]


def check_block(block: Block, chain_id: int) -> CheckedBlock:
    """Check a block's proofs and its transactions' signatures for this chain.

    Raises BadEvidence with what does not fit.
    """
    fields = _items(block.header, "a header")
    if len(fields) < NUMBER + 1:
        raise BadEvidence("expected the fields of a header")
    number = _number(fields[NUMBER])
    transactions = []
    for entry in block.entries:
        raw = _proven(fields[TRANSACTIONS], entry.index, entry.transaction, "transaction")
        receipt = _proven(fields[RECEIPTS], entry.index, entry.receipt, "receipt")
        transactions.append(_transaction((number, block.hash), entry.index, raw, receipt, chain_id))
    indices = [entry.index for entry in block.entries]
    if indices != sorted(set(indices)):
        raise BadEvidence(f"block {number}: expected its transactions in order, each once")
    return CheckedBlock(number, block.hash, bytes(fields[PARENT]), tuple(transactions))


def key_of(index: int) -> bytes:
    """The key under which a block's tries hold the item at `index`."""
    return bytes(rlp.encode(index))


def prove(items: Sequence[bytes], indices: Sequence[int]) -> tuple[bytes, tuple[Proof, ...]]:
    """The root of the trie over a block's items, and the proofs of those at `indices`."""
    trie = HexaryTrie({})
    for place, item in enumerate(items):
        trie[key_of(place)] = item
    return trie.root_hash, tuple(_proof(trie, index) for index in indices)


def created_by(sender: str, nonce: int) -> str:
    """The address of the contract that this account's transaction of this nonce creates."""
    return checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[-20:])


def events_of(
    transaction: Transaction, interfaces: Mapping[str, Any]
) -> tuple[tuple[str, LedgerEvent], ...]:
    """The transaction's events of the contracts in `interfaces` (by address), each with its name.

    Raises BadEvidence for a log of such a contract that is none of its events.
    """
    found = []
    for log in transaction.logs:
        known = interfaces.get(checksum_address(log["address"]))
        if known is None:
            continue
        try:
            event = known.event(log)
        except (DecodingError, ValueError) as error:
            raise BadEvidence(f"a log that is no event of its contract: {error}") from error
        found.append((event.name, event))
    return tuple(found)


def _proven(root: Any, index: int, proof: Proof, what: str) -> bytes:
    """The item at `index` under `root`; the proof must be the shortest one, node for node."""
    try:
        nodes = [rlp.decode(node, strict=True) for node in proof]
        value = HexaryTrie.get_from_proof(root, key_of(index), nodes)  # type: ignore[no-untyped-call]
        trie = HexaryTrie({keccak(node): node for node in proof}, root_hash=root)
        exact = bool(value) and _proof(trie, index) == proof
    except _NO_TRIE as error:
        raise BadEvidence(f"the proof of a {what} does not lead to its header’s root") from error
    if not exact:
        raise BadEvidence(f"the proof of a {what} does not lead to its header’s root")
    return bytes(value)


def _proof(trie: HexaryTrie, index: int) -> Proof:
    nodes = trie.get_proof(key_of(index))  # type: ignore[no-untyped-call]
    return tuple(bytes(rlp.encode(node)) for node in nodes)


def _transaction(
    block: tuple[int, bytes], index: int, raw: bytes, receipt: bytes, chain_id: int
) -> Transaction:
    """A transaction of the block of this number and hash."""
    number, block_hash = block
    kind, fields = _typed(raw, "a transaction")
    signed_for, nonce, to, data = _signed_fields(kind, fields)
    if signed_for != chain_id:
        raise BadEvidence(f"expected a transaction for chain {chain_id}, got one for {signed_for}")
    status, logs = _receipt(receipt)
    digest = keccak(raw)
    return Transaction(
        block=number,
        index=index,
        hash=digest,
        sender=_sender(raw),
        to=checksum_address(to) if to else None,
        data=data,
        nonce=nonce,
        succeeded=status,
        logs=tuple(
            {
                "address": "0x" + address.hex(),
                "topics": ["0x" + topic.hex() for topic in topics],
                "data": "0x" + words.hex(),
                "blockNumber": hex(number),
                "blockHash": "0x" + block_hash.hex(),
                "transactionHash": "0x" + digest.hex(),
                "logIndex": hex(place),
            }
            for place, (address, topics, words) in enumerate(logs)
        ),
    )


def _signed_fields(kind: int, fields: list[Any]) -> tuple[int, int, bytes, bytes]:
    """Chain id, nonce, recipient and data, wherever this kind of transaction has them."""
    try:
        if kind == 0:
            nonce, _, _, to, _, data, v, _, _ = fields
            return (_number(v) - EIP155) // 2, _number(nonce), to, data
        # EIP-2930 has a gas price, EIP-1559 two fees in its place.
        fees = {1: 1, 2: 2}[kind]
        chain, nonce, to, data = fields[0], fields[1], fields[3 + fees], fields[5 + fees]
        return _number(chain), _number(nonce), to, data
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BadEvidence(f"expected a transaction of type 0, 1 or 2, got {kind}") from error


@lru_cache(maxsize=4096)
def _sender(raw: bytes) -> str:
    try:
        return str(Account.recover_transaction(raw))
    except (BadSignature, ValidationError, RLPException, ValueError, TypeError) as error:
        raise BadEvidence("a transaction’s signature is not valid") from error


def _receipt(raw: bytes) -> tuple[bool, list[Any]]:
    _, fields = _typed(raw, "a receipt")
    try:
        status, _, _, logs = fields
        return bytes(status) == b"\x01", [(a, tuple(t), d) for a, t, d in logs]
    except (ValueError, TypeError) as error:
        raise BadEvidence("expected a receipt with status, gas, bloom and logs") from error


def _typed(raw: bytes, what: str) -> tuple[int, list[Any]]:
    """The type (EIP-2718; 0 for the old form) and the fields."""
    if raw[:1] and raw[0] < 0x80:
        return raw[0], _items(raw[1:], what)
    return 0, _items(raw, what)


def _items(data: bytes, what: str) -> list[Any]:
    try:
        items = rlp.decode(data, strict=True)
    except (RLPException, TypeError, ValueError) as error:
        raise BadEvidence(f"expected the RLP of {what}") from error
    if not isinstance(items, list):
        raise BadEvidence(f"expected the RLP of {what}")
    return items


def _number(data: Any) -> int:
    if not isinstance(data, bytes):
        raise BadEvidence("expected a number, got a list")
    return int.from_bytes(data, "big")
