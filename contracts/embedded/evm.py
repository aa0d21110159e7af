"""The chain itself: py-evm's Paris rules on the store, one block a transaction.

What differs from a public chain: there is one writer and no proof; gas costs nothing (base fee 0,
which stays 0 because no transaction may use more than half of a block); a block may carry its
parent's timestamp, so that several blocks a second do not push time into the future.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from eth.abc import BlockHeaderAPI, ComputationAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.exceptions import VMError
from eth.vm.forks.paris import ParisVM
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from contracts.embedded.store import Log, Mined, Store

BLOCK_GAS = 60_000_000
# EIP-1559 raises the base fee after a block that used more than half of its gas.
TRANSACTION_GAS = BLOCK_GAS // 2
NOBODY = Address(bytes(20))


class TransactionRefused(Exception):
    """The transaction cannot be mined: wrong chain, nonce, signature, gas, or funds."""


class Reverted(Exception):
    """A call was reverted; `data` is what the contract returned."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"execution reverted with {len(data)} bytes")
        self.data = data


class ExecutionFailed(Exception):
    """A call failed without the contract's doing: out of gas, bad instruction."""


class WrongGenesis(Exception):
    """The database holds another chain than the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes nothing; addresses have 20 bytes."""

    sender: bytes
    to: bytes
    data: bytes
    value: int
    gas: int


class LoopbackVM(ParisVM):
    """Paris, where a block may be as old as its parent."""

    @classmethod
    def validate_header(cls, header: BlockHeaderAPI, parent_header: BlockHeaderAPI) -> None:
        """Validate as Paris does, with `>=` in place of `>` for the timestamp."""
        if header.timestamp == parent_header.timestamp:
            parent_header = parent_header.copy(timestamp=header.timestamp - 1)
        super().validate_header(header, parent_header)


class StoreDB(BaseDB):
    """The store as py-evm's mapping of bytes to bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: bytes) -> bytes:
        value = self._store.find_node(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._store.put_node(key, value)

    def __delitem__(self, key: bytes) -> None:
        self._store.remove_node(key)

    def _exists(self, key: bytes) -> bool:
        return self._store.find_node(key) is not None


class EmbeddedChain:
    """The chain on `store`, created with `chain_id` if the store is empty.

    Raises:
        WrongGenesis: the store holds a chain of another id.
    """

    def __init__(self, store: Store, chain_id: int) -> None:
        self._store = store
        self.chain_id = chain_id
        rules = MiningChain.configure(
            "LoopbackChain", vm_configuration=((0, LoopbackVM),), chain_id=chain_id
        )
        database = AtomicDB(StoreDB(store))
        kept = store.find_property("chain_id")
        if kept is None:
            with store.transaction():
                store.put_property("chain_id", chain_id)
                rules.from_genesis(database, _genesis(), {})
        elif kept != chain_id:
            raise WrongGenesis(f"expected chain id {chain_id}, the database holds {kept}")
        self._chain: Any = rules(database)
        # What calls on one block returned: views are asked again and again between two blocks.
        self._answered_on = b""
        self._answers: dict[Call, bytes] = {}

    def head(self) -> BlockHeaderAPI:
        """Return the last block's header."""
        header: BlockHeaderAPI = self._chain.get_canonical_head()
        return header

    def header(self, number: int) -> BlockHeaderAPI:
        """Return a block's header.

        Raises:
            eth.exceptions.HeaderNotFound: there is no such block.
        """
        header: BlockHeaderAPI = self._chain.get_canonical_block_header_by_number(
            BlockNumber(number)
        )
        return header

    def header_of(self, block_hash: bytes) -> BlockHeaderAPI:
        """Return the header of that hash.

        Raises:
            eth.exceptions.HeaderNotFound: there is no such block.
        """
        header: BlockHeaderAPI = self._chain.get_block_header_by_hash(block_hash)
        return header

    def state(self, header: BlockHeaderAPI) -> Any:
        """Return py-evm's state after the block of `header`."""
        return self._chain.get_vm(header).state

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Return the transaction that `raw` encodes.

        Raises:
            TransactionRefused: it encodes none.
        """
        builder = LoopbackVM.get_transaction_builder()
        try:
            return builder.decode(raw)
        except (RLPException, ValidationError, ValueError, TypeError, IndexError) as error:
            raise TransactionRefused(f"expected an encoded transaction: {error}") from error

    def mine(self, raw: bytes) -> bytes:
        """Mine `raw` in a block of its own, commit, and return its hash.

        Raises:
            TransactionRefused: it cannot be mined; nothing was written.
        """
        transaction = self.decode(raw)
        self._require_minable(transaction)
        now = max(int(time.time()), self.head().timestamp)
        chain = self._chain
        chain.header = chain.header.copy(timestamp=now, gas_limit=BLOCK_GAS)
        try:
            with self._store.transaction():
                result, receipts, computations = chain.mine_all([transaction])
                mined, logs = _record(raw, transaction, result, receipts[0], computations[0])
                self._store.add_mined(mined, logs)
        except ValidationError as error:
            chain.header = chain.ensure_header()
            raise TransactionRefused(str(error)) from error
        except BaseException:
            chain.header = chain.ensure_header()
            raise
        return mined.hash

    def call(self, call: Call, header: BlockHeaderAPI) -> bytes:
        """Run `call` on the state after `header` and return what it returned.

        Raises:
            Reverted: the contract refused.
            ExecutionFailed: it ran out of gas or off the road.
        """
        if header.hash != self._answered_on:
            self._answered_on, self._answers = header.hash, {}
        if call not in self._answers:
            self._answers[call] = self._run(call, header)
        return self._answers[call]

    def call_next(self, call: Call) -> bytes:
        """Run `call` as the next block's transaction would run; raises as `call` does.

        Its number is the head's plus one, which decides where a step has a deadline in blocks.
        """
        head = self.head()
        now = max(int(time.time()), head.timestamp)
        header = self._chain.create_header_from_parent(head, timestamp=now, gas_limit=BLOCK_GAS)
        return self._run(call, header)

    def _run(self, call: Call, header: BlockHeaderAPI) -> bytes:
        vm = self._chain.get_vm(header)
        computation = vm.execute_bytecode(
            origin=call.sender,
            gas_price=0,
            gas=call.gas,
            to=call.to,
            sender=call.sender,
            value=call.value,
            data=call.data,
            code=vm.state.get_code(call.to),
        )
        return _output(computation)

    def estimate(self, call: Call) -> int:
        """Return the gas that `call` needs as a transaction on the head; raises as `call` does."""
        unsigned = self._chain.create_unsigned_transaction(
            nonce=self.state(self.head()).get_nonce(call.sender),
            gas_price=0,
            gas=min(call.gas, TRANSACTION_GAS),
            to=call.to or CREATE_CONTRACT_ADDRESS,
            value=call.value,
            data=call.data,
        )
        spoofed = SpoofTransaction(unsigned, from_=call.sender)
        with self._chain.get_vm(self.head()).in_costless_state() as state:
            _output(state.costless_execute_transaction(spoofed))
        try:
            return int(self._chain.estimate_gas(spoofed, self.head()))
        except VMError as error:
            raise ExecutionFailed(str(error)) from error

    def _require_minable(self, transaction: SignedTransactionAPI) -> None:
        # py-evm runs a transaction that was signed for another chain, or for none.
        if transaction.chain_id != self.chain_id:
            raise TransactionRefused(
                f"expected a signature for chain id {self.chain_id}, got {transaction.chain_id}"
            )
        if transaction.gas > TRANSACTION_GAS:
            raise TransactionRefused(
                f"too much gas: expected at most {TRANSACTION_GAS}, got {transaction.gas}"
            )
        try:
            sender = transaction.sender
        except Exception as error:  # eth-keys raises several kinds for a bad signature
            raise TransactionRefused(f"invalid signature: {error}") from error
        expected = self.state(self.head()).get_nonce(sender)
        if transaction.nonce != expected:
            word = "low" if transaction.nonce < expected else "high"
            raise TransactionRefused(
                f"nonce too {word}: expected {expected}, got {transaction.nonce}"
            )


def _genesis() -> dict[str, Any]:
    return {
        "gas_limit": BLOCK_GAS,
        "timestamp": int(time.time()),
        "base_fee_per_gas": 0,
        "coinbase": NOBODY,
        # So that no two chains are taken for one another, not even two of the same second.
        "extra_data": secrets.token_bytes(32),
        "difficulty": 0,
    }


def _output(computation: ComputationAPI) -> bytes:
    if computation.is_success:
        return computation.output
    error = computation.error
    if type(error).__name__ == "Revert":
        raise Reverted(computation.output)
    raise ExecutionFailed(f"{type(error).__name__}: {error}")


def _record(
    raw: bytes, transaction: Any, result: Any, receipt: Any, computation: ComputationAPI
) -> tuple[Mined, list[Log]]:
    block = result.imported_block.number
    created = computation.msg.storage_address if computation.msg.is_create else None
    mined = Mined(
        hash=transaction.hash,
        block=block,
        raw=raw,
        sender=transaction.sender,
        recipient=transaction.to or None,
        contract=created if computation.is_success else None,
        status=int(computation.is_success),
        gas_used=receipt.gas_used,
    )
    logs = [
        Log(block, place, one.address, tuple(_word(topic) for topic in one.topics), one.data)
        for place, one in enumerate(receipt.logs)
    ]
    return mined, logs


def _word(topic: int) -> bytes:
    return topic.to_bytes(32, "big")
