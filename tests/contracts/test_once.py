"""A transaction that is sent again after a crash has its effect once, and its receipt for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account

from contracts.errors import ReadOnly, RpcFailed, WrongChain
from contracts.ledger import (
    AttemptState,
    Ledger,
    Policy,
    Receipt,
    Role,
    nonce_commitment,
    set_digest,
)
from contracts.rpc import Rpc
from tests.contracts.parties import Federation, digest, point, private_key, refusal

pytestmark = pytest.mark.slow


def calls(federation: Federation) -> list[Callable[[], Receipt]]:
    """Every kind of transaction once, in an order in which each is possible."""
    key, one, two = federation.key(), federation.coordinator, federation.key(1)
    nodes, hospitals = federation.nodes, federation.hospitals
    accounts = [ledger.account for ledger in hospitals], [ledger.account for ledger in nodes]
    result: list[Callable[[], Receipt]] = []
    for role, ledgers in ((Role.HOSPITAL, hospitals), (Role.NODE, nodes)):
        result += [
            lambda a=ledger.account, r=role: one.registry.register(a, r, point(a))
            for ledger in ledgers
        ]
    for admin in (one, federation.deputy):
        result += [
            lambda a=admin: a.registry.set_nodes(accounts[1]),
            lambda a=admin: a.registry.set_policy("heart", Policy(faults=1)),
        ]
    result += [
        lambda: one.open_training(
            federation.training, "heart", federation.config, federation.model, *accounts, 1
        ),
        lambda: one.open_attempt(key, federation.model),
    ]
    for node in nodes:
        commitment = nonce_commitment(key, node.account, federation.nonce(key, node))
        result.append(lambda n=node, c=commitment: n.join(key, c, point(n.account)))
    result.append(lambda: one.call_for_submissions(key))
    for hospital in hospitals:
        result.append(lambda h=hospital: h.submit(key, digest("r"), digest("u"), 5))
    result.append(lambda: one.close_submissions(key))
    for node in nodes:
        result.append(lambda n=node: n.reveal(key, federation.nonce(key, n)))
    result.append(lambda: one.close_reveals(key))
    for node in nodes:
        result.append(
            lambda n=node: n.agree(key, set_digest(key, federation.agreed_set(key)), True)
        )
    result.append(lambda: nodes[0].publish_set(key, federation.agreed_set(key)))
    for node in nodes:
        result.append(lambda n=node: n.vote(key, digest("result")))
    result += [
        lambda: one.open_attempt(two, federation.model),
        lambda: one.fail(two, "given up"),
        lambda: one.end_training(federation.training, "enough"),
    ]
    return result


def test_every_transaction_has_its_effect_once(parties: Federation) -> None:
    receipts = []
    for call in calls(parties):
        first = call()
        count = len(list(parties.coordinator.events()))
        assert call() == first
        assert len(list(parties.coordinator.events())) == count
        receipts.append(first)
    # Much later, and from a client that knows nothing of the first time, too.
    again = Federation.__new__(Federation)
    again.__dict__.update(parties.__dict__)
    again.coordinator = parties.ledger(0)
    last = parties.coordinator.head().number
    assert [call() for call in calls(again)] == receipts
    assert parties.coordinator.head().number == last
    again.coordinator.close()


def test_stranger_is_not_handed_the_coordinators_receipt(federation: Federation) -> None:
    federation.advance(federation.key(), AttemptState.SUBMITTING)
    problem = refusal(federation.stranger.call_for_submissions, federation.key())
    assert problem.reason == "NotCoordinator"


def test_two_clients_of_one_account_do_not_lose_a_transaction(federation: Federation) -> None:
    other = federation.ledger(0)
    extra = [digest(f"training {i}") for i in range(4)]
    members = (
        [one.account for one in federation.hospitals],
        [one.account for one in federation.nodes],
    )
    for i, training in enumerate(extra):
        client = (federation.coordinator, other)[i % 2]
        client.open_training(training, "heart", federation.config, federation.model, *members, 1)
    assert [other.training(one).state for one in extra] == [1] * 4
    other.close()


def signed(federation: Federation, index: int, **changes: Any) -> str:
    ledger = federation.ledger(index)
    with Rpc(federation.url) as rpc:
        nonce = int(rpc.call("eth_getTransactionCount", ledger.account, "latest"), 16)
        price = int(rpc.call("eth_gasPrice"), 16)
    data = ledger._interface.call_data(
        "submit",
        ((federation.training, 0, 1), ledger.account, digest("r"), digest("u"), 9),
    )
    fields = {
        "to": ledger.contract,
        "data": data,
        "nonce": nonce,
        "gas": 1_000_000,
        "gasPrice": price,
        "value": 0,
        "chainId": ledger.chain_id,
    }
    ledger.close()
    fields.update(changes)
    if fields["chainId"] is None:
        del fields["chainId"]
    transaction = Account.from_key(private_key(index)).sign_transaction(fields)
    return "0x" + transaction.raw_transaction.hex().removeprefix("0x")


def await_dropped(federation: Federation, account: str) -> None:
    """Wait until nothing of the account waits to be mined, for the tests that follow."""
    end = time.monotonic() + 60
    with Rpc(federation.url) as rpc:
        while len({count(rpc, account, block) for block in ("latest", "pending")}) > 1:
            assert time.monotonic() < end, "a transaction that cannot be mined stays in the pool"
            time.sleep(0.05)


def count(rpc: Rpc, account: str, block: str) -> int:
    return int(rpc.call("eth_getTransactionCount", account, block), 16)


def test_signed_transaction_is_not_replayed(federation: Federation) -> None:
    federation.advance(federation.key(), AttemptState.SUBMITTING)
    raw = signed(federation, 2)
    with Rpc(federation.url) as rpc:
        # Anvil answers before the block is made.
        federation.coordinator._sender._delivery.receipt(rpc.call("eth_sendRawTransaction", raw))
        with pytest.raises(RpcFailed):
            rpc.call("eth_sendRawTransaction", raw)
    assert federation.coordinator.attempt(federation.key()).submitted == 1


@pytest.mark.parametrize("chain_id", [1, 1338])
def test_signature_for_another_chain_has_no_effect(federation: Federation, chain_id: int) -> None:
    federation.advance(federation.key(), AttemptState.SUBMITTING)
    goes_on = federation.hospitals[0]
    with Rpc(federation.url) as rpc:
        try:
            sent = rpc.call("eth_sendRawTransaction", signed(federation, 2, chainId=chain_id))
        except RpcFailed:
            pass
        else:
            # Anvil answers with a hash and drops the transaction.
            assert rpc.call("web3_clientVersion").startswith("anvil/")
            assert rpc.call("eth_getTransactionReceipt", sent) is None
            # While it lies in the pool the account's next number is taken.
            goes_on = federation.hospitals[1]
    assert federation.coordinator.attempt(federation.key()).submitted == 0
    federation.submit(federation.key(), goes_on)
    assert federation.coordinator.attempt(federation.key()).submitted == 1
    await_dropped(federation, str(federation.hospitals[0].account))


def test_address_without_the_contract_is_no_ledger(parties: Federation) -> None:
    with pytest.raises(WrongChain, match="the federation's contract"):
        Ledger(parties.url, parties.stranger.account or "")


def test_ledger_without_a_key_only_reads(federation: Federation) -> None:
    reader = Ledger(federation.url, federation.coordinator.contract)
    assert reader.account is None
    assert reader.training(federation.training).quorum == 3
    with pytest.raises(ReadOnly):
        reader.end_training(federation.training, "")
    reader.close()


def test_events_are_paged_without_loss(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.advance(federation.key(), AttemptState.FINALISED)
    whole = list(federation.coordinator.events())
    monkeypatch.setattr("contracts.reader.PAGE", 3)
    assert list(federation.coordinator.events()) == whole
    places = [(one.block, one.index) for one in whole]
    assert places == sorted(set(places))
    first, last = whole[5].block, whole[-5].block
    part = list(federation.coordinator.events(from_block=first, to_block=last))
    assert part == [one for one in whole if first <= one.block <= last]


def test_events_of_one_training_only(federation: Federation) -> None:
    federation.advance(federation.key(), AttemptState.OPENED)
    assert list(federation.coordinator.events(digest("another"))) == []
    own = list(federation.coordinator.events(federation.training))
    assert [one.name for one in own] == ["TrainingOpened", "AttemptAdvanced"]
    assert [one.key for one in own] == [None, federation.key()]


def test_blocks_name_their_parents(federation: Federation) -> None:
    head = federation.coordinator.head()
    for number in range(head.number, max(head.number - 5, 0), -1):
        block = federation.coordinator.block(number)
        parent = federation.coordinator.block(number - 1)
        assert (block.number, block.parent) == (number, parent.hash)
        assert block.timestamp >= parent.timestamp
