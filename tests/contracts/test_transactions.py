"""A transaction is told with its sender, its function, its arguments, and what became of it."""

from __future__ import annotations

from contracts.records import AttemptState, Role
from tests.contracts.parties import Federation, point


def test_a_call_is_told_with_its_arguments_by_name(parties: Federation) -> None:
    account = parties.hospitals[0].account
    receipt = parties.coordinator.registry.register(account, Role.HOSPITAL, point("a"))
    record = parties.coordinator.transaction(receipt.transaction)
    assert (record.block, record.gas) == (receipt.block, receipt.gas)
    assert record.block_hash == parties.coordinator.block(receipt.block).hash
    assert (record.sender, record.recipient) == (
        parties.coordinator.account,
        parties.coordinator.registry.contract,
    )
    assert record.succeeded
    assert record.function == "register"
    assert dict(record.arguments) == {
        "account": account,
        "role": Role.HOSPITAL,
        "public_key": point("a"),
    }


def test_structs_are_told_by_the_names_of_their_fields(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.AGREED)
    agreed = federation.agreed_set(key)
    receipt = federation.coordinator.publish_set(key, agreed)
    arguments = federation.coordinator.transaction(receipt.transaction).arguments
    assert arguments["key"] == {"training": key.training, "round": 0, "attempt": 1}
    passed = arguments["set"]
    assert passed["submissions_root"] == agreed.submissions_root
    assert passed["accepted"] == agreed.accepted
    assert passed["disputes"] == ()


def test_an_event_tells_its_contract_and_block(parties: Federation) -> None:
    registry = parties.coordinator.registry
    receipt = registry.register(str(parties.nodes[0].account), Role.NODE, point("a"))
    (event,) = parties.coordinator.events(from_block=receipt.block)
    assert event.contract == registry.contract
    assert event.block_hash == parties.coordinator.block(receipt.block).hash


def test_a_foreign_transaction_is_told_without_a_function(federation: Federation) -> None:
    (created,) = [
        one
        for number in range(federation.coordinator.head().number + 1)
        if (one := _creation(federation, number)) is not None
    ][-1:]
    record = federation.coordinator.transaction(created)
    assert (record.function, dict(record.arguments), record.recipient) == (None, {}, None)


def _creation(federation: Federation, number: int) -> str | None:
    block = federation.coordinator._rpc.call("eth_getBlockByNumber", hex(number), True)
    return next((one["hash"] for one in block["transactions"] if one["to"] is None), None)
