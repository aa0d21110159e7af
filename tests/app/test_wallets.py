"""Wallets on both databases: linked, decided about, let in or kept out."""

from __future__ import annotations

import json

import pytest
from argon2 import PasswordHasher
from eth_utils.address import to_checksum_address

from app.database import Database
from app.errors import RequestError, WalletRefused
from app.models import UserRow
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions
from app.services.wallets import ASKED, AUTHORISED, WITHDRAWN, Wallets
from tests.app.people import register

FIRST, SECOND = (to_checksum_address(bytes([n]) * 20) for n in (0xA1, 0xB2))


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def accounts(database: Database, audit: AuditLog) -> Accounts:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return Accounts(database, audit, Passwords(cheap))


@pytest.fixture
def wallets(database: Database, audit: AuditLog) -> Wallets:
    return Wallets(database, audit)


@pytest.fixture
def alice(accounts: Accounts) -> UserRow:
    """The administrator."""
    row = register(accounts, "alice")
    return accounts.authorise(row, row.id, ADMINISTRATOR)


@pytest.fixture
def bob(accounts: Accounts, alice: UserRow) -> UserRow:
    return accounts.authorise(alice, register(accounts, "bob").id, DOCTOR)


@pytest.fixture
def charlie(accounts: Accounts, alice: UserRow) -> UserRow:
    return accounts.authorise(alice, register(accounts, "charlie").id, DOCTOR)


def state(wallets: Wallets, person: UserRow) -> str | None:
    found = wallets.find(person.id)
    return None if found is None else found.row.state


def refused(wallets: Wallets, address: str) -> str:
    with pytest.raises(WalletRefused) as caught:
        wallets.authenticate(address)
    return str(caught.value)


def test_a_linked_wallet_lets_nobody_in_until_it_is_authorised(
    wallets: Wallets, alice: UserRow, bob: UserRow
) -> None:
    wallets.link(bob, FIRST)
    assert state(wallets, bob) == ASKED
    refused(wallets, FIRST)
    assert wallets.authorise(alice, bob.id, FIRST).id == bob.id
    assert state(wallets, bob) == AUTHORISED
    assert wallets.authenticate(FIRST).id == bob.id
    found = wallets.find(bob.id)
    assert found is not None
    assert (found.decided_by, found.row.decided_at is not None) == ("alice", True)


def test_every_wallet_that_is_kept_out_is_refused_in_the_same_words(
    wallets: Wallets, accounts: Accounts, alice: UserRow, bob: UserRow, charlie: UserRow
) -> None:
    words = {refused(wallets, FIRST)}  # unknown
    wallets.link(bob, FIRST)
    words.add(refused(wallets, FIRST))  # asked for
    wallets.authorise(alice, bob.id, FIRST)
    wallets.withdraw(alice, bob.id, FIRST)
    words.add(refused(wallets, FIRST))  # withdrawn
    wallets.link(charlie, SECOND)
    wallets.authorise(alice, charlie.id, SECOND)
    accounts.suspend(alice, charlie.id, "Left")
    words.add(refused(wallets, SECOND))  # of somebody suspended
    assert len(words) == 1


def test_a_wallet_has_one_person_and_a_person_one_wallet(
    wallets: Wallets, audit: AuditLog, bob: UserRow, charlie: UserRow
) -> None:
    wallets.link(bob, FIRST)
    before = audit.entries().total
    with pytest.raises(RequestError, match="linked to another account"):
        wallets.link(charlie, FIRST)
    with pytest.raises(RequestError, match="linked a wallet already"):
        wallets.link(bob, SECOND)
    assert state(wallets, charlie) is None
    assert audit.entries().total == before
    assert audit.verify() == []


@pytest.mark.parametrize("again", [FIRST, SECOND])
def test_another_wallet_or_the_same_again_needs_a_new_decision(
    wallets: Wallets, alice: UserRow, bob: UserRow, again: str
) -> None:
    wallets.link(bob, FIRST)
    wallets.authorise(alice, bob.id, FIRST)
    wallets.unlink(bob)
    refused(wallets, FIRST)
    wallets.link(bob, again)
    assert state(wallets, bob) == ASKED
    refused(wallets, again)


def test_a_decision_is_about_the_address_that_was_shown(
    wallets: Wallets, alice: UserRow, bob: UserRow
) -> None:
    wallets.link(bob, FIRST)
    wallets.unlink(bob)
    wallets.link(bob, SECOND)
    with pytest.raises(RequestError, match="changed meanwhile"):
        wallets.authorise(alice, bob.id, FIRST)
    assert state(wallets, bob) == ASKED


def test_decisions_that_do_not_apply_are_refused(
    wallets: Wallets, alice: UserRow, bob: UserRow, charlie: UserRow
) -> None:
    wallets.link(bob, FIRST)
    for decide, person in (
        (wallets.withdraw, bob.id),
        (wallets.authorise, charlie.id),
        (wallets.withdraw, charlie.id),
    ):
        with pytest.raises(RequestError, match="changed meanwhile"):
            decide(alice, person, FIRST)
    wallets.authorise(alice, bob.id, FIRST)
    with pytest.raises(RequestError, match="changed meanwhile"):
        wallets.authorise(alice, bob.id, FIRST)
    with pytest.raises(RequestError, match="no such person"):
        wallets.authorise(alice, 4711, FIRST)
    with pytest.raises(RequestError, match="No wallet"):
        wallets.unlink(charlie)
    assert state(wallets, bob) == AUTHORISED


def test_a_withdrawn_wallet_can_be_authorised_again(
    wallets: Wallets, alice: UserRow, bob: UserRow
) -> None:
    wallets.link(bob, FIRST)
    wallets.authorise(alice, bob.id, FIRST)
    wallets.withdraw(alice, bob.id, FIRST)
    assert state(wallets, bob) == WITHDRAWN
    wallets.authorise(alice, bob.id, FIRST)
    assert wallets.authenticate(FIRST).id == bob.id


@pytest.mark.parametrize("how", ["withdraw", "unlink"])
def test_sessions_that_the_wallet_opened_end_with_it_for_good(
    wallets: Wallets, database: Database, alice: UserRow, bob: UserRow, how: str
) -> None:
    wallets.link(bob, FIRST)
    wallets.authorise(alice, bob.id, FIRST)
    sessions = Sessions(database)
    by_wallet, by_password = sessions.open(bob, FIRST), sessions.open(bob)
    assert sessions.find(by_wallet) is not None
    if how == "withdraw":
        wallets.withdraw(alice, bob.id, FIRST)
    else:
        wallets.unlink(bob)
        wallets.link(bob, FIRST)
    assert sessions.find(by_wallet) is None
    assert sessions.find(by_password) is not None
    wallets.authorise(alice, bob.id, FIRST)
    assert sessions.find(by_wallet) is None


def test_a_session_of_a_wallet_that_is_not_authorised_is_none(
    wallets: Wallets, database: Database, bob: UserRow, charlie: UserRow, alice: UserRow
) -> None:
    """Also when it was opened in the moment in which the wallet was withdrawn."""
    sessions = Sessions(database)
    assert sessions.find(sessions.open(bob, FIRST)) is None
    wallets.link(bob, FIRST)
    assert sessions.find(sessions.open(bob, FIRST)) is None
    wallets.authorise(alice, bob.id, FIRST)
    assert sessions.find(sessions.open(charlie, FIRST)) is None


def test_everything_is_in_the_audit_log(
    wallets: Wallets, audit: AuditLog, alice: UserRow, bob: UserRow
) -> None:
    wallets.link(bob, FIRST)
    wallets.authorise(alice, bob.id, FIRST)
    wallets.withdraw(alice, bob.id, FIRST)
    wallets.unlink(bob)
    entries = list(reversed(audit.entries().entries[:4]))
    assert [(one.action, one.actor_id) for one in entries] == [
        ("wallet.linked", bob.id),
        ("wallet.authorised", alice.id),
        ("wallet.withdrawn", alice.id),
        ("wallet.unlinked", bob.id),
    ]
    for one in entries:
        assert (one.subject, json.loads(one.details)) == (bob.email, {"address": FIRST})


def test_wallets_are_listed_by_person(
    wallets: Wallets, alice: UserRow, bob: UserRow, charlie: UserRow
) -> None:
    wallets.link(charlie, SECOND)
    wallets.link(bob, FIRST)
    listed = wallets.everyone()
    assert [(user, one.row.address, one.person.name) for user, one in listed.items()] == [
        (charlie.id, SECOND, "charlie"),
        (bob.id, FIRST, "bob"),
    ]
