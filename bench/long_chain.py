"""Embedded chains of a chosen length, made without a server so that they are there in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts.artifact import load_artifact
from contracts.chain import CHAIN_ID, DATABASE
from contracts.course import course_key
from contracts.embedded.evm import EmbeddedChain
from contracts.embedded.store import Store
from contracts.interface import federation
from contracts.ledger import Ledger
from contracts.records import Receipt, Role
from contracts.rpc import Rpc
from contracts.sender import GAS

LEAD = course_key("coordinator")


def build(folder: Path, blocks: int) -> str:
    """Make a chain of so many blocks in `folder`: a contract, then a registration a block.

    Returns the contract's address.
    """
    folder.mkdir(parents=True)
    store = Store(folder / DATABASE)
    try:
        chain = EmbeddedChain(store, CHAIN_ID)
        created = store.find_mined(chain.mine(_signed(0, {"data": load_artifact().bytecode})))
        assert created is not None and created.contract is not None
        contract = to_checksum_address(created.contract)
        for number in range(1, blocks):
            call = federation().call_data("register", _party(number))
            mined = store.find_mined(chain.mine(_signed(number, {"to": contract, "data": call})))
            assert mined is not None and mined.status == 1
    finally:
        store.close()
    return contract


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
            yield ledger.register(*_party(number))
            number += 1
    finally:
        ledger.close()


def _party(number: int) -> tuple[str, Role, bytes]:
    digest = sha256(f"party {number}".encode()).digest()
    return to_checksum_address(digest[:20]), Role.HOSPITAL, b"\x04" + digest + digest


def _signed(nonce: int, fields: dict[str, object]) -> bytes:
    common = {"nonce": nonce, "gas": GAS, "gasPrice": 0, "value": 0, "chainId": CHAIN_ID}
    return bytes(Account.from_key(LEAD).sign_transaction({**common, **fields}).raw_transaction)
