"""Who may register whom, whose keys are in force, and what takes two administrators."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.chain import ChainEndpoint
from contracts.ledger import Ledger, PartyRecord, Permission, Policy, Refused, Role
from contracts.records import PartyKey
from tests.contracts.parties import Federation, digest, point, refusal

ADMINISTRATOR = Permission.ADMINISTRATOR


def test_an_administrator_registers_a_hospital(parties: Federation) -> None:
    account = parties.hospitals[0].account
    receipt = parties.deputy.registry.register(account, Role.HOSPITAL, point("a"))
    registry = parties.stranger.registry
    assert registry.find_party(account) == PartyRecord(account, Role.HOSPITAL, point("a"))
    told = [event for event in parties.coordinator.events() if event.block == receipt.block]
    assert [event.name for event in told] == ["Registered", *["RoleGranted"] * 3]
    assert told[0].transaction == receipt.transaction
    assert told[0].contract == registry.contract
    assert dict(told[0].values) == {
        "account": account,
        "role": Role.HOSPITAL,
        "public_key": point("a"),
    }


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.HOSPITAL, {Permission.HOSPITAL, Permission.SUBMITTER, Permission.DOWNLOADER}),
        (Role.NODE, set()),
        (Role.DOCTOR, {Permission.DOCTOR, Permission.DOWNLOADER}),
        (Role.AUDITOR, {Permission.AUDITOR}),
    ],
)
def test_a_role_brings_its_permissions(
    parties: Federation, role: Role, permissions: set[Permission]
) -> None:
    account = parties.stranger.account
    assert account is not None
    registry = parties.coordinator.registry
    registry.register(account, role, point("a"))
    assert {one for one in Permission if registry.has(one, account)} == permissions


def everyone(federation: Federation) -> dict[str, Ledger]:
    return {
        "coordinator": federation.coordinator,
        "deputy": federation.deputy,
        "hospital": federation.hospitals[0],
        "node": federation.nodes[0],
        "stranger": federation.stranger,
    }


ADMINISTRATORS_ONLY: dict[str, Callable[[Ledger, str], object]] = {
    "register": lambda one, a: one.registry.register(a, Role.DOCTOR, point("a")),
    "grant": lambda one, a: one.registry.grant(Permission.AUDITOR, a),
    "revoke": lambda one, a: one.registry.revoke(Permission.AUDITOR, a),
    "revoke_key": lambda one, a: one.registry.revoke_key(a),
    "set_nodes": lambda one, a: one.registry.set_nodes([a]),
    "set_policy": lambda one, a: one.registry.set_policy("lung", Policy()),
    "set_administrator": lambda one, a: one.registry.set_administrator(a, True),
}


@pytest.mark.parametrize("call", ADMINISTRATORS_ONLY)
def test_only_administrators_decide(parties: Federation, call: str) -> None:
    parties.register()
    account = parties.ledger(13).account
    assert account is not None
    for name, ledger in everyone(parties).items():
        if name in ("coordinator", "deputy"):
            continue
        problem = refusal(ADMINISTRATORS_ONLY[call], ledger, account)
        assert problem.reason == "AccessControlUnauthorizedAccount", name
        assert problem.details["account"] == ledger.account


def test_an_account_is_registered_once(parties: Federation) -> None:
    account = parties.nodes[0].account
    registry = parties.coordinator.registry
    registry.register(account, Role.NODE, point("a"))
    for role in (Role.HOSPITAL, Role.NODE):
        problem = refusal(registry.register, account, role, point("b"))
        assert (problem.reason, problem.details) == ("AlreadyRegistered", {"account": account})
    assert registry.find_party(account) == PartyRecord(account, Role.NODE, point("a"))


@pytest.mark.parametrize("key", [b"", point("a")[:-1], point("a") + b"\0", b"\2" + bytes(64)])
def test_key_has_the_shape_of_a_point(parties: Federation, key: bytes) -> None:
    account = parties.nodes[0].account
    problem = refusal(parties.coordinator.registry.register, account, Role.NODE, key)
    assert (problem.reason, problem.details) == ("NotAPoint", {"length": len(key)})


def test_no_role_is_no_registration(parties: Federation) -> None:
    account = parties.nodes[0].account
    problem = refusal(parties.coordinator.registry.register, account, Role.NONE, point("a"))
    assert problem.reason == "NoRole"


def test_a_rotated_key_is_in_force_from_its_block_and_the_old_one_stays_readable(
    parties: Federation,
) -> None:
    parties.register()
    own = parties.hospitals[0]
    assert own.account is not None
    first = own.registry.keys(own.account)
    rotated = own.registry.rotate_key(point("new"))
    assert own.registry.keys(own.account) == (
        *first,
        PartyKey(rotated.block, None, point("new")),
    )
    party = own.registry.find_party(own.account)
    assert party is not None
    assert party.public_key == point("new")
    revoked = parties.deputy.registry.revoke_key(own.account)
    assert own.registry.keys(own.account)[-1].revoked == revoked.block
    party = own.registry.find_party(own.account)
    assert party is not None
    assert party.public_key == b""
    again = own.registry.rotate_key(point("newest"))
    assert own.registry.keys(own.account)[-1] == PartyKey(again.block, None, point("newest"))


def test_nobody_rotates_without_a_key_or_to_the_same(parties: Federation) -> None:
    parties.register()
    own = parties.hospitals[0]
    assert refusal(parties.stranger.registry.rotate_key, point("x")).reason == "NotRegistered"
    assert refusal(own.registry.rotate_key, b"\2" + bytes(64)).reason == "NotAPoint"
    own.registry.rotate_key(point("x"))
    other = parties.ledger(2)
    assert other.registry.rotate_key(point("x")).block  # the same again: the first one's receipt
    other.close()


def test_the_nodes_are_replaced_by_two_administrators(parties: Federation) -> None:
    parties.register()
    registry, deputy = parties.coordinator.registry, parties.deputy.registry
    before = tuple(one.account for one in parties.nodes)
    three = before[:3]
    assert registry.nodes() == before
    registry.set_nodes(three)
    assert registry.nodes() == before
    deputy.set_nodes(three)
    assert registry.nodes() == three
    assert not registry.has(Permission.NODE, str(before[3]))
    for one in (registry, deputy):
        problem = refusal(one.grant, Permission.NODE, before[3])
        assert problem.reason == "NeedsTwo"


def test_one_administrator_alone_makes_no_administrator(parties: Federation) -> None:
    registry, deputy = parties.coordinator.registry, parties.deputy.registry
    new = parties.stranger.account
    assert new is not None
    assert refusal(registry.grant, ADMINISTRATOR, new).reason == "NeedsTwo"
    registry.set_administrator(new, True)
    assert not registry.has(ADMINISTRATOR, new)
    deputy.set_administrator(new, True)
    assert registry.has(ADMINISTRATOR, new)
    assert refusal(registry.revoke, ADMINISTRATOR, deputy.account).reason == "NeedsTwo"


def test_two_administrators_always_remain(parties: Federation) -> None:
    for one in (parties.coordinator, parties.deputy):
        problem = refusal(one.registry.renounce, ADMINISTRATOR)
        assert (problem.reason, problem.details) == ("TooFewAdministrators", {"least": 2})


def test_a_proposal_can_be_taken_back_and_another_decides_nothing(parties: Federation) -> None:
    registry, deputy = parties.coordinator.registry, parties.deputy.registry
    registry.set_policy("lung", Policy(faults=1))
    action = registry.policy_action("lung", Policy(faults=1))
    assert refusal(deputy.withdraw, action).reason == "NotProposed"
    registry.withdraw(action)
    deputy.set_policy("lung", Policy(faults=1))
    assert not registry.policy("lung").allowed
    registry.set_policy("lung", Policy(faults=1))
    assert registry.policy("lung") == Policy(faults=1)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(fewest_hospitals=2),
        Policy(fewest_accepted=2),
        Policy(step_blocks=0),
        Policy(most_attempts=0),
    ],
)
def test_a_policy_that_cannot_be_is_refused(embedded_chain: ChainEndpoint, policy: Policy) -> None:
    parties = Federation(embedded_chain.url)
    assert refusal(parties.coordinator.registry.set_policy, "heart", policy).reason == "WrongPolicy"
    with pytest.raises(ValueError, match="a task of 1 to 32 bytes"):
        parties.coordinator.registry.set_policy("x" * 33, Policy())
    parties.close()


def test_who_lost_its_permission_submits_and_joins_no_more(federation: Federation) -> None:
    key = federation.key()
    hospital, node = federation.hospitals[0], federation.nodes[3]
    federation.coordinator.registry.revoke(Permission.SUBMITTER, str(hospital.account))
    for one in (federation.coordinator, federation.deputy):
        one.registry.set_nodes([other.account for other in federation.nodes[:3]])
    federation.coordinator.open_attempt(key, federation.model)
    with pytest.raises(Refused, match="LacksRole"):
        federation.join(key, node)
    for other in federation.nodes[:3]:
        federation.join(key, other)
    federation.coordinator.call_for_submissions(key)
    problem = refusal(hospital.submit, key, digest("r"), digest("u"), 5)
    assert problem.details == {
        "account": hospital.account,
        "role": Permission.SUBMITTER.value,
    }
    assert federation.hospitals[1].submit(key, digest("r"), digest("u"), 5).block
