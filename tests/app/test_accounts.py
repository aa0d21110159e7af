"""Accounts on both databases: registration, decisions, passwords."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database
from app.errors import PasswordRefused, RequestError, SignInRefused
from app.models import UserRow
from app.services.accounts import Accounts
from app.services.audit import SYSTEM, AuditLog
from app.services.passwords import LONGEST, SHORTEST, Passwords, generate, require_acceptable
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR, OPERATOR, ROLES
from app.services.sessions import Sessions
from tests.app.people import PASSWORD, register


def cheap(time_cost: int = 1) -> Passwords:
    return Passwords(PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1))


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def accounts(database: Database, audit: AuditLog) -> Accounts:
    return Accounts(database, audit, cheap())


@pytest.fixture
def alice(accounts: Accounts) -> UserRow:
    """The administrator."""
    row = register(accounts, "alice")
    return accounts.authorise(row, row.id, ADMINISTRATOR)


@pytest.fixture
def bob(accounts: Accounts, alice: UserRow) -> UserRow:
    """Somebody who waits."""
    return register(accounts)


def actions(audit: AuditLog) -> list[str]:
    """What was done, the oldest first."""
    return [one.action for one in reversed(audit.entries().entries)]


def test_whoever_registers_waits(accounts: Accounts, audit: AuditLog) -> None:
    row = accounts.register(" Bob@Clinic.Example ", " Bob ", " Road 1 ", OPERATOR, PASSWORD)
    assert row is not None
    kept = accounts.find(row.id)
    assert kept is not None
    assert (kept.email, kept.name, kept.address) == ("bob@clinic.example", "Bob", "Road 1")
    assert (kept.state, kept.role, kept.asked_role) == ("waiting", None, OPERATOR)
    assert [one.id for one in accounts.waiting()] == [row.id]
    entry = audit.entries().entries[0]
    assert (entry.action, entry.actor_id, entry.subject) == (
        "user.registered",
        row.id,
        "bob@clinic.example",
    )


def test_an_address_is_registered_once(accounts: Accounts, bob: UserRow, audit: AuditLog) -> None:
    before = audit.entries().total
    again = accounts.register("BOB@clinic.example", "Mallory", "Road 2", DOCTOR, PASSWORD)
    assert again is None
    assert audit.entries().total == before
    kept = accounts.find(bob.id)
    assert kept is not None
    assert kept.name == "bob"


def test_an_unknown_role_is_refused(accounts: Accounts, alice: UserRow, bob: UserRow) -> None:
    with pytest.raises(RequestError, match="Choose one of the roles"):
        accounts.register("eve@clinic.example", "Eve", "Road", "surgeon", PASSWORD)
    with pytest.raises(RequestError, match="Choose one of the roles"):
        accounts.authorise(alice, bob.id, "surgeon")


def test_authorised_in_the_role_that_the_administrator_chose(
    accounts: Accounts, alice: UserRow, bob: UserRow, audit: AuditLog
) -> None:
    row = accounts.authorise(alice, bob.id, AUDITOR)
    kept = accounts.find(bob.id)
    assert kept is not None
    assert (kept.state, kept.role, kept.decided_by) == ("active", AUDITOR, alice.id)
    assert kept.decided_at == row.decided_at
    assert kept.decided_at is not None
    assert accounts.waiting() == []
    assert audit.entries().entries[0].details == '{"role":"auditor"}'


def test_refused_with_a_reason_and_authorised_later(
    accounts: Accounts, alice: UserRow, bob: UserRow
) -> None:
    with pytest.raises(RequestError, match="Give the reason"):
        accounts.refuse(alice, bob.id, "  ")
    row = accounts.refuse(alice, bob.id, " Not known here ")
    assert (row.state, row.role, row.reason) == ("refused", None, "Not known here")
    row = accounts.authorise(alice, bob.id, DOCTOR)
    assert (row.state, row.role, row.reason) == ("active", DOCTOR, "")


def test_decisions_that_come_too_late_change_nothing(
    accounts: Accounts, alice: UserRow, bob: UserRow, audit: AuditLog
) -> None:
    accounts.authorise(alice, bob.id, DOCTOR)
    before = actions(audit)
    with pytest.raises(RequestError, match="already authorised"):
        accounts.authorise(alice, bob.id, AUDITOR)
    with pytest.raises(RequestError, match="no longer waiting"):
        accounts.refuse(alice, bob.id, "Too late")
    kept = accounts.find(bob.id)
    assert kept is not None
    assert (kept.state, kept.role) == ("active", DOCTOR)
    assert actions(audit) == before


def test_of_decisions_at_the_same_time_one_counts(
    accounts: Accounts, alice: UserRow, bob: UserRow, audit: AuditLog
) -> None:
    def decide(number: int) -> bool:
        try:
            if number % 2:
                accounts.authorise(alice, bob.id, DOCTOR)
            else:
                accounts.refuse(alice, bob.id, "Not known here")
        except RequestError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(decide, range(8)))
    # A refusal may be followed by one authorisation; nothing follows that.
    assert actions(audit)[-sum(done) :] in (
        ["user.authorised"],
        ["user.refused", "user.authorised"],
    )
    assert audit.verify() == []


def test_suspended_until_authorised_again(accounts: Accounts, alice: UserRow, bob: UserRow) -> None:
    with pytest.raises(RequestError, match="is not active"):
        accounts.suspend(alice, bob.id, "Left")
    accounts.authorise(alice, bob.id, DOCTOR)
    row = accounts.suspend(alice, bob.id, "Left")
    assert (row.state, row.reason, row.session_epoch) == ("suspended", "Left", 1)
    assert accounts.authorise(alice, bob.id, DOCTOR).state == "active"


def test_an_administrator_cannot_lock_everybody_out(accounts: Accounts, alice: UserRow) -> None:
    with pytest.raises(RequestError, match="cannot suspend yourself"):
        accounts.suspend(alice, alice.id, "Tired")


def test_deciding_about_nobody_is_refused(accounts: Accounts, alice: UserRow) -> None:
    for decide in (
        lambda: accounts.authorise(alice, 4711, DOCTOR),
        lambda: accounts.refuse(alice, 4711, "Reason"),
        lambda: accounts.suspend(alice, 4711, "Reason"),
        lambda: accounts.set_password(4711, PASSWORD),
    ):
        with pytest.raises(RequestError, match="no such person"):
            decide()


def test_signing_in_with_the_right_password(accounts: Accounts, bob: UserRow) -> None:
    assert accounts.authenticate(" BOB@clinic.example", PASSWORD).id == bob.id


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("bob@clinic.example", "wrong password"),
        ("bob@clinic.example", ""),
        ("bob@clinic.example", PASSWORD.upper()),
        ("alice@clinic.example", "wrong password"),
        ("stranger@clinic.example", PASSWORD),
        ("", ""),
    ],
)
def test_every_wrong_pair_is_refused_in_the_same_words(
    accounts: Accounts, bob: UserRow, email: str, password: str
) -> None:
    with pytest.raises(SignInRefused) as refused:
        accounts.authenticate(email, password)
    assert str(refused.value) == "This e-mail address and this password do not belong together."


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(
    accounts: Accounts, database: Database, audit: AuditLog, bob: UserRow
) -> None:
    dearer = Accounts(database, audit, cheap(time_cost=2))
    dearer.authenticate(bob.email, PASSWORD)
    kept = dearer.find(bob.id)
    assert kept is not None
    assert extract_parameters(kept.password_hash).time_cost == 2
    assert kept.session_epoch == bob.session_epoch
    assert dearer.authenticate(bob.email, PASSWORD).id == bob.id


def test_the_password_is_hashed_with_argon2id() -> None:
    parameters = extract_parameters(Passwords().hash(PASSWORD))
    assert parameters.type is Type.ID
    assert (parameters.time_cost, parameters.memory_cost) == (3, 64 * 1024)


def test_a_changed_password_replaces_the_old_one_and_ends_sessions(
    accounts: Accounts, database: Database, bob: UserRow, audit: AuditLog
) -> None:
    sessions = Sessions(database)
    token = sessions.open(bob)
    found = sessions.find(token)
    assert found is not None
    assert found.id == bob.id
    accounts.change_password(bob.id, PASSWORD, "another long password")
    assert sessions.find(token) is None
    with pytest.raises(SignInRefused):
        accounts.authenticate(bob.email, PASSWORD)
    row = accounts.authenticate(bob.email, "another long password")
    assert sessions.find(sessions.open(row)) is not None
    assert audit.entries().entries[0].actor_id == bob.id


def test_a_change_needs_the_present_password(accounts: Accounts, bob: UserRow) -> None:
    with pytest.raises(SignInRefused, match="not your present password"):
        accounts.change_password(bob.id, "wrong password", "another long password")
    with pytest.raises(PasswordRefused, match="12 to 128"):
        accounts.change_password(bob.id, PASSWORD, "short")
    assert accounts.authenticate(bob.email, PASSWORD).session_epoch == bob.session_epoch


def test_a_password_that_the_command_sets(
    accounts: Accounts, bob: UserRow, audit: AuditLog
) -> None:
    accounts.set_password(bob.id, "another long password")
    assert accounts.authenticate(bob.email, "another long password").session_epoch == 1
    assert audit.entries().entries[0].actor == SYSTEM


def test_no_password_reaches_the_audit_log(
    accounts: Accounts, bob: UserRow, audit: AuditLog
) -> None:
    accounts.change_password(bob.id, PASSWORD, "another long password")
    kept = accounts.find(bob.id)
    assert kept is not None
    for entry in audit.entries().entries:
        written = f"{entry.subject} {entry.details}"
        for secret in (PASSWORD, "another long password", kept.password_hash):
            assert secret not in written


def test_found_by_address_or_by_a_name_that_one_person_has(accounts: Accounts) -> None:
    bob, twin = register(accounts, "bob"), register(accounts, "twin")
    for name in ("bob", " bob ", "BOB", "Bob@clinic.example"):
        found = accounts.find_named(name)
        assert found is not None
        assert found.id == bob.id
    assert accounts.find_named("nobody") is None
    accounts.register("oerjan@clinic.example", "Dr. Örjan", "Road", DOCTOR, PASSWORD)
    assert accounts.find_named("dr. örjan") is not None
    accounts.register("other@clinic.example", "Twin", "Road", DOCTOR, PASSWORD)
    assert accounts.find_named("twin") is None
    found = accounts.find_named(twin.email)
    assert found is not None
    assert found.id == twin.id


def test_demonstration_accounts_are_made_once(accounts: Accounts, audit: AuditLog) -> None:
    made = accounts.create_demo()
    roles = [one.role for one in made]
    assert set(roles) == set(ROLES)
    assert (len(roles), roles.count(DOCTOR)) == (8, 3)
    assert len({one.password for one in made}) == len(made)
    for one in made:
        row = accounts.authenticate(one.email, one.password)
        assert (row.name, row.role, row.state) == (one.name, one.role, "active")
    assert accounts.create_demo() == []
    made_for_doctors = [*["doctor_account.made"] * 3, *["doctor_key.made"] * 3]
    assert sorted(actions(audit)) == ["demo.created", *made_for_doctors]
    assert [row.name for row in accounts.everyone()] == sorted(one.name for one in made)


def test_there_is_no_demonstration_beside_real_accounts(accounts: Accounts, bob: UserRow) -> None:
    assert accounts.create_demo() == []


def test_generated_passwords_are_acceptable_and_differ() -> None:
    made = {generate() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        require_acceptable(password, "bob@clinic.example", "Bob")
        assert not set(password) & set("lo01")


@given(st.text(min_size=SHORTEST, max_size=LONGEST).filter(lambda text: len(set(text)) > 2))
def test_any_text_of_a_fitting_length_is_a_password(password: str) -> None:
    require_acceptable(password, "bob@clinic.example", "Bob")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("x" * (SHORTEST - 1), "this one has 11"),
        ("abc" * 43, "this one has 129"),
        ("a" * 20, "repeats"),
        ("abababababab", "repeats"),
        ("BOB@clinic.example", "must not be"),
        ("Bob the Doctor", "must not be"),
    ],
)
def test_a_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(PasswordRefused, match=reason):
        require_acceptable(password, "bob@clinic.example", "bob the doctor")
