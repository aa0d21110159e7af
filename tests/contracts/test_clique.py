"""Proof of authority: headers carry their signer's seal, and all that is ours bears with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import rlp  # type: ignore[import-untyped]
from eth.consensus.clique._utils import get_block_signer
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth_account import Account
from eth_keys import keys
from eth_utils.exceptions import ValidationError
from web3 import HTTPProvider, Web3
from web3.exceptions import ExtraDataLengthError
from web3.middleware import ExtraDataToPOAMiddleware

from contracts.chain import ChainEndpoint
from contracts.embedded.store import Store
from contracts.errors import BadEvidence
from contracts.evidence import check_block
from contracts.ledger import AttemptState
from contracts.rpc import Rpc
from contracts.witness import collect
from tests.contracts.clique import (
    AUTHORITIES,
    CHAIN_ID,
    IN_TURN,
    OUT_OF_TURN,
    UNSEALED,
    CliqueChain,
)
from tests.contracts.parties import Federation, digest, private_key


@pytest.fixture
def chain(clique_chain: ChainEndpoint) -> ChainEndpoint:
    return clique_chain


def test_a_whole_round_runs(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.FINALISED)
    ledger = federation.coordinator
    assert ledger.attempt(key).state is AttemptState.FINALISED
    assert ledger.training(federation.training).statistics == digest(f"result {key}")
    head = ledger.head()
    assert ledger.find_block(head.hash) == head
    assert ledger.block(head.number - 1).hash == head.parent


def test_web3_needs_its_middleware_and_our_client_needs_none(federation: Federation) -> None:
    plain = Web3(HTTPProvider(federation.url))
    with pytest.raises(ExtraDataLengthError):
        plain.eth.get_block("latest")
    fitted = Web3(HTTPProvider(federation.url))
    fitted.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    block = fitted.eth.get_block("latest")
    assert len(block["proofOfAuthorityData"]) == len(UNSEALED)
    assert bytes(block["hash"]) == federation.coordinator.head().hash


def test_evidence_holds_the_headers_as_they_were_signed(federation: Federation) -> None:
    wanted = {event.transaction for event in federation.coordinator.registry.history()}
    with Rpc(federation.url) as rpc:
        blocks = collect(rpc, wanted)
    checked = [check_block(block, CHAIN_ID) for block in blocks]
    assert {one.hash for block in checked for one in block.transactions} == {
        bytes.fromhex(one[2:]) for one in wanted
    }
    assert [block.hash for block in checked] == [
        federation.coordinator.block(block.number).hash for block in checked
    ]
    signers = [get_block_signer(rlp.decode(block.header, LondonBlockHeader)) for block in blocks]
    turns = [AUTHORITIES[block.number % 3].public_key for block in checked]
    assert signers == [one.to_canonical_address() for one in turns]
    assert len(set(signers)) == 3


def test_a_header_with_another_seal_is_no_evidence(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted, *_) = (event.transaction for event in federation.coordinator.registry.history())
    answer = Rpc.call

    def forged(rpc: Rpc, method: str, *params: object) -> object:
        found = answer(rpc, method, *params)
        if method == "eth_getBlockByNumber":
            found["extraData"] = "0x" + UNSEALED.hex()
        return found

    monkeypatch.setattr(Rpc, "call", forged)
    with Rpc(federation.url) as rpc, pytest.raises(BadEvidence, match="the header of block"):
        collect(rpc, [wanted])


@pytest.mark.parametrize(
    ("signer", "difficulty", "problem"),
    [
        (keys.PrivateKey(digest("no authority")), OUT_OF_TURN, "not in"),
        (AUTHORITIES[0], IN_TURN, "Expected difficulty"),
    ],
)
def test_the_chain_takes_blocks_of_the_authority_in_turn_only(
    tmp_path: Path, signer: keys.PrivateKey, difficulty: int, problem: str
) -> None:
    """So that what the other tests run on is proof of authority indeed."""
    store = Store(tmp_path / "chain.db")
    chain = CliqueChain(store)
    fields = {"to": "0x" + "11" * 20, "value": 0, "gas": 21_000, "gasPrice": 0}
    fields |= {"nonce": 0, "chainId": CHAIN_ID}
    raw = Account.from_key(private_key(0)).sign_transaction(fields).raw_transaction
    block, *_ = chain.build(chain.decode(bytes(raw)), signer, difficulty)
    with pytest.raises(ValidationError, match=problem):
        chain.accept(block)
    chain.mine(bytes(raw))
    assert chain.head().block_number == 1
    store.close()
