"""Who may register, what, and how often."""

from __future__ import annotations

import pytest

from contracts.ledger import PartyRecord, Refused, Role
from tests.contracts.parties import Federation, point


def test_coordinator_registers_a_hospital(parties: Federation) -> None:
    account = parties.hospitals[0].account
    receipt = parties.coordinator.register(account, Role.HOSPITAL, point("a"))
    assert parties.stranger.find_party(account) == PartyRecord(account, Role.HOSPITAL, point("a"))
    (event,) = parties.coordinator.events()
    assert (event.name, event.block, event.transaction) == (
        "Registered",
        receipt.block,
        receipt.transaction,
    )
    assert dict(event.values) == {
        "account": account,
        "role": Role.HOSPITAL,
        "public_key": point("a"),
    }


def test_stranger_cannot_register(parties: Federation) -> None:
    account = parties.stranger.account
    with pytest.raises(Refused) as refused:
        parties.stranger.register(account, Role.NODE, point("a"))
    assert refused.value.reason == "NotCoordinator"
    assert refused.value.details == {"sender": account}
    assert parties.coordinator.find_party(account) is None


@pytest.mark.parametrize("role", [Role.HOSPITAL, Role.NODE])
def test_account_is_registered_once(parties: Federation, role: Role) -> None:
    account = parties.nodes[0].account
    parties.coordinator.register(account, Role.NODE, point("a"))
    with pytest.raises(Refused) as refused:
        parties.coordinator.register(account, role, point("b"))
    assert refused.value.reason == "AlreadyRegistered"
    assert refused.value.details == {"account": account}
    record = parties.coordinator.find_party(account)
    assert record == PartyRecord(account, Role.NODE, point("a"))


@pytest.mark.parametrize("key", [b"", point("a")[:-1], point("a") + b"\0", b"\2" + bytes(64)])
def test_key_has_the_shape_of_a_point(parties: Federation, key: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parties.coordinator.register(parties.nodes[0].account, Role.NODE, key)
    assert (refused.value.reason, refused.value.details) == ("NotAPoint", {"length": len(key)})


def test_no_role_is_no_registration(parties: Federation) -> None:
    with pytest.raises(Refused) as refused:
        parties.coordinator.register(parties.nodes[0].account, Role.NONE, point("a"))
    assert refused.value.reason == "NoRole"
