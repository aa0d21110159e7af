"""A chain with proof of authority: three authorities sign its blocks in turn (Clique, EIP-225).

The rules are London's, the last that Clique ran with, and every block is imported as one from
another node would be: with its seal, and its signer's authority, checked. What answers over HTTP is
the embedded chain's own server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from eth.abc import SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.consensus.clique import CliqueApplier, CliqueConsensusContext
from eth.consensus.clique._utils import sign_block_header
from eth.consensus.clique.constants import NONCE_DROP, SIGNATURE_LENGTH, VANITY_LENGTH
from eth.db.atomic import AtomicDB
from eth.vm.forks.london import LondonVM
from eth_keys import keys
from werkzeug.serving import WSGIRequestHandler, make_server

from contracts.chain import ChainEndpoint
from contracts.embedded.evm import BLOCK_GAS, NOBODY, EmbeddedChain, StoreDB, _record
from contracts.embedded.methods import Methods
from contracts.embedded.server import Door
from contracts.embedded.store import Store
from tests.contracts.parties import digest

CHAIN_ID = 1337
UNSEALED = bytes(VANITY_LENGTH + SIGNATURE_LENGTH)
AUTHORITIES = sorted(
    (keys.PrivateKey(digest(f"authority {number}")) for number in range(3)),
    key=lambda one: one.public_key.to_canonical_address(),
)
# A block's difficulty when it is its signer's turn, and when it is not.
IN_TURN, OUT_OF_TURN = 2, 1
# Each block is a second older than its parent, and none may lie in the future.
SECONDS_BACK = 1_000_000


class CliqueChain(EmbeddedChain):
    """The embedded chain with other rules; a block is signed by the authority whose turn it is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.chain_id = CHAIN_ID
        rules = MiningChain.configure(
            "CliqueChain",
            vm_configuration=CliqueApplier().amend_vm_configuration(((0, LondonVM),)),
            consensus_context_class=CliqueConsensusContext,
            chain_id=CHAIN_ID,
        )
        self._chain: Any = rules.from_genesis(AtomicDB(StoreDB(store)), _genesis(), {})
        self._answered_on, self._answers = b"", {}

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """What `raw` encodes, for London."""
        return LondonVM.get_transaction_builder().decode(raw)

    def mine(self, raw: bytes) -> bytes:
        """Mine, sign, import."""
        transaction = self.decode(raw)
        self._require_minable(transaction)
        number = self.head().block_number + 1
        signer = AUTHORITIES[number % len(AUTHORITIES)]
        with self._store.transaction():
            block, receipts, computations = self.build(transaction, signer)
            result = self.accept(block)
            mined, logs = _record(raw, transaction, result, receipts[0], computations[0])
            self._store.add_mined(mined, logs)
        return mined.hash

    def build(
        self, transaction: SignedTransactionAPI, signer: keys.PrivateKey, difficulty: int = IN_TURN
    ) -> Any:
        """A block with this transaction, signed by `signer`; its receipts and computations."""
        parent = self.head()
        empty = self._chain.create_header_from_parent(
            parent,
            timestamp=parent.timestamp + 1,
            gas_limit=BLOCK_GAS,
            coinbase=NOBODY,
            difficulty=difficulty,
            nonce=NONCE_DROP,
            extra_data=UNSEALED,
        )
        # Whom the fees go to is read from the signature, so there must be one already.
        header = sign_block_header(empty, signer)
        vm = self._chain.get_vm(header)
        done, receipts, computations = vm.apply_all_transactions([transaction], header)
        block = vm.set_block_transactions_and_withdrawals(
            vm.get_block(), done, [transaction], receipts
        )
        block = vm.finalize_block(block).block
        sealed = block.copy(header=sign_block_header(block.header, signer))
        return sealed, receipts, computations

    def accept(self, block: Any) -> Any:
        """Import a block; raises eth_utils.ValidationError where a rule is broken."""
        return self._chain.import_block(block)


@contextmanager
def clique() -> Iterator[ChainEndpoint]:
    """A chain of its own with proof of authority."""
    store = Store(Path(":memory:"))
    door = Door(Methods(CliqueChain(store), store, "clique"))
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ChainEndpoint(f"http://127.0.0.1:{server.port}", CHAIN_ID, "external")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()


class _Quiet(WSGIRequestHandler):
    """Logs no request."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


def _genesis() -> dict[str, Any]:
    authorities = b"".join(one.public_key.to_canonical_address() for one in AUTHORITIES)
    # Nobody checks it, but py-evm wants to recover a signer from every header.
    seal = AUTHORITIES[0].sign_msg_hash(digest("genesis")).to_bytes()
    return {
        "gas_limit": BLOCK_GAS,
        "timestamp": int(time.time()) - SECONDS_BACK,
        "base_fee_per_gas": 0,
        "coinbase": NOBODY,
        "extra_data": bytes(VANITY_LENGTH) + authorities + seal,
        "difficulty": 1,
        "nonce": NONCE_DROP,
    }
