"""Views at one look: each is asked for once, until something is sent or the look is over."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import NotFound
from contracts.rpc import Rpc
from tests.contracts.parties import Federation


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
