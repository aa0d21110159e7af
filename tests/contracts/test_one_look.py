"""Views at one look: each is asked for once, until something is sent or the look is over."""

from __future__ import annotations

from typing import Any

import pytest
from requests.exceptions import ConnectionError
from web3 import HTTPProvider

from contracts.errors import ChainUnreachable, NotFound
from contracts.ledger import Ledger
from contracts.records import AttemptKey, AttemptState
from contracts.rpc import Rpc
from tests.contracts.parties import Federation, digest


def read_all(ledger: Ledger, key: AttemptKey) -> list[Any]:
    return [
        ledger.training(key.training),
        ledger.attempt(key),
        ledger.submissions(key),
        ledger.joins(key),
        ledger.round(key.training, key.round),
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the chain is asked for, in its order."""
    methods: list[str] = []
    call = Rpc.call

    def listen(rpc: Rpc, method: str, *params: Any) -> Any:
        methods.append(method)
        return call(rpc, method, *params)

    monkeypatch.setattr(Rpc, "call", listen)
    return methods


def test_a_view_is_asked_for_once_at_one_look(federation: Federation, asked: list[str]) -> None:
    ledger = federation.nodes[0]
    with ledger.at_one_look():
        first = ledger.training(federation.training)
        assert ledger.training(federation.training) == first
        assert ledger.registry.policy("heart") == ledger.registry.policy("heart")
    assert asked == ["eth_call"] * 2
    assert ledger.training(federation.training) == first
    assert len(asked) == 3


def test_an_attempt_is_asked_for_in_one_request(federation: Federation, asked: list[str]) -> None:
    key, ledger = federation.key(), federation.nodes[0]
    federation.coordinator.open_attempt(key, federation.model)
    federation.join(key, federation.nodes[1])
    alone = read_all(ledger, key)
    asked.clear()
    with ledger.at_one_look():
        ledger.look_at(key, key.round)
        assert read_all(ledger, key) == alone
        assert asked == []
        federation.join(key, ledger)
        assert len(ledger.joins(key)) == 2, "what oneself sends shows"
    asked.clear()
    ledger.look_at(key, key.round)
    assert read_all(ledger, key) != alone, "outside of a look nothing is kept"
    assert len(asked) == len(alone)


def test_what_is_not_there_is_not_there_in_one_request_either(federation: Federation) -> None:
    key, ledger = federation.key(), federation.nodes[0]
    with ledger.at_one_look():
        ledger.look_at(key, key.round)
        assert ledger.round(key.training, key.round).attempts == 0
        assert ledger.joins(key) == ()
        with pytest.raises(NotFound):
            ledger.attempt(key)


def test_seats_are_asked_for_until_the_attempt_is_finalised(
    federation: Federation, asked: list[str]
) -> None:
    key, ledger = federation.key(), federation.nodes[0]
    federation.advance(key, AttemptState.VOTING)
    assert [join.vote for join in ledger.final_joins(key)] == [None] * len(federation.nodes)
    for node in federation.nodes:
        node.vote(key, digest("statistics"))
    final = ledger.final_joins(key)
    assert final == federation.coordinator.joins(key)
    assert all(join.vote for join in final)
    asked.clear()
    assert ledger.final_joins(key) == final
    assert asked == []


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32600}},
        [],
        ["0x"] * 5,
        [{"result": "0x"}] * 5,
        [{"id": number, "error": {}} for number in range(5)],
        [{"id": number, "result": None} for number in range(5)],
    ],
    ids=["refused", "nothing", "other items", "without numbers", "errors", "no results"],
)
def test_a_chain_that_takes_no_batches_is_asked_one_by_one(
    federation: Federation, asked: list[str], monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    key, ledger = federation.key(), federation.nodes[0]
    federation.coordinator.open_attempt(key, federation.model)
    alone = read_all(ledger, key)
    asked.clear()
    monkeypatch.setattr(HTTPProvider, "make_batch_request", lambda *_: answer)
    with ledger.at_one_look():
        ledger.look_at(key, key.round)
        assert read_all(ledger, key) == alone
    assert len(asked) == len(alone)


def test_a_chain_that_is_gone_is_named_in_one_request_too(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(HTTPProvider, "make_batch_request", gone)
    ledger = federation.nodes[0]
    with ledger.at_one_look(), pytest.raises(ChainUnreachable):
        ledger.look_at(federation.key())


def test_a_look_shows_nothing_that_others_send_meanwhile(federation: Federation) -> None:
    key = federation.key()
    federation.coordinator.open_attempt(key, federation.model)
    one, other = federation.nodes[:2]
    with one.at_one_look():
        assert one.joins(key) == ()
        federation.join(key, other)
        assert one.joins(key) == ()
    assert [join.node for join in one.joins(key)] == [other.account]


def test_what_oneself_sends_shows_at_once(federation: Federation) -> None:
    key = federation.key()
    federation.coordinator.open_attempt(key, federation.model)
    one, other = federation.nodes[:2]
    with one.at_one_look(), one.at_one_look():
        assert one.joins(key) == ()
        federation.join(key, other)
        federation.join(key, one)
        assert {join.node for join in one.joins(key)} == {one.account, other.account}


def test_what_is_not_there_is_asked_for_again(federation: Federation) -> None:
    key, one = federation.key(), federation.coordinator
    with one.at_one_look():
        with pytest.raises(NotFound):
            one.attempt(key)
        one.open_attempt(key, federation.model)
        assert one.attempt(key).model_in == federation.model


def test_a_look_ends_where_it_breaks_off(federation: Federation) -> None:
    key, one = federation.key(), federation.nodes[0]
    with pytest.raises(NotFound), one.at_one_look():
        one.attempt(key)
    federation.coordinator.open_attempt(key, federation.model)
    assert one.attempt(key).model_in == federation.model
