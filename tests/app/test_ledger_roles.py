"""People's roles on the registry follow what was decided about people and their wallets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from argon2 import PasswordHasher
from eth_account import Account
from sqlalchemy import delete, update

from app.models import LedgerRoleRow
from app.services.accounts import Accounts
from app.services.anchoring import Anchoring, last_entry
from app.services.audit import AuditLog
from app.services.federation import Federation, open_federation
from app.services.jobs import Jobs
from app.services.ledger_roles import LedgerRoles
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR
from app.services.verification import Verification
from app.services.wallets import Wallets
from app.services.work import TROUBLE_SECONDS, Worker
from contracts.chain import ChainEndpoint
from contracts.errors import ChainUnreachable, Refused
from contracts.records import Permission
from contracts.registry import Registry
from tests.app.installations import settings_of
from tests.app.people import register


class People:
    """Ada, who decides, and Bob, who is decided about."""

    def __init__(self, federation: Federation) -> None:
        audit = AuditLog(federation.database)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.accounts = Accounts(federation.database, audit, cheap)
        self.wallets = Wallets(federation.database, audit)
        self.ada = register(self.accounts, "ada", ADMINISTRATOR)
        self.bob = register(self.accounts, "bob")
        self.address = Account.create().address
        self.accounts.authorise(self.ada, self.bob.id, DOCTOR)

    def link(self) -> None:
        self.wallets.link(self.bob, self.address)
        self.wallets.authorise(self.ada, self.bob.id, self.address)


@pytest.fixture
def federation(tmp_path: Path, chain: ChainEndpoint) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path, chain)) as opened:
        yield opened


@pytest.fixture
def people(federation: Federation) -> People:
    return People(federation)


def bring_up(federation: Federation) -> int:
    roles = LedgerRoles(federation.database)
    had_work = roles.has_work(federation.deployment)
    done = roles.bring_up(federation.deployment, federation.ledger.registry)
    assert had_work == (done > 0)
    assert not roles.has_work(federation.deployment)
    return done


def holds(federation: Federation, people: People) -> set[Permission]:
    registry = federation.ledger.registry
    return {one for one in Permission if registry.has(one, people.address)}


def test_a_role_stands_on_the_ledger_while_person_and_wallet_may_act(
    federation: Federation, people: People
) -> None:
    assert bring_up(federation) == 0
    people.wallets.link(people.bob, people.address)
    assert bring_up(federation) == 0
    people.wallets.authorise(people.ada, people.bob.id, people.address)
    assert bring_up(federation) == 1
    assert holds(federation, people) == {Permission.DOCTOR}
    assert LedgerRoles(federation.database).standing() == {people.address: [DOCTOR]}
    people.accounts.change_role(people.ada, people.bob.id, AUDITOR)
    assert bring_up(federation) == 2
    assert holds(federation, people) == {Permission.AUDITOR}
    people.accounts.suspend(people.ada, people.bob.id, "Left")
    assert bring_up(federation) == 1
    assert holds(federation, people) == set()
    assert not Verification(federation).run().differences


@pytest.mark.parametrize("end", ["withdraw", "unlink"])
def test_without_its_wallet_the_role_is_gone(
    federation: Federation, people: People, end: str
) -> None:
    people.link()
    bring_up(federation)
    if end == "withdraw":
        people.wallets.withdraw(people.ada, people.bob.id, people.address)
    else:
        people.wallets.unlink(people.bob)
    assert bring_up(federation) == 1
    assert holds(federation, people) == set()


def test_an_administrator_of_the_application_is_none_of_the_registry(
    federation: Federation, people: People
) -> None:
    people.link()
    people.accounts.change_role(people.ada, people.bob.id, ADMINISTRATOR)
    assert bring_up(federation) == 0
    assert holds(federation, people) == set()


def test_what_was_cut_off_before_it_was_noted_is_done_again(
    federation: Federation, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.link()
    grant = Registry.grant

    def granted_and_gone(registry: Registry, permission: Permission, account: str) -> None:
        grant(registry, permission, account)
        raise ChainUnreachable("http://127.0.0.1:1", "gone")

    monkeypatch.setattr(Registry, "grant", granted_and_gone)
    with pytest.raises(ChainUnreachable):
        LedgerRoles(federation.database).bring_up(federation.deployment, federation.ledger.registry)
    monkeypatch.undo()
    assert bring_up(federation) == 1
    assert holds(federation, people) == {Permission.DOCTOR}
    assert not Verification(federation).run().differences


def test_the_worker_does_it_with_nothing_else_to_do(federation: Federation, people: People) -> None:
    people.link()
    worker = Worker(federation.settings, "test", Event())
    worker.look(Jobs(federation.database))
    assert holds(federation, people) == {Permission.DOCTOR}
    people.accounts.suspend(people.ada, people.bob.id, "Left")
    worker.look(Jobs(federation.database))
    assert holds(federation, people) == set()


def test_a_registry_that_refuses_keeps_the_worker_from_nothing_else(
    federation: Federation, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.link()

    def refuse(*_: object) -> None:
        raise Refused("AccessControlUnauthorizedAccount")

    with monkeypatch.context() as refusing:
        refusing.setattr(Registry, "grant", refuse)
        worker = Worker(federation.settings, "test", Event())
        assert worker.look(Jobs(federation.database)) == TROUBLE_SECONDS
    anchoring = Anchoring(federation.database, federation.ledger.anchors)
    assert anchoring.anchored() == last_entry(federation.database)
    assert worker.look(Jobs(federation.database)) == 0
    assert holds(federation, people) == {Permission.DOCTOR}


def test_a_note_that_differs_from_the_registry_is_found(
    federation: Federation, people: People
) -> None:
    people.link()
    bring_up(federation)
    for change in (
        update(LedgerRoleRow).values(role=AUDITOR),
        update(LedgerRoleRow).values(account=Account.create().address),
        delete(LedgerRoleRow),
    ):
        with federation.database.transaction() as session:
            session.execute(change)
        told = [str(one) for one in Verification(federation).run().differences]
        assert told
        assert all(one.startswith("role ") for one in told)
        with federation.database.transaction() as session:
            session.execute(delete(LedgerRoleRow))
            row = LedgerRoleRow(
                deployment_id=federation.deployment, account=people.address, role=DOCTOR
            )
            session.add(row)


def test_a_role_granted_past_the_application_is_found(federation: Federation) -> None:
    stranger = Account.create().address
    federation.ledger.registry.grant(Permission.AUDITOR, stranger)
    told = [str(one) for one in Verification(federation).run().differences]
    assert len(told) == 1
    assert stranger in told[0]
