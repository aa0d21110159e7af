"""A node hands a model to who may have it by the ledger, now, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from eth_account import Account

from contracts.chain import ChainEndpoint
from contracts.errors import ReadOnly
from contracts.ledger import Ledger
from contracts.reader import LedgerReader
from contracts.records import Permission
from fl.errors import MessageError, StepRefused
from fl.handing_out import make_request
from fl.messages import pack, unpack
from fl.party import context_of
from tests.chains import on_all_chains
from tests.fl.protocol.federation import Federation, attempt_key

pytestmark = on_all_chains


@pytest.fixture(scope="module")
def federation(
    chain: ChainEndpoint, blank: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Federation]:
    """A finished training of two rounds."""
    made = Federation(chain, tmp_path_factory.mktemp("handing") / "federation", blank, rounds=2)
    assert made.run().finished
    yield made
    made.close()


@pytest.fixture
def outsider(federation: Federation) -> Iterator[Ledger]:
    """Somebody with an account and no permission."""
    ledger = Ledger(federation.ledger.rpc_url, federation.ledger.contract, Account.create().key)
    yield ledger
    ledger.close()


def request_by(ledger: Ledger, node: str, result: bytes, number: int = 1) -> bytes:
    context = context_of(ledger, attempt_key(number))
    return make_request(ledger, context, node, sha256(result).digest())


def test_a_node_serves_no_result_of_another_attempt(federation: Federation) -> None:
    question = request_by(federation.ledger, "Node 1", federation.result(attempt_key()))
    with pytest.raises(StepRefused, match="did not sign this request"):
        federation.node("Node 1").ask("serve", attempt_key(2), question)
    earlier = request_by(federation.ledger, "Node 1", federation.result(attempt_key()), 2)
    with pytest.raises(StepRefused, match="nothing that this attempt did not finalise"):
        federation.node("Node 1").ask("serve", attempt_key(2), earlier)


def test_a_model_is_handed_to_who_holds_downloader_and_no_longer_after_it_is_revoked(
    federation: Federation, outsider: Ledger
) -> None:
    result, registry = federation.result(attempt_key()), federation.ledger.registry
    question = request_by(outsider, "Node 1", result)
    node = federation.node("Node 1")
    with pytest.raises(StepRefused, match="does not hold DOWNLOADER"):
        node.ask("serve", attempt_key(), question)
    assert outsider.account is not None
    # Submitting is another permission.
    registry.grant(Permission.SUBMITTER, outsider.account)
    with pytest.raises(StepRefused, match="does not hold DOWNLOADER"):
        node.ask("serve", attempt_key(), question)
    registry.grant(Permission.DOWNLOADER, outsider.account)
    assert node.ask("serve", attempt_key(), question) == pack(result)
    registry.revoke(Permission.DOWNLOADER, outsider.account)
    with pytest.raises(StepRefused, match="does not hold DOWNLOADER"):
        node.ask("serve", attempt_key(), question)


def test_a_hospital_is_handed_a_model_until_it_loses_the_permission(
    federation: Federation,
) -> None:
    result, ledger = federation.result(attempt_key()), federation.ledger_of("Hungary")
    question = request_by(ledger, "Node 2", result)
    assert federation.node("Node 2").ask("serve", attempt_key(), question) == pack(result)
    assert ledger.account is not None
    federation.ledger.registry.revoke(Permission.DOWNLOADER, ledger.account)
    with pytest.raises(StepRefused, match="does not hold DOWNLOADER"):
        federation.node("Node 2").ask("serve", attempt_key(), question)
    federation.ledger.registry.grant(Permission.DOWNLOADER, ledger.account)


def test_a_request_counts_for_its_signer_its_node_and_its_hash_only(
    federation: Federation, outsider: Ledger
) -> None:
    result, node = federation.result(attempt_key()), federation.node("Node 1")
    own = request_by(federation.ledger, "Node 1", result)
    digest, account, signature = unpack(own, bytes, str, bytes)
    foreign = unpack(request_by(outsider, "Node 1", result), bytes, str, bytes)
    other = federation.result(attempt_key(2))
    for message in (
        request_by(federation.ledger, "Node 2", result),
        pack(digest, account, foreign[2]),
        pack(digest, foreign[1], signature),
        pack(sha256(other).digest(), account, signature),
        pack(digest, f"0x{account[2:].swapcase()}", signature),
        pack(digest, account, signature[:-1]),
        pack(digest, account, bytes(65)),
    ):
        with pytest.raises(StepRefused, match="did not sign this request"):
            node.ask("serve", attempt_key(), message)
    with pytest.raises(MessageError):
        node.ask("serve", attempt_key(), pack(digest))


def test_who_only_reads_the_chain_makes_no_request(federation: Federation) -> None:
    reader = LedgerReader(federation.ledger.rpc_url, federation.ledger.contract)
    with pytest.raises(ReadOnly):
        reader.sign(b"")
    reader.close()
