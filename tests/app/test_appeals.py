"""A rejected hospital appeals by its own account, and two administrators decide on the ledger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text
from sqlalchemy.orm import selectinload

from app.errors import RequestError
from app.models import AppealRow, AttemptRow, OpinionRow, SubmissionRow, TrainingRow, UserRow
from app.services.accounts import Accounts
from app.services.appeal_check import check_appeals
from app.services.appeal_view import Appeal, AppealViews
from app.services.appeal_writing import has_work, write_waiting
from app.services.appeals import DISMISSED, OPEN, REFUSED, UPHELD, WAITING, Appeals
from app.services.audit import AuditLog
from app.services.check_report import Report
from app.services.dossier import Dossiers
from app.services.dossier_check import check_dossier
from app.services.federation import DEPUTY, Federation, open_federation
from app.services.keys import party_folder
from app.services.ledger_index import LedgerIndex
from app.services.ledger_timeline import round_timeline
from app.services.passwords import Passwords
from app.services.promotions import reason_digest
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR, OPERATOR
from app.services.simulation import Simulation
from app.services.staff import Staff
from app.services.trainings import Trainings
from app.services.verification import Verification
from contracts.artifact import APPEALS
from contracts.errors import RpcFailed
from contracts.reader import LedgerReader
from contracts.records import Decision
from fl.round import Event
from tests.app.installations import settings_of
from tests.app.people import register

WHY = "Our patients are older than the others’"


@dataclass
class Clinic:
    """An installation whose only round rejected Hungary; two administrators and its operator."""

    federation: Federation
    training: str
    people: dict[str, UserRow]

    @property
    def appeals(self) -> Appeals:
        return Appeals(self.federation.database, AuditLog(self.federation.database))

    def ask(self) -> AppealRow:
        return self.appeals.ask(self.people["operator"], self.training, 1, WHY)

    def opened(self) -> int:
        """An appeal that the worker wrote on the ledger."""
        number = self.ask().id
        assert write_waiting(self.federation)
        return number

    def say(self, who: str, upheld: bool) -> None:
        """Decide, and have it written."""
        self.appeals.decide(self.people[who], self.view().id, upheld, f"{who} thinks so")
        assert write_waiting(self.federation)

    def view(self) -> Appeal:
        (found,) = AppealViews(self.federation.database).every()
        return found

    def row(self) -> AppealRow:
        with self.federation.database.transaction() as session:
            query = select(AppealRow).options(selectinload(AppealRow.opinions))
            return session.scalars(query).one()

    def row_of(self, training: str) -> AppealRow:
        with self.federation.database.transaction() as session:
            query = select(AppealRow).options(selectinload(AppealRow.opinions))
            return session.scalars(query.filter_by(training_id=training)).one()

    def on_ledger(self) -> tuple[Decision, int | None]:
        appeals = self.federation.ledger.appeals
        assert appeals is not None
        account = self.federation.keys("Hungary").account
        found = appeals.find_appeal(bytes.fromhex(self.training), 1, account)
        assert found is not None
        return found.decision, appeals.upheld_at(bytes.fromhex(self.training), account)

    def found(self) -> list[str]:
        """What the check against the chain finds."""
        report = Report()
        with self.federation.database.transaction() as session:
            check_appeals(report, self.federation, session)
        return [str(one) for one in report.differences]

    def actions(self) -> list[str]:
        return [one.action for one in AuditLog(self.federation.database).entries().entries]


@pytest.fixture
def clinic(attacked_folder: Path, tmp_path: Path) -> Iterator[Clinic]:
    folder = tmp_path / "instance"
    shutil.copytree(attacked_folder, folder)
    with open_federation(settings_of(folder)) as federation:
        log = AuditLog(federation.database)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        accounts = Accounts(federation.database, log, cheap)
        ada = register(accounts, "ada", ADMINISTRATOR)
        people = {"ada": ada}
        for name, role in (("eve", ADMINISTRATOR), ("joe", ADMINISTRATOR), ("operator", OPERATOR)):
            people[name] = accounts.authorise(ada, register(accounts, name, role).id, role)
        Staff(federation.database, log).assign(ada, people["operator"].id, "Hungary")
        with federation.database.transaction() as session:
            training = session.scalars(select(TrainingRow.id)).one()
        yield Clinic(federation, training, people)


def test_the_hospital_opens_the_hash_that_the_ledger_has_of_its_update(clinic: Clinic) -> None:
    row = clinic.ask()
    assert row.state == WAITING
    assert has_work(clinic.federation.database)
    assert write_waiting(clinic.federation)
    assert not has_work(clinic.federation.database)
    view = clinic.view()
    assert (view.state, view.opens, view.hospital) == (OPEN, True, "Hungary")
    assert view.update_salt != view.update_content
    sent = clinic.federation.ledger.transaction(view.transaction or "")
    assert sent.sender == clinic.federation.keys("Hungary").account
    digest = reason_digest(bytes.fromhex(row.salt), WHY)
    assert sent.arguments["reason_hash"] == digest
    assert clinic.on_ledger() == (Decision.NONE, None)
    LedgerIndex(clinic.federation.database).catch_up(clinic.federation.ledger)
    _, appeals = round_timeline(clinic.federation.database, clinic.training, 1)
    assert (appeals.number, len(appeals.steps)) == (0, 1)
    assert clinic.actions()[:2] == ["appeal.filed", "appeal.asked"]
    assert clinic.found() == []
    with pytest.raises(RequestError, match="You asked for this already"):
        clinic.ask()


def test_two_administrators_uphold_it_by_two_accounts(clinic: Clinic) -> None:
    clinic.opened()
    clinic.say("ada", upheld=True)
    assert clinic.view().state == OPEN
    with pytest.raises(RequestError, match="Another administrator"):
        clinic.appeals.decide(clinic.people["ada"], clinic.view().id, True, "I insist")
    clinic.say("eve", upheld=True)
    federation, row = clinic.federation, clinic.row()
    assert row.state == UPHELD
    assert clinic.on_ledger() == (Decision.UPHELD, row.decided_block)
    both = [federation.ledger.account, federation.keys(DEPUTY).account]
    assert [one.account for one in row.opinions] == both
    assert clinic.actions()[0] == "appeal.upheld"
    assert clinic.found() == []
    with pytest.raises(RequestError, match="not open"):
        clinic.appeals.decide(clinic.people["joe"], row.id, False, "No")


def test_who_disagrees_waits_for_a_third_or_a_change_of_mind(clinic: Clinic) -> None:
    clinic.opened()
    clinic.say("ada", upheld=True)
    clinic.say("eve", upheld=False)
    assert clinic.on_ledger() == (Decision.NONE, None)
    clinic.say("joe", upheld=False)
    assert clinic.view().state == DISMISSED
    assert clinic.on_ledger() == (Decision.DISMISSED, None)
    assert clinic.found() == []


def test_one_person_never_decides_alone(clinic: Clinic) -> None:
    clinic.opened()
    for upheld in (True, False, True, False):
        clinic.say("ada", upheld=upheld)
        assert clinic.view().state == OPEN
        assert clinic.on_ledger() == (Decision.NONE, None)
    standing = [one for one in clinic.view().opinions if one.standing]
    assert [one.upheld for one in standing] == [False]
    clinic.say("eve", upheld=False)
    assert clinic.view().state == DISMISSED
    assert clinic.found() == []


def test_an_altered_folder_opens_nothing(clinic: Clinic) -> None:
    root = clinic.federation.settings.instance_dir / "parties"
    state = party_folder(root, "Hungary") / "state" / clinic.training / "1" / "attempt-1"
    update = state / "update"
    update.write_bytes(bytes([update.read_bytes()[0] ^ 1]) + update.read_bytes()[1:])
    clinic.ask()
    assert write_waiting(clinic.federation)
    row = clinic.row()
    assert (row.state, row.update_salt) == (REFUSED, None)
    assert "does not open the update’s hash" in row.problem
    assert clinic.actions()[0] == "appeal.refused"
    assert clinic.found() == []


def test_a_chain_that_does_not_take_it_delays_it(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.ask()

    def down(*_: object) -> None:
        raise RpcFailed("eth_call", -32000, "busy")

    with monkeypatch.context() as away:
        away.setattr(LedgerReader, "find_submission", down)
        assert not write_waiting(clinic.federation)
    assert clinic.view().state == WAITING
    assert write_waiting(clinic.federation)
    assert clinic.view().state == OPEN


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE appeals SET reason = 'another'", "reason"),
        (f"UPDATE appeals SET update_content = '{'0' * 64}'", "opened hash"),
        ("UPDATE appeals SET state = 'dismissed'", "decision"),
        ("UPDATE appeals SET decided_block = 1", "block of the decision"),
        ("UPDATE appeal_opinions SET upheld = 0", "opinion 1, upheld"),
        ("UPDATE appeal_opinions SET account = '0x'", "opinion 2, account"),
        ("DELETE FROM appeal_opinions", "opinions"),
        ("DELETE FROM appeals", "appeal of Hungary in round 1"),
    ],
)
@pytest.mark.slow
def test_what_is_altered_is_named(clinic: Clinic, change: str, named: str) -> None:
    clinic.opened()
    clinic.say("ada", upheld=True)
    clinic.say("eve", upheld=True)
    assert clinic.found() == []
    with clinic.federation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.execute(text(change))
        connection.commit()
    assert any(named in one for one in clinic.found())


def test_what_no_chain_has_is_named(clinic: Clinic) -> None:
    row = clinic.ask()
    with clinic.federation.database.transaction() as session:
        session.get_one(AppealRow, row.id).state = OPEN
        session.add(
            OpinionRow(
                appeal_id=row.id,
                upheld=True,
                reason="",
                salt="",
                reason_sha256="",
                decided_by=clinic.people["ada"].id,
            )
        )
    assert len(clinic.found()) == 1


@pytest.mark.slow
def test_what_was_upheld_in_a_training_counts_in_its_next_round(clinic: Clinic) -> None:
    """Stored, checked by verify, and shown by the round's dossier, which proves both decisions."""
    federation, people = clinic.federation, clinic.people
    trainings = Trainings(federation)
    plan = trainings.plan(TrainingRequest(rounds=3, local_epochs=1))
    started = trainings.start(plan, simulation=Simulation("label-flip", ("Hungary",)))

    asked: list[Event] = []

    def watch(event: Event) -> None:
        """As soon as round 1 is over; round 2 is opened by then."""
        if event.key.round == 2 and not asked:
            asked.append(event)
            made = clinic.appeals.ask(people["operator"], started, 1, WHY)
            assert write_waiting(federation)
            for who in ("ada", "eve"):
                clinic.appeals.decide(people[who], made.id, True, "They are older")
                assert write_waiting(federation)

    assert trainings.run(started, watch).finished
    with federation.database.transaction() as session:
        query = select(AttemptRow.round, SubmissionRow.verdict, SubmissionRow.reason)
        query = query.join(AttemptRow, AttemptRow.id == SubmissionRow.attempt_id)
        query = query.where(AttemptRow.training_id == started, SubmissionRow.hospital == "Hungary")
        found = {row.round: row for row in session.execute(query)}
    assert [found[number].verdict for number in (1, 2, 3)] == ["rejected", "rejected", "accepted"]
    assert found[3].reason.endswith("accepted on appeal")
    assert Verification(federation).run().differences == []
    dossiers = Dossiers(federation.database, federation.ledger)
    data, fingerprint = dossiers.write(started, 3), federation.ledger.fingerprint()
    assert check_dossier(data, fingerprint).genuine
    assert "appeals" not in json.loads(dossiers.write(started, 2))["contracts"]
    document = json.loads(data)
    assert document["contracts"]["appeals"] == federation.ledger.addresses[APPEALS]
    roles = dict.fromkeys(role for _, role in check_dossier(data).signers)
    assert "administrator" in roles
    # Without the second decision nothing was upheld, so that the set is another one.
    record = clinic.row_of(started)
    sent = record.opinions[-1].transaction
    for block in document["blocks"]:
        kept = [one for one in block["transactions"] if f"0x{one['hash']}" != sent]
        document["transactions"] -= len(block["transactions"]) - len(kept)
        block["transactions"] = kept
    document["blocks"] = [block for block in document["blocks"] if block["transactions"]]
    told = [str(one) for one in check_dossier(json.dumps(document).encode()).differences]
    assert any("agreed set" in one for one in told)
