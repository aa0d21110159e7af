"""Whatever is altered in an anchored row or file, `verify` finds it: every table, every column.

The columns come from the models. One that is neither found nor listed here, with the reason why
nothing can find it, fails the test: so does a new column until somebody has decided.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from eth_account import Account
from hypothesis import HealthCheck, Phase, assume, given, reject, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Table, delete, func, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from app.models import AppealRow, Base, OpinionRow, PromotionRow, TrainingRow, UserRow
from app.models.base import HASH, now
from app.services import record_ledger
from app.services.accounts import Accounts
from app.services.anchoring import Anchoring
from app.services.appeal_writing import write_waiting as write_appeals
from app.services.audit import AuditLog
from app.services.cases import Cases
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import Escrow
from app.services.federation import Federation, open_federation
from app.services.ledger_index import LedgerIndex
from app.services.ledger_roles import LedgerRoles
from app.services.open_keys import OpenKeys
from app.services.open_records import OpenRecords
from app.services.openings import Openings
from app.services.outcomes import Outcomes
from app.services.passwords import Passwords
from app.services.patient_consent import AGREED, Consent
from app.services.patients import Patients
from app.services.promotions import reason_digest, write_waiting
from app.services.record_entries import TRUE, Answer, Outcome
from app.services.record_sealing import Attributes
from app.services.record_signing import RecordSigning
from app.services.requests import TrainingRequest
from app.services.resharing import Resharings
from app.services.retention import Retention
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.sessions import Sessions
from app.services.simulation import Simulation
from app.services.staff import Staff
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.services.wallets import Wallets
from contracts.rpc import Rpc
from tests.app.installations import settings_of
from tests.app.people import PASSWORD, register

pytestmark = pytest.mark.slow

# Tables that stand for nothing that was put on the chain.
FREE_TABLES = {
    "users": "people: what is decided about them is in the audit log, which is anchored",
    "sessions": "browsers that are signed in",
    "wallets": "links of people to addresses: decided in the audit log",
    "wallet_nonces": "numbers that are used once and then gone",
    "operators": "who belongs to a hospital: decided in the audit log",
    "approval_rules": "signed by an operator's wallet, which the hospital checks; in the audit log",
    "approvals": "signed by an operator's wallet, which the hospital checks; in the audit log",
    "outbox": "signed transactions on their way; once they are mined, the chain has them",
    "jobs": "requests: what became of one is a training or an entry of the audit log",
    "checks": "what an earlier check found: the next one does not rely on it",
    "check_differences": "what an earlier check found: the next one does not rely on it",
    "party_progress": "what a live page shows while a training runs",
    "steps": "durations and sizes as this machine measured them",
    "batches": "a doctor's file, for some days: one that is altered does not open with the own key",
    "batch_pieces": "the same: nobody without the doctor's key makes a box that it opens",
    "faults": "what the coordinator met; nobody else signs it",
}

# Columns that nothing anchors, in tables of which the others are.
FREE_COLUMNS = {
    "appeals.problem": "why the ledger refused one, which therefore is not on it",
    "appeals.asked_by": "decided in the audit log",
    "appeals.asked_at": "this machine's clock; the blocks have their own times",
    "appeal_opinions.id": "a number that nothing refers to",
    "appeal_opinions.problem": "why the ledger refused one, which therefore is not on it",
    "appeal_opinions.decided_by": "decided in the audit log",
    "appeal_opinions.decided_at": "this machine's clock; the blocks have their own times",
    "promotions.id": "a number that nothing refers to",
    "promotions.problem": "why the ledger refused one, which therefore is not on it",
    "promotions.asked_by": "decided in the audit log",
    "promotions.asked_at": "this machine's clock; the blocks have their own times",
    "trainings.plain_accuracy": "a comparison with all rows together, which only a simulation has",
    "trainings.fedavg_accuracy": "a comparison that only a simulation can make",
    "trainings.oracle_accuracy": "a comparison that only a simulation can make",
    "trainings.simulation": "who attacks stands on no chain",
    "trainings.started_at": "this machine's clock; the blocks have their own times",
    "trainings.ended_at": "this machine's clock; the blocks have their own times",
    "attempts.started_at": "this machine's clock; the blocks have their own times",
    "attempts.ended_at": "this machine's clock; the blocks have their own times",
    "submissions.id": "a number that nothing refers to",
    "votes.id": "a number that nothing refers to",
    "messages.id": "a number that nothing refers to",
    "evaluations.id": "a number that nothing refers to",
    "parties.id": "a number that nothing refers to",
    "doctor_keys.locked": "opens with the doctor's password, or not at all",
    "doctor_keys.created_at": "this machine's clock; the audit log has its own times",
    "doctor_keys.lost_at": "this machine's clock; that it is lost is compared",
    "cases.made_at": "this machine's clock; the audit log has its own times",
    "patients.erased_at": "this machine's clock; that it is erased is compared",
    "patients.created_at": "this machine's clock; the audit log has its own times",
    "patient_entries.id": "a number that nothing refers to",
    "patient_entries.made_at": "this machine's clock; the audit log has its own times",
    "patient_entries.prolongs": "counts for when a record is due only, as the machine's clock does",
    "patient_versions.made_at": "this machine's clock; the audit log has its own times",
    "openings.share": "lent for a while: one that is altered is named when it is used",
    "openings.asked_at": "this machine's clock; the audit log has its own times",
    "openings.opened_at": "this machine's clock; the audit log has its own times",
    "openings.until": "this machine's clock: how long is the server's word",
    "openings.ended_at": "this machine's clock; the audit log has its own times",
    "opening_answers.answered_at": "this machine's clock; the audit log has its own times",
    "opening_answers.share": "lent for a while: one that is altered is named when it is used",
    "resharings.begun_at": "this machine's clock; the audit log has its own times",
    "doctor_accounts.sealed": "opens with the doctor's key, or not at all",
    "doctor_accounts.made_at": "this machine's clock; the audit log has its own times",
    "record_chains.gas_price": "what the worker found; a price that is not paid is refused",
    "record_steps.made_at": "this machine's clock; the blocks have their own times",
    "record_transactions.id": "their order; the blocks have it",
    "record_transactions.nonce": "in the signed bytes, whose hash is compared",
    "ledger_roles.granted_at": "this machine's clock; the blocks have their own times",
}

# What the differences of a table's rows begin with.
NAMED = {
    "appeals": "appeal",
    "appeal_opinions": "appeal",
    "audit": "audit log",
    "audit_head": "audit log",
    "deployments": "contract",
    "ledger_copies": "copy of the ledger",
    "ledger_events": "copy of the ledger",
    "ledger_mentions": "copy of the ledger",
    "ledger_roles": "role ",
    "ledger_transactions": "copy of the ledger",
    "cases": "sealed record",
    "parties": "part(y|ies)",
    "promotions": "promotion",
    "doctor_accounts": "(account of a doctor|sealing|opening)",
    "doctor_keys": "(doctor’s key|sealed record|opening|account of a doctor|sealing)",
    "record_chains": "contract of sealed records",
    "record_steps": "(step |record |opening|sealing|transaction|.* of a sealed record)",
    "record_transactions": "(transaction|sealing|opening|.* of a sealed record)",
    "patients": "((sealed|prolonged) record|opening|record |step |sealing)",
    "patient_versions": "sealed record",
    "patient_entries": "sealed record",
    "carers": "(sealed record|record )",
    "openings": "opening",
    "opening_answers": "opening",
    "resharings": "resharing",
    "resharing_records": "resharing",
    "resharing_parts": "resharing",
    "results": "(stored|results|training .*result)",
}
TRAINING = "training"

# Files of a party that are no model, result or message.
FREE_FILES = {
    r"keystore\.json|(signing|cases)\.pem": "keys: one that is altered does not open",
    r".*/head": "the block that a node saw last: the node checks it itself, by its signature",
    r".*/set": "what a node promised to itself; its signed set is compared",
    r".*/(last-session|session/\d+|slices)": "notes of a review for the node alone",
}

QUICK = settings(
    max_examples=2,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Kept:
    """A finished installation, and the copy from which its database is restored."""

    federation: Federation
    pristine: Path

    @property
    def path(self) -> Path:
        return Path(str(self.federation.database.engine.url.database))

    def restore(self) -> None:
        """Take every change back, byte by byte."""
        copy(self.pristine, self.path)

    def found(self) -> list[str]:
        """What differs now."""
        return [str(one) for one in Verification(self.federation).run().differences]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """One finished training in which a hospital attacks; the log is anchored, the ledger copied."""
    folder = tmp_path_factory.mktemp("columns") / "instance"
    with open_federation(settings_of(folder)) as federation:
        trainings = Trainings(federation)
        plan = trainings.plan(TrainingRequest(rounds=2, local_epochs=1))
        started = trainings.start(plan, simulation=Simulation("label-flip", ("Hungary",)))
        assert trainings.run(started, lambda _: None).finished
        promote(federation, started)
        log = AuditLog(federation.database)
        for number in range(3):
            log.add("Ada", "training.requested", f"job {number}", {"rounds": number})
        grant_role(federation, log)
        appeal(federation, started)
        seal_records(federation, log)
        Anchoring(federation.database, federation.ledger.anchors).bring_up()
        log.add("Ada", "user.authorised", "somebody")  # Not anchored yet: the head names it.
        LedgerIndex(federation.database).catch_up(federation.ledger)
        with federation.database.engine.begin() as connection:
            for trigger in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger[0]}")
        made = Kept(federation, folder.parent / "pristine.db")
        copy(made.path, made.pristine)
        with pytest.MonkeyPatch.context() as patch:
            ask_once(patch, federation)
            assert made.found() == []
            yield made


def ask_once(patch: pytest.MonkeyPatch, federation: Federation) -> None:
    """Let the chain, which stays as it is, be asked for the same once in all examples."""
    ledger, answers, ask = federation.ledger, {}, Rpc.call

    def call(rpc: Rpc, method: str, *params: Any) -> Any:
        question = method, json.dumps(params)
        if question not in answers:
            answers[question] = ask(rpc, method, *params)
        return answers[question]

    patch.setattr(Rpc, "call", call)
    patch.setattr(ledger, "block", cache(ledger.block))
    patch.setattr(ledger, "transaction", cache(ledger.transaction))


def grant_role(federation: Federation, log: AuditLog) -> None:
    """A doctor with a wallet, whose role stands on the registry."""
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts, wallets = (
        Accounts(federation.database, log, cheap),
        Wallets(federation.database, log),
    )
    ada, bob = register(accounts, "ada", ADMINISTRATOR), register(accounts, "bob")
    accounts.authorise(ada, bob.id, DOCTOR)
    address = Account.create().address
    wallets.link(bob, address)
    wallets.authorise(ada, bob.id, address)
    roles = LedgerRoles(federation.database)
    assert roles.bring_up(federation.deployment, federation.ledger.registry) == 1


def seal_records(federation: Federation, log: AuditLog) -> None:
    """Two patients of three doctors; one's record is open, the other's was asked for.

    Then a doctor leaves, and another deals parts of new shares.
    """
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    database = federation.database
    accounts = Accounts(database, log, cheap)
    ada = register(accounts, "eda", ADMINISTRATOR)
    rows = [
        accounts.authorise(ada, register(accounts, name).id, DOCTOR)
        for name in ("gia", "hal", "ivo")
    ]
    keys = OpenKeys(database, DoctorKeys(database, log, cheap))
    opened = []
    for row in rows:
        token = Sessions(database).open(row)
        key = keys.find(token, keys.unlock(row, token, PASSWORD))
        assert key is not None
        opened.append(key)
    roles, signing = LedgerRoles(database), RecordSigning(database)
    roles.bring_up(federation.deployment, federation.ledger.registry)
    assert record_ledger.bring_up(federation)
    escrow = Escrow.of(federation.settings)
    openings, patients = Openings(database, log, escrow), Patients(database, log, escrow)
    consent = Consent(AGREED, AGREED, on="2020-01-02", noted_by="gia")
    cases = Cases.of(federation.settings)
    Staff(database, log).assign(ada, rows[0].id, "Hungary")
    greta = Attributes("Lind", "Greta", "1951-03-08", consent=consent)
    until = now().date().replace(year=now().year + 20, day=1)
    for approved in (True, False):
        others = [row.id for row in rows[1:]]
        patient = patients.create(rows[0], greta, others, 2)
        answer = Answer(
            "heart",
            "Heart",
            "61 %",
            (("Age", "63"),),
            "version 1",
            "ab" * 32,
            "now",
            risk=0.61,
            inputs=(("age", 63.0),),
        )
        patients.keep(rows[1], opened[1], patient, answer)
        Retention(database, log, openings, 10).prolong(
            rows[1], opened[1], patient, until, "A trial"
        )
        asked = openings.ask(rows[0], opened[0], patient, "A fall")
        if approved:
            openings.approve(rows[1], opened[1], asked)
            openings.decline(rows[2], asked)
            openings.open(rows[0], opened[0], asked)
            Outcomes(database, log, openings, cases).note(
                rows[0], opened[0], patient, Outcome(answer.reference, TRUE, "2026-01-02")
            )
            OpenRecords(database, log, escrow, openings, cases).revise(
                rows[0], opened[0], patient, greta
            )
    newcomer = accounts.authorise(ada, register(accounts, "jil").id, DOCTOR)
    keys.unlock(newcomer, Sessions(database).open(newcomer), PASSWORD)
    accounts.suspend(ada, rows[2].id, "left")
    resharings = Resharings(database, log, escrow, openings)
    begun = resharings.begin(rows[0], opened[0], {rows[2].id: newcomer.id})
    assert begun.records == 2
    assert resharings.deal(rows[0], opened[0], begun.id) == 0
    for number in (0, 1, 2, 0):
        signing.sign_waiting(rows[number], opened[number])
    assert record_ledger.bring_up(federation)


def appeal(federation: Federation, training: str) -> None:
    """The attacker's appeal, which two people uphold."""
    with federation.database.transaction() as session:
        people = session.scalars(select(UserRow.id).limit(2)).all()
        row = AppealRow(
            deployment_id=federation.deployment,
            training_id=training,
            round=1,
            hospital="Hungary",
            asked_by=people[0],
            **reason(),
        )
        session.add(row)
    assert write_appeals(federation)
    for person in people:
        with federation.database.transaction() as session:
            session.add(OpinionRow(appeal_id=row.id, upheld=True, decided_by=person, **reason()))
        assert write_appeals(federation)


def reason() -> dict[str, str]:
    """A reason with its salt and digest, as rows hold them."""
    salt, told = bytes(range(32)), "the fixture wants one"
    return {"reason": told, "salt": salt.hex(), "reason_sha256": reason_digest(salt, told).hex()}


def promote(federation: Federation, training: str) -> None:
    """Put its model into use, though it was attacked: no page would, and no chain knows."""
    reason = "the fixture wants one"
    with federation.database.transaction() as session:
        row = session.get_one(TrainingRow, training)
        salt = bytes(range(32))
        session.add(
            PromotionRow(
                deployment_id=row.deployment_id,
                task=row.task,
                training_id=training,
                model_sha256=row.model_sha256,
                rounds=row.rounds,
                back=False,
                reason=reason,
                salt=salt.hex(),
                reason_sha256=reason_digest(salt, reason).hex(),
            )
        )
    write_waiting(federation)


def copy(source: Path, target: Path) -> None:
    """Make one database file the same as another, also while connections to it are open."""
    with closing(sqlite3.connect(source)) as of, closing(sqlite3.connect(target)) as to:
        of.backup(to)


def anchored_tables() -> list[Table]:
    return [one for one in Base.metadata.sorted_tables if one.name not in FREE_TABLES]


def anchored_columns() -> list[Column[Any]]:
    every = [column for table in anchored_tables() for column in table.columns]
    return [one for one in every if str(one) not in FREE_COLUMNS]


def hexadecimal_columns() -> list[Column[Any]]:
    """The columns that are as long as a hash in hexadecimal digits."""
    return [one for one in anchored_columns() if getattr(one.type, "length", None) == HASH]


def test_what_is_listed_as_free_exists() -> None:
    tables = Base.metadata.tables
    assert FREE_TABLES.keys() <= tables.keys()
    assert FREE_COLUMNS.keys() <= {str(c) for table in anchored_tables() for c in table.columns}


@pytest.mark.parametrize("column", anchored_columns(), ids=str)
@QUICK
@given(data=st.data())
def test_an_altered_value_is_found(kept: Kept, column: Column[Any], data: st.DataObject) -> None:
    table = column.table
    assert isinstance(table, Table)
    row, value = drawn_row(kept, table, column, data)
    other = another(column, value, data)
    change(kept, update(table).where(literal_column("rowid") == row).values({column: other}))
    assert_named(kept, table)


@pytest.mark.parametrize("column", hexadecimal_columns(), ids=str)
def test_the_same_digits_written_otherwise_are_found(kept: Kept, column: Column[Any]) -> None:
    """Bytes read from capital digits, or with a space, are the same; the text kept is not."""
    table = column.table
    assert isinstance(table, Table)
    capitals = func.upper(column)
    altered = select(column).where(capitals != column).limit(1)
    with kept.federation.database.engine.connect() as connection:
        value = connection.execute(altered).scalar_one_or_none()
    assert value is not None, "the installation has no row to alter"
    for other in (value.upper(), f"{value[:2]} {value[2:]}"):
        change(kept, update(table).where(column == value).values({column: other}))
        assert_named(kept, table)


@pytest.mark.parametrize("table", anchored_tables(), ids=lambda one: one.name)
@QUICK
@given(data=st.data())
def test_a_removed_row_is_found(kept: Kept, table: Table, data: st.DataObject) -> None:
    row, _ = drawn_row(kept, table, literal_column("rowid"), data)
    change(kept, delete(table).where(literal_column("rowid") == row))
    assert_named(kept, table)


def drawn_row(
    kept: Kept, table: Table, column: Column[Any], data: st.DataObject
) -> tuple[int, Any]:
    """The rowid of any row of the table, and what the column holds in it."""
    with kept.federation.database.engine.connect() as connection:
        rows = connection.execute(select(literal_column("rowid"), column).select_from(table)).all()
    assert rows, f"the installation has no row in {table.name} to alter"
    row, value = rows[data.draw(st.integers(0, len(rows) - 1), label="row")]
    return row, value


def another(column: Column[Any], value: Any, data: st.DataObject) -> Any:
    """Another value of the same type; of text and bytes mostly one that differs in one place."""
    if isinstance(column.type, JSON):
        text = altered_text(json.dumps(value), data)
        try:
            other = json.loads(text)
        except ValueError:
            other = text  # What is no JSON as stored is text here: not what was there, either.
        assume(other != value)
        return other
    if isinstance(column.type, Boolean):
        return not value
    kind = column.type.python_type if value is None else type(value)
    if kind is bytes:
        return altered_bytes(value or b"", data)
    if kind is str:
        return altered_text(value or "", data)
    if kind is datetime:
        return value + timedelta(microseconds=data.draw(st.integers(1, 10**15)))
    if kind is date:
        return (value or date(2000, 1, 1)) + timedelta(days=data.draw(st.integers(1, 10**5)))
    numbers = st.integers(0, 2**31 - 1) if kind is int else st.floats(0, 1)
    near = st.sampled_from([(value or 0) + 1, (value or 0) + 2])
    return data.draw((numbers | near).filter(lambda number: number != value), label="number")


def altered_text(value: str, data: st.DataObject) -> str:
    characters = st.characters(codec="utf-8", exclude_characters="\0")
    if not value:
        return data.draw(st.text(characters, min_size=1, max_size=3), label="text")
    place = data.draw(st.integers(0, len(value) - 1), label="place")
    new = data.draw(characters.filter(lambda one: one != value[place]), label="character")
    return value[:place] + new + value[place + 1 :]


def altered_bytes(value: bytes, data: st.DataObject) -> bytes:
    place = data.draw(st.integers(0, len(value) - 1), label="place")
    flip = data.draw(st.integers(1, 255), label="flipped bits")
    return value[:place] + bytes([value[place] ^ flip]) + value[place + 1 :]


def change(kept: Kept, statement: Any) -> None:
    """Execute it as somebody with the file in hand would: no key of another table stops it."""
    kept.restore()
    with kept.federation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        try:
            connection.execute(statement)
        except IntegrityError:
            reject()  # Another row has this value already.
        connection.commit()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def assert_named(kept: Kept, table: Table) -> None:
    try:
        found = kept.found()
    finally:
        kept.restore()
    named = re.compile(NAMED.get(table.name, TRAINING))
    assert any(named.match(one) for one in found), found


def files(kept: Kept) -> list[Path]:
    root = kept.federation.settings.instance_dir / "parties"
    return sorted(path for path in root.rglob("*") if path.is_file())


def kind_of(path: Path, parties: Path) -> str:
    """What a party's file is: `results`, `update`, `dealing`, `said`, `sum`, `answers`, or free."""
    inside = "/".join(path.relative_to(parties).parts[1:])
    if any(re.fullmatch(free, inside) for free in FREE_FILES):
        return ""
    if (found := re.search(r"(results|said|update$|dealing$|sum$|answers)", inside)) is None:
        raise AssertionError(f"say whether anything anchors {inside}")
    return found[1]


@pytest.mark.parametrize("kind", ["results", "update", "dealing", "said", "sum", "answers"])
@pytest.mark.parametrize("gone", [False, True], ids=["altered", "removed"])
@QUICK
@given(data=st.data())
def test_an_altered_file_of_a_party_is_found(
    kept: Kept, kind: str, gone: bool, data: st.DataObject
) -> None:
    parties = kept.federation.settings.instance_dir / "parties"
    of_kind = [path for path in files(kept) if kind_of(path, parties) == kind]
    path = data.draw(st.sampled_from(of_kind), label="file")
    before = path.read_bytes()
    try:
        path.unlink()
        if not gone:
            path.write_bytes(altered_bytes(before, data))
        found = kept.found()
    finally:
        path.write_bytes(before)
    party = path.relative_to(parties).parts[0].replace("-", " ")
    assert any(party in one.lower() for one in found), (path, found)


def test_an_added_row_of_the_audit_log_is_found(kept: Kept) -> None:
    """Not only what is there can be altered: who adds an entry without its hash is found, too."""
    table = Base.metadata.tables["audit"]
    with kept.federation.database.engine.connect() as connection:
        last = connection.execute(select(func.max(table.c.id))).scalar_one()
        row = dict(connection.execute(select(table).where(table.c.id == last)).mappings().one())
    row |= {"id": last + 1, "previous_sha256": row["sha256"], "sha256": "0" * 64}
    change(kept, table.insert().values(row))
    assert_named(kept, table)
