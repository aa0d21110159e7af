"""Evidence that is collected from a chain holds without it, on every kind of chain."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from eth_account import Account

from contracts.artifact import REGISTRY
from contracts.chain import ChainEndpoint, fund
from contracts.errors import BadEvidence, NotFound
from contracts.evidence import Block, check_block, created_by, events_of, prove
from contracts.interface import interface
from contracts.ledger import Ledger
from contracts.records import Role
from contracts.rpc import Rpc
from contracts.witness import collect


@pytest.fixture
def ledger(chain: ChainEndpoint) -> Ledger:
    first, second = Account.create(), Account.create()
    fund(chain, [first.address, second.address])
    made = Ledger.deploy(chain.url, first.key, second.address)
    made.registry.register(second.address, Role.HOSPITAL, b"\4" + secrets.token_bytes(64))
    return made


@pytest.fixture
def blocks(ledger: Ledger, chain: ChainEndpoint) -> tuple[Block, ...]:
    with Rpc(chain.url) as rpc:
        return collect(rpc, {event.transaction for event in ledger.registry.history()})


def test_the_registry_s_transactions_are_proven_with_sender_and_events(
    ledger: Ledger, blocks: tuple[Block, ...]
) -> None:
    checked = [check_block(block, ledger.chain_id) for block in blocks]
    creation, registration = (block.transactions[0] for block in checked)
    assert creation.to is None
    assert created_by(creation.sender, creation.nonce) == ledger.addresses[REGISTRY]
    assert registration.sender == creation.sender == ledger.account
    assert registration.succeeded
    known = {ledger.addresses[REGISTRY]: interface(REGISTRY)}
    events = [event for block in checked for _, event in events_of(block.transactions[0], known)]
    assert events == list(ledger.registry.history())
    assert [ledger.block(block.number).hash for block in checked] == [b.hash for b in checked]


def test_another_chain_s_id_is_refused(ledger: Ledger, blocks: tuple[Block, ...]) -> None:
    with pytest.raises(BadEvidence, match="for chain"):
        check_block(blocks[0], ledger.chain_id + 1)


def test_a_proof_of_another_block_is_refused(ledger: Ledger, blocks: tuple[Block, ...]) -> None:
    first, second = blocks
    with pytest.raises(BadEvidence, match="does not lead"):
        check_block(replace(first, entries=second.entries), ledger.chain_id)


def test_a_node_too_many_is_refused(ledger: Ledger, blocks: tuple[Block, ...]) -> None:
    (entry,) = blocks[0].entries
    longer = replace(entry, transaction=(*entry.transaction, *entry.receipt))
    with pytest.raises(BadEvidence, match="does not lead"):
        check_block(replace(blocks[0], entries=(longer,)), ledger.chain_id)


def test_an_unknown_transaction_is_not_found(chain: ChainEndpoint) -> None:
    with Rpc(chain.url) as rpc, pytest.raises(NotFound):
        collect(rpc, ["0x" + "00" * 32])


def test_each_item_of_a_large_block_has_a_proof_of_its_own() -> None:
    items = [bytes([place]) * 200 for place in range(150)]
    _, proofs = prove(items, range(150))
    assert len(set(proofs)) == 150
    assert all(len(proof) > 1 for proof in proofs)
