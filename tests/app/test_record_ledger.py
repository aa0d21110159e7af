"""What doctors do with sealed records stands on the ledger sooner or later, by their accounts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, select, update

from app.errors import RequestError
from app.models import (
    DoctorAccountRow,
    OpeningAnswerRow,
    OpeningRow,
    RecordChainRow,
    RecordStepRow,
    RecordTransactionRow,
)
from app.models.base import now
from app.services import record_ledger
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.cases import Cases
from app.services.doctor_accounts import open_account
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import Escrow
from app.services.federation import Federation, open_federation
from app.services.jobs import Jobs
from app.services.ledger_roles import LedgerRoles
from app.services.open_keys import OpenKeys
from app.services.open_records import OpenRecords
from app.services.openings import ASKED_FOR, Openings
from app.services.passwords import Passwords
from app.services.patient_consent import AGREED, Consent
from app.services.patients import Patients
from app.services.record_ledger_view import ON_LEDGER, UNSIGNED, WAITS, RecordLedgerViews
from app.services.record_sealing import Attributes
from app.services.record_signing import RecordSigning
from app.services.record_steps import ERASE, OVERTAKEN
from app.services.retention import Retention
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions
from app.services.verification import Verification
from app.services.work import Worker
from contracts.chain import ChainEndpoint
from contracts.errors import ChainUnreachable
from contracts.ledger import Ledger
from contracts.records import Permission, Stage
from crypto.errors import SealError
from tests.app.clinic import Clock, Doctor
from tests.app.installations import settings_of
from tests.app.people import PASSWORD, register
from tests.contracts.parties import refusal

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
GRETA = Attributes("Lind", "Greta", "1951-03-08", consent=Consent(AGREED, on="2020-01-02"))

pytestmark = pytest.mark.slow


class Clinic:
    """An installation with a chain, and three doctors who are signed in."""

    def __init__(self, federation: Federation) -> None:
        self.federation, database = federation, federation.database
        self.database = database
        audit = AuditLog(database)
        self.accounts = Accounts(database, audit, CHEAP)
        self.keys = OpenKeys(database, DoctorKeys(database, audit, CHEAP))
        escrow, self.clock = Escrow.of(federation.settings), Clock()
        self.patients = Patients(database, audit, escrow)
        self.openings = Openings(database, audit, escrow, self.clock)
        self.records = OpenRecords(
            database, audit, escrow, self.openings, Cases.of(federation.settings)
        )
        self.signing = RecordSigning(database)
        self.ada = register(self.accounts, "ada", ADMINISTRATOR)
        self.eva, self.finn, self.gus = map(self.doctor, ("eva", "finn", "gus"))

    def doctor(self, name: str) -> Doctor:
        person = register(self.accounts, name)
        row = self.accounts.authorise(self.ada, person.id, DOCTOR)
        token = Sessions(self.database).open(row)
        browser = self.keys.unlock(row, token, PASSWORD)
        key = self.keys.find(token, browser)
        assert key is not None
        return Doctor(row, token, browser, key)

    def seal(self) -> str:
        others = [self.finn.row.id, self.gus.row.id]
        return self.patients.create(self.eva.row, GRETA, others, 2)

    def sign(self, *doctors: Doctor) -> int:
        chosen = doctors or (self.eva, self.finn, self.gus)
        return sum(self.signing.sign_waiting(one.row, one.key) for one in chosen)

    def deliver(self) -> bool:
        roles, federation = LedgerRoles(self.database), self.federation
        roles.bring_up(federation.deployment, federation.ledger.registry)
        return record_ledger.bring_up(federation)

    def account(self, doctor: Doctor) -> str:
        with self.database.transaction() as session:
            return session.get_one(DoctorAccountRow, doctor.key.number).address

    def opening(self, emergency: bool = False) -> str:
        """A whole opening of a new patient; its identifier."""
        patient = self.seal()
        asked = self.openings.ask(self.eva.row, self.eva.key, patient, "A fall", emergency)
        if not emergency:
            self.openings.approve(self.finn.row, self.finn.key, asked)
        self.openings.open(self.eva.row, self.eva.key, asked)
        self.openings.end(self.eva.row, asked)
        return asked

    def everybody(self) -> list[str]:
        return [self.account(one) for one in (self.eva, self.finn, self.gus)]

    def told(self) -> list[tuple[str, str]]:
        """The events of sealed records, each with the account that sent it."""
        history = self.federation.ledger.openings.history()
        return [(one.name, one.values["doctor"]) for one in history]

    def standings(self, patient: str) -> list[str]:
        return [one.standing for one in RecordLedgerViews(self.database).of_patient(patient)]

    def patient(self) -> str:
        with self.database.transaction() as session:
            return session.scalars(select(RecordStepRow.patient_id)).first() or ""

    def found(self) -> list[str]:
        return [str(one) for one in Verification(self.federation).run().differences]

    def change(self, statement: object) -> None:
        with self.database.transaction() as session:
            session.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def federation(tmp_path: Path, chain: ChainEndpoint) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path, chain)) as opened:
        yield opened


@pytest.fixture
def clinic(federation: Federation) -> Clinic:
    return Clinic(federation)


def test_an_opening_stands_on_the_ledger_by_its_doctors_own_accounts(clinic: Clinic) -> None:
    clinic.deliver()
    opening = clinic.opening()
    assert set(clinic.standings(clinic.patient())) == {UNSIGNED}
    # The approval waits for the request before it, which is eva's to sign; the opening for both.
    assert [clinic.sign(one) for one in (clinic.finn, clinic.eva, clinic.finn, clinic.eva)] == [
        0, 2, 1, 2,
    ]  # fmt: skip
    assert set(clinic.standings(clinic.patient())) == {WAITS}
    assert clinic.deliver()
    eva, finn = clinic.account(clinic.eva), clinic.account(clinic.finn)
    assert clinic.told() == [
        ("Sealed", eva),
        ("OpeningRequested", eva),
        ("OpeningApproved", finn),
        ("RecordOpened", eva),
        ("RecordClosed", eva),
    ]
    found = clinic.federation.ledger.openings.find(bytes.fromhex(opening))
    assert found is not None
    assert (found.stage, found.doctor) == (Stage.ENDED, eva)
    assert set(clinic.standings(clinic.patient())) == {ON_LEDGER}
    assert clinic.found() == []
    assert not record_ledger.has_work(clinic.database)


def test_an_emergency_is_told_as_one(clinic: Clinic) -> None:
    clinic.deliver()
    clinic.opening(emergency=True)
    clinic.sign()
    assert clinic.deliver()
    names = [name for name, _ in clinic.told()]
    assert names == [
        "Sealed", "OpeningRequested", "EmergencyDeclared", "RecordOpened", "RecordClosed",
    ]  # fmt: skip
    assert clinic.found() == []


def test_what_ran_out_of_time_is_closed_by_who_had_opened_it(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.seal()
    asked = clinic.openings.ask(clinic.eva.row, clinic.eva.key, patient, "A fall")
    clinic.openings.decline(clinic.gus.row, asked)
    clinic.clock.late = ASKED_FOR
    assert clinic.openings.end_overdue() == 1
    clinic.sign(clinic.eva)
    clinic.sign(clinic.gus)
    clinic.sign(clinic.eva)
    assert clinic.deliver()
    assert [name for name, _ in clinic.told()][-2:] == ["OpeningDeclined", "OpeningWithdrawn"]
    assert clinic.found() == []


def test_a_chain_that_is_away_delays_and_loses_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.deliver()
    with monkeypatch.context() as away:
        away.setattr(record_ledger, "Rpc", gone)
        clinic.opening()
        for one in (clinic.eva, clinic.finn, clinic.eva):
            clinic.sign(one)
        with pytest.raises(ChainUnreachable):
            record_ledger.bring_up(clinic.federation)
    assert clinic.told() == []
    assert set(clinic.standings(clinic.patient())) == {WAITS}
    assert clinic.found() == []
    worker = Worker(clinic.federation.settings, "test", Event())
    assert worker.look(Jobs(clinic.database)) == 0
    assert len(clinic.told()) == 5
    views = RecordLedgerViews(clinic.database).of_patient(clinic.patient())
    mined = [one.mined for one in reversed(views)]
    assert [one.events[0].name for one in mined if one] == [name for name, _ in clinic.told()]


def test_what_was_sent_and_not_noted_is_not_sent_twice(clinic: Clinic) -> None:
    clinic.deliver()
    clinic.seal()
    clinic.sign()
    clinic.deliver()
    clinic.change(update(RecordTransactionRow).values(outcome=""))
    assert clinic.found() == []
    assert clinic.deliver()
    assert len(clinic.told()) == 1
    assert set(clinic.standings(clinic.patient())) == {ON_LEDGER}


def test_what_was_overtaken_is_signed_again_with_all_behind_it(clinic: Clinic) -> None:
    clinic.deliver()
    opening = clinic.opening()
    with Ledgers(clinic) as ledgers:
        # The database was restored from before this one: it does not know of it.
        known = ledgers.of(own_account(clinic, clinic.eva)).openings
        known.seal(b"\1" * 32, clinic.everybody(), 2)
    for one in (clinic.eva, clinic.finn, clinic.eva):
        clinic.sign(one)
    assert not clinic.deliver()
    with clinic.database.transaction() as session:
        rows = session.scalars(select(RecordTransactionRow).order_by(RecordTransactionRow.id)).all()
    # What finn signed is whole, and waits for what eva has to sign again.
    accounts = [clinic.account(clinic.eva), clinic.account(clinic.finn)]
    assert [(one.account, one.outcome) for one in rows] == [
        (accounts[0], OVERTAKEN), (accounts[1], ""),
    ]  # fmt: skip
    clinic.sign(clinic.eva)
    # Its approval is older than the request that it now waits for, and the opening waits for it.
    assert [clinic.deliver() for _ in range(3)] == [False, True, True]
    found = clinic.federation.ledger.openings.find(bytes.fromhex(opening))
    assert found is not None
    assert (found.stage, found.approvals) == (Stage.ENDED, 2)
    told = clinic.found()
    assert len(told) == 1
    assert "Sealed of a sealed record" in told[0]


def test_the_ledger_refuses_a_second_approval_by_the_same_doctor(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.patients.create(
        clinic.eva.row, GRETA, [clinic.finn.row.id, clinic.gus.row.id], 3
    )
    asked = clinic.openings.ask(clinic.eva.row, clinic.eva.key, patient, "A fall")
    clinic.openings.approve(clinic.finn.row, clinic.finn.key, asked)
    with pytest.raises(RequestError, match="answered this request already"):
        clinic.openings.approve(clinic.finn.row, clinic.finn.key, asked)
    clinic.sign()
    assert clinic.deliver()
    opening = bytes.fromhex(asked)
    with Ledgers(clinic) as ledgers:
        # Past the application, with the account itself.
        openings = ledgers.of(own_account(clinic, clinic.finn)).openings
        assert refusal(openings.decline, b"", opening).reason == "Twice"
        eva = ledgers.of(own_account(clinic, clinic.eva)).openings
        assert refusal(eva.open, b"", opening).reason == "NoQuorum"
    assert clinic.found() == []


def test_another_group_is_another_digest_and_a_stranger_to_the_first(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.seal()
    hal = clinic.doctor("hal")
    asked = clinic.openings.ask(clinic.eva.row, clinic.eva.key, patient, "A fall")
    clinic.openings.approve(clinic.finn.row, clinic.finn.key, asked)
    clinic.openings.open(clinic.eva.row, clinic.eva.key, asked)
    group = [clinic.finn.row.id, hal.row.id]
    clinic.records.reseal(clinic.eva.row, clinic.eva.key, patient, group, 2)
    again = clinic.openings.ask(hal.row, hal.key, patient, "He came back")
    for one in (clinic.eva, clinic.finn, clinic.eva, hal):
        clinic.sign(one)
    assert clinic.deliver()
    sealed = [one for one in clinic.federation.ledger.openings.history() if one.name == "Sealed"]
    assert len({one.values["record"] for one in sealed}) == 2
    found = clinic.federation.ledger.openings.find(bytes.fromhex(again))
    assert found is not None
    assert found.record == sealed[1].values["record"]
    assert clinic.found() == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (update(OpeningRow).values(state="asked"), "opening"),
        (delete(OpeningAnswerRow).where(OpeningAnswerRow.answer != ""), "opening"),
        (update(RecordStepRow).values(record="ab" * 32), "digest"),
        (update(RecordStepRow).where(RecordStepRow.kind == "open").values(kind="decline"), "step"),
        (update(RecordTransactionRow).values(outcome="refused"), "refused by the ledger"),
        (update(RecordTransactionRow).values(raw=b"none"), "transaction"),
        (delete(RecordTransactionRow), "a step in the database"),
        (update(RecordChainRow).values(contract="0x" + "0" * 40), "contract of sealed records"),
    ],
)
def test_an_altered_row_is_named(clinic: Clinic, change: object, named: str) -> None:
    clinic.deliver()
    clinic.opening()
    for one in (clinic.eva, clinic.finn, clinic.eva):
        clinic.sign(one)
    clinic.deliver()
    assert clinic.found() == []
    clinic.change(change)
    assert any(named in one for one in clinic.found())


def test_an_opening_whose_steps_were_taken_away_is_named(clinic: Clinic) -> None:
    clinic.deliver()
    opening = clinic.opening()
    clinic.change(delete(RecordStepRow).where(RecordStepRow.opening_id == opening))
    assert any("steps for the ledger" in one for one in clinic.found())


def test_an_account_opens_with_its_doctor_s_key_only(clinic: Clinic) -> None:
    eva, finn = own_account(clinic, clinic.eva), own_account(clinic, clinic.finn)
    assert eva != finn
    with closing(sqlite3.connect(str(clinic.database.engine.url.database))) as connection:
        dump = "\n".join(connection.iterdump()).lower()
    assert clinic.account(clinic.eva).lower() in dump
    for private in (eva, finn):
        assert private.hex() not in dump
        assert str(int.from_bytes(private)) not in dump
    with clinic.database.transaction() as session, pytest.raises(SealError):
        open_account(session, clinic.eva.key.number, clinic.finn.key.private)


def test_a_key_from_before_gets_its_account_when_the_password_is_given(clinic: Clinic) -> None:
    clinic.change(delete(DoctorAccountRow).where(DoctorAccountRow.key_id == clinic.gus.key.number))
    clinic.deliver()
    clinic.seal()
    assert clinic.sign() == 0
    clinic.keys.unlock(clinic.gus.row, clinic.gus.token, PASSWORD)
    assert clinic.sign() == 1
    assert clinic.deliver()
    assert (
        clinic.account(clinic.gus)
        in clinic.federation.ledger.openings.history()[0].values["doctors"]
    )


def test_who_leaves_has_no_role_once_all_is_sent(clinic: Clinic) -> None:
    clinic.deliver()
    clinic.seal()
    clinic.sign()
    clinic.accounts.suspend(clinic.ada, clinic.eva.row.id, "Left")
    registry, account = clinic.federation.ledger.registry, clinic.account(clinic.eva)
    clinic.deliver()
    assert len(clinic.told()) == 1
    clinic.deliver()
    assert not registry.has(Permission.DOCTOR, account)


def gone(url: str) -> None:
    raise ChainUnreachable(url, "gone")


def own_account(clinic: Clinic, doctor: Doctor) -> bytes:
    """The private key of a doctor's account."""
    with clinic.database.transaction() as session:
        account = open_account(session, doctor.key.number, doctor.key.private)
    assert account is not None
    return bytes(account.key)


class Ledgers:
    """The contracts as other accounts see them, without an outbox of the application's."""

    def __init__(self, clinic: Clinic) -> None:
        self._federation = clinic.federation
        self._made: list[Ledger] = []

    def __enter__(self) -> Ledgers:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._made:
            one.close()

    def of(self, private: bytes) -> Ledger:
        endpoint, contract = self._federation.endpoint, self._federation.ledger.contract
        self._made.append(Ledger(endpoint.url, contract, private))
        return self._made[-1]


def test_an_erased_record_leaves_its_steps(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.seal()
    asked = clinic.openings.ask(clinic.eva.row, clinic.eva.key, patient, "A wish")
    clinic.openings.approve(clinic.finn.row, clinic.finn.key, asked)
    clinic.openings.open(clinic.eva.row, clinic.eva.key, asked)
    clinic.records.erase(clinic.eva.row, clinic.eva.key, patient)
    for one in (clinic.eva, clinic.finn, clinic.eva):
        clinic.sign(one)
    assert clinic.deliver()
    eva = clinic.account(clinic.eva)
    assert clinic.told()[-2:] == [("RecordClosed", eva), ("RecordErased", eva)]
    assert clinic.found() == []
    clinic.change(update(RecordStepRow).where(RecordStepRow.kind == ERASE).values(kind="close"))
    assert any("erasures of records" in one for one in clinic.found())


def test_who_is_left_alone_of_a_group_erases_a_record_that_is_due(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.seal()
    clinic.sign(clinic.eva)
    clinic.deliver()
    for one in (clinic.finn, clinic.gus):
        clinic.accounts.suspend(clinic.ada, one.row.id, "Left")
    audit = AuditLog(clinic.database)
    later = lambda: now() + timedelta(days=366 * 10)  # noqa: E731
    retention = Retention(clinic.database, audit, clinic.openings, 10, later)
    retention.erase(clinic.eva.row, clinic.eva.key, patient)
    clinic.sign(clinic.eva)
    assert clinic.deliver()
    assert [name for name, _ in clinic.told()] == ["Sealed", "RecordErased"]
    (sealed, erased) = clinic.federation.ledger.openings.history()
    assert sealed.values["record"] == erased.values["record"]
    assert clinic.found() == []
    whose = update(RecordStepRow).values(user_id=clinic.finn.row.id)
    clinic.change(whose.where(RecordStepRow.kind == ERASE))
    assert any("erasure" in one for one in clinic.found())


def test_on_another_chain_a_record_is_sealed_again(clinic: Clinic) -> None:
    clinic.deliver()
    patient = clinic.seal()
    clinic.sign()
    clinic.change(update(RecordTransactionRow).values(genesis_hash="f" * 64, outcome="done"))
    clinic.openings.ask(clinic.eva.row, clinic.eva.key, patient, "A fall")
    assert clinic.sign(clinic.eva) == 2
    assert clinic.deliver()
    assert [name for name, _ in clinic.told()] == ["Sealed", "OpeningRequested"]
