"""What a transaction costs on an embedded chain of a chosen length.

Chains are made without a server, so that they are there in minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts.artifact import ANCHORS, APPEALS, FEDERATION, MODELS, RECORDS, REGISTRY
from contracts.chain import CHAIN_ID, DATABASE, connect
from contracts.course import DEPUTY, course_account, course_key
from contracts.embedded.evm import EmbeddedChain
from contracts.embedded.store import Store
from contracts.interface import interface
from contracts.ledger import Ledger, creation_code
from contracts.records import Receipt, Role
from contracts.rpc import Rpc
from contracts.sender import GAS

LEAD = course_key("coordinator")
# The length that a long chain is compared with, in blocks.
SHORT = 10


def length(blocks: int, turns: int) -> dict[str, Any]:
    """What a transaction costs on a long embedded chain over what it costs on a short one."""
    taken: dict[int, list[float]] = {SHORT: [], blocks: []}
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        registering = {}
        for count in taken:
            folder = Path(root) / str(count)
            contract = build(folder, count)
            endpoint = stack.enter_context(connect(folder))
            assert blocks_of(endpoint.url) == count
            registering[count] = registrations(endpoint.url, contract, count)
        for _ in range(turns):
            for count, register in registering.items():
                start = time.perf_counter()
                next(register)
                taken[count].append(time.perf_counter() - start)
    short, long = (median(taken[count]) for count in (SHORT, blocks))
    return {
        "blocks": [SHORT, blocks],
        "n": turns,
        "median_ms": [1000 * short, 1000 * long],
        "ratio": long / short,
    }


def build(folder: Path, blocks: int) -> str:
    """Make a chain of so many blocks in `folder`: the contracts, then a registration a block.

    Returns the address of the federation's contract.
    """
    folder.mkdir(parents=True)
    store = Store(folder / DATABASE)
    try:
        chain = EmbeddedChain(store, CHAIN_ID)

        def mine(nonce: int, fields: dict[str, object]) -> str | None:
            mined = store.find_mined(chain.mine(_signed(nonce, fields)))
            assert mined is not None and mined.status == 1
            return to_checksum_address(mined.contract) if mined.contract else None

        def create(nonce: int, contract: str, *addresses: str | None) -> str | None:
            return mine(nonce, {"data": creation_code(contract, *map(str, addresses))})

        lead = Account.from_key(LEAD).address
        registry = create(0, REGISTRY, lead, course_account(DEPUTY))
        anchors, records = create(1, ANCHORS, registry), create(2, RECORDS, registry)
        models, appeals = create(3, MODELS, registry), create(4, APPEALS, registry)
        federation = create(5, FEDERATION, registry, anchors, records, models, appeals)
        for number in range(6, blocks):
            call = interface(REGISTRY).call_data("register", _party(number))
            mine(number, {"to": registry, "data": call})
    finally:
        store.close()
    return str(federation)


def blocks_of(url: str) -> int:
    """How many blocks follow the first one of the chain at `url`."""
    with Rpc(url) as rpc:
        return int(rpc.call("eth_blockNumber"), 16)


def registrations(url: str, contract: str, first: int) -> Iterator[Receipt]:
    """Register one party more with each `next`, beginning with number `first`."""
    ledger = Ledger(url, contract, LEAD)
    try:
        number = first
        while True:
            yield ledger.registry.register(*_party(number))
            number += 1
    finally:
        ledger.close()


def _party(number: int) -> tuple[str, Role, bytes]:
    digest = sha256(f"party {number}".encode()).digest()
    return to_checksum_address(digest[:20]), Role.HOSPITAL, b"\x04" + digest + digest


def _signed(nonce: int, fields: dict[str, object]) -> bytes:
    common = {"nonce": nonce, "gas": GAS, "gasPrice": 0, "value": 0, "chainId": CHAIN_ID}
    return bytes(Account.from_key(LEAD).sign_transaction({**common, **fields}).raw_transaction)
