"""A model comes into use by the ledger: the first one by itself, later ones by a person's word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, text

from app.errors import ModelRefused, RequestError
from app.models import PromotionRow, UserRow
from app.services import work
from app.services.audit import AuditLog
from app.services.check_report import Report
from app.services.federation import Federation, open_federation
from app.services.jobs import Jobs
from app.services.predictions import Predictions
from app.services.progress import PartyProgress
from app.services.promotion_check import check_promotions
from app.services.promotions import FIRST, Wishes, has_work, reason_digest, write_waiting
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.versions import TaskVersions, Versions
from app.services.work import Worker
from contracts.errors import RpcFailed
from contracts.promotions import Promotions
from contracts.reader import LedgerReader
from fl.round import Event as RoundEvent
from tests.app.installations import settings_of

REASON = "Five points better balanced, on the same hospitals"
ATTACK = '{"attack": "label-flip", "attackers": ["Hungary"]}'


@dataclass(frozen=True)
class Clinic:
    """An installation with two finished heart trainings; the first was put into use by itself."""

    federation: Federation
    person: UserRow
    first: str
    second: str

    @property
    def ledger(self) -> Promotions:
        found = self.federation.ledger.promotions
        assert found is not None
        return found

    @property
    def predictions(self) -> Predictions:
        return Predictions(self.federation.database, self.federation.reader)

    def ask(self, training: str, reason: str = REASON) -> PromotionRow:
        database = self.federation.database
        return Wishes(database, AuditLog(database)).ask(self.person, training, reason)

    def versions(self) -> TaskVersions:
        return Versions(self.federation.database).of("heart")

    def rows(self) -> list[PromotionRow]:
        with self.federation.database.transaction() as session:
            return list(session.scalars(select(PromotionRow).order_by(PromotionRow.id)))

    def used(self) -> str:
        """The training whose model a prediction takes, after every check against the chain."""
        version = self.predictions.check("heart").version
        return next(one for one in (self.first, self.second) if one[:8] in version)

    def unused(self) -> str:
        return self.second if self.used() == self.first else self.first

    def actions(self) -> list[str]:
        return [one.action for one in AuditLog(self.federation.database).entries().entries]

    def execute(self, statement: str, **values: object) -> None:
        """Change the database as somebody with the file in hand would."""
        with self.federation.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.execute(text(statement), values)
            connection.commit()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")

    @contextmanager
    def altered(self, table: str, column: str, key: object, value: object) -> Iterator[None]:
        """The value stands in the row until the end."""
        query = text(f'SELECT "{column}" FROM {table} WHERE id = :key')
        with self.federation.database.transaction() as session:
            before = session.execute(query, {"key": key}).scalar_one()
        change = f'UPDATE {table} SET "{column}" = :value WHERE id = :key'
        self.execute(change, value=value, key=key)
        try:
            yield
        finally:
            self.execute(change, value=before, key=key)

    def found(self) -> list[str]:
        """What the check against the chain finds."""
        report = Report()
        with self.federation.database.transaction() as session:
            check_promotions(report, self.federation, session)
        assert report.checked
        return [str(one) for one in report.differences]


@pytest.fixture(scope="module")
def trained_twice(
    trained: Mapping[str, Any], trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("promotions") / "instance"
    shutil.copytree(trained_folder, folder)
    with open_federation(settings_of(folder)) as federation:
        person = UserRow(
            email="ada@clinic.example",
            name="Ada",
            address="Road 1",
            asked_role="administrator",
            password_hash="",
        )
        with federation.database.transaction() as session:
            session.add(person)
        trainings = Trainings(federation)
        request = TrainingRequest(rounds=1, local_epochs=1, review=False)
        second = trainings.start(trainings.plan(request))
        assert trainings.run(second, lambda _: None).finished
        yield Clinic(federation, person, trained["training"], second)


@pytest.fixture
def clinic(trained_twice: Clinic) -> Iterator[Clinic]:
    """What a test leaves waiting is taken back; the chain keeps what was written."""
    yield trained_twice
    trained_twice.execute("DELETE FROM promotions WHERE state <> 'done'")


def test_the_first_training_of_a_task_is_used_and_a_later_one_waits(clinic: Clinic) -> None:
    (row,) = clinic.rows()
    assert (row.training_id, row.state, row.position, row.back) == (clinic.first, "done", 0, False)
    assert (row.reason, row.asked_by) == (FIRST, None)
    assert clinic.used() == clinic.first
    newer, older = clinic.versions().versions
    assert (older.training, older.in_use, older.number) == (clinic.first, True, 1)
    assert (newer.training, newer.in_use, newer.number) == (clinic.second, False, 2)
    assert newer.refusal == ""
    assert "in use already" in older.refusal
    assert "model.promoted" in clinic.actions()
    assert clinic.found() == []


def test_a_person_promotes_and_rolls_back_on_the_ledger(clinic: Clinic) -> None:
    asked = clinic.ask(clinic.second, f"  {REASON}\n")
    assert clinic.versions().waiting
    # Nothing changes before the ledger says so.
    assert clinic.used() == clinic.first
    with pytest.raises(RequestError, match="Another change of this model is being written"):
        clinic.ask(clinic.second)
    write_waiting(clinic.federation)
    assert not has_work(clinic.federation.database)
    assert clinic.used() == clinic.second
    record = clinic.ledger.find_in_use("heart")
    assert record is not None
    assert record.reason_hash == reason_digest(bytes.fromhex(asked.salt), REASON)
    assert not record.back
    assert clinic.actions()[:2] == ["model.promoted", "model.promotion_asked"]
    change = clinic.versions().versions[0].changes[0]
    assert (change.by, change.reason, change.state) == ("Ada", REASON, "done")

    assert clinic.versions().versions[1].used_before
    clinic.ask(clinic.first, "It was wrong about women")
    write_waiting(clinic.federation)
    assert clinic.used() == clinic.first
    assert [one.back for one in clinic.ledger.history("heart")] == [False, False, True]
    assert clinic.actions()[:2] == ["model.rolled_back", "model.roll_back_asked"]

    # The newer one again: for the ledger it was in use before, for people nothing is rolled back.
    assert clinic.versions().versions[0].way == "used again"
    clinic.ask(clinic.second, "It was right after all")
    write_waiting(clinic.federation)
    assert clinic.used() == clinic.second
    assert clinic.ledger.history("heart")[-1].back
    assert clinic.actions()[:2] == ["model.used_again", "model.use_again_asked"]
    newer, older = clinic.versions().versions
    assert [one.way for one in newer.changes] == ["used again", "promoted"]
    assert [one.way for one in older.changes] == ["rolled back", "promoted"]
    assert older.way == "rolled back"
    assert clinic.found() == []


def test_what_was_written_before_a_crash_is_noted_and_not_written_twice(clinic: Clinic) -> None:
    other = clinic.unused()
    row = clinic.ask(other)
    names = row.training_id, row.model_sha256, row.reason_sha256
    training, model, reason = map(bytes.fromhex, names)
    send = clinic.ledger.roll_back if row.back else clinic.ledger.promote
    written = send("heart", training, model, reason)
    before = clinic.ledger.history("heart")
    # Until it is noted the database names another model than the chain: no prediction is made.
    with pytest.raises(ModelRefused, match="names another model in use than the database"):
        clinic.used()
    write_waiting(clinic.federation)
    assert clinic.ledger.history("heart") == before
    assert clinic.rows()[-1].transaction == written.transaction
    assert clinic.used() == other
    assert clinic.found() == []


def test_what_the_ledger_refuses_is_told_and_changes_nothing(clinic: Clinic) -> None:
    used = clinic.used()
    row = clinic.ask(clinic.unused())
    wrong = "UPDATE promotions SET model_sha256 = :wrong WHERE id = :id"
    clinic.execute(wrong, wrong="1" * 64, id=row.id)
    write_waiting(clinic.federation)
    refused = clinic.rows()[-1]
    assert refused.state == "refused"
    assert "NotItsModel" in refused.problem
    assert clinic.actions()[0] == "model.promotion_refused"
    assert clinic.used() == used


def test_what_was_asked_for_on_another_chain_waits_for_ever_nowhere(clinic: Clinic) -> None:
    row = clinic.ask(clinic.unused())
    clinic.execute("UPDATE promotions SET deployment_id = 4711 WHERE id = :id", id=row.id)
    assert write_waiting(clinic.federation)
    assert clinic.rows()[-1].state == "refused"
    assert "another chain" in clinic.rows()[-1].problem
    assert not has_work(clinic.federation.database)


def test_a_node_s_trouble_leaves_it_waiting(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RpcFailed("eth_sendRawTransaction", -32000, "out of gas")

    clinic.ask(clinic.unused())
    for name in ("promote", "roll_back"):
        monkeypatch.setattr(clinic.ledger, name, fails)
    assert not write_waiting(clinic.federation)
    assert clinic.rows()[-1].state == "waiting"


def test_a_model_that_was_attacked_on_purpose_is_never_used(clinic: Clinic) -> None:
    used, other = clinic.used(), clinic.unused()
    with (
        clinic.altered("trainings", "simulation", other, ATTACK),
        pytest.raises(RequestError, match="attacked on purpose"),
    ):
        clinic.ask(other)
    with (
        clinic.altered("trainings", "simulation", used, ATTACK),
        pytest.raises(ModelRefused, match="attacked on purpose"),
    ):
        clinic.used()


@pytest.mark.parametrize(("column", "value"), [("state", "failed"), ("model_sha256", None)])
def test_what_is_no_result_cannot_be_asked_for(
    clinic: Clinic, column: str, value: str | None
) -> None:
    other = clinic.unused()
    with (
        clinic.altered("trainings", column, other, value),
        pytest.raises(RequestError, match="Only the model of a finished training"),
    ):
        clinic.ask(other)


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501])
def test_a_promotion_has_a_reason(clinic: Clinic, reason: str) -> None:
    with pytest.raises(RequestError, match="Give the reason"):
        clinic.ask(clinic.unused(), reason)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("training_id", "0" * 64),
        ("model_sha256", "0" * 64),
        ("rounds", 2),
        ("back", 1),
        ("reason", "It was cheaper"),
        ("salt", "0" * 64),
        ("reason_sha256", "0" * 64),
        ("transaction", "0x" + "0" * 64),
        ("position", 7),
        ("position", None),
        ("task", "diabetes"),
        ("state", "waiting"),
        ("deployment_id", 4711),
    ],
)
def test_an_altered_promotion_is_found(clinic: Clinic, column: str, value: object) -> None:
    with clinic.altered("promotions", column, clinic.rows()[0].id, value):
        found = clinic.found()
    assert any("promotion" in one for one in found), found
    assert clinic.found() == []


def test_the_worker_writes_what_was_asked_for(clinic: Clinic) -> None:
    other = clinic.unused()
    clinic.ask(other)
    jobs = Jobs(clinic.federation.database)
    Worker(clinic.federation.settings, "worker", Event()).look(jobs)
    assert clinic.rows()[-1].state == "done"
    assert clinic.used() == other


@pytest.mark.slow
def test_the_worker_writes_it_while_it_trains(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a long training to roll back; a third version waits for a person, too."""
    other, states = clinic.unused(), []

    class Asking(PartyProgress):
        def __call__(self, event: RoundEvent) -> None:
            super().__call__(event)
            if not states:
                clinic.ask(other)
            states.append(clinic.rows()[-1].state)

    monkeypatch.setattr(work, "PartyProgress", Asking)
    jobs = Jobs(clinic.federation.database)
    job = jobs.submit(TrainingRequest(rounds=1, local_epochs=1, review=False, seed=8), None)
    Worker(clinic.federation.settings, "worker", Event()).look(jobs)
    found = jobs.find(job.id)
    assert found is not None
    assert found.state == "done"
    assert states[0] == "waiting"
    assert set(states[1:]) == {"done"}
    assert clinic.used() == other
    third = clinic.versions().versions[0]
    assert (third.training, third.in_use, third.changes) == (found.training_id, False, [])


def test_without_its_promotion_no_model_is_used(clinic: Clinic) -> None:
    """Who removes the rows, and says that the contracts are older, gets no other model used."""
    used, address = clinic.used(), clinic.ledger.contract
    clinic.execute("UPDATE promotions SET state = 'gone' WHERE state = 'done'")
    try:
        with pytest.raises(ModelRefused, match="No model of heart disease is in use"):
            clinic.used()
        clinic.execute("UPDATE deployments SET models = NULL")
        early = "2020-01-01 00:00:00.000000"
        with (
            clinic.altered("trainings", "ended_at", used, early),
            pytest.raises(ModelRefused, match="names another model in use"),
        ):
            clinic.used()
        assert any("expected stored, found nothing" in one for one in clinic.found())
    finally:
        clinic.execute("UPDATE deployments SET models = :address", address=address)
        clinic.execute("UPDATE promotions SET state = 'done' WHERE state = 'gone'")


def test_with_older_contracts_the_latest_finished_training_is_used(clinic: Clinic) -> None:
    """As before there were promotions; a person is told why nothing can be promoted."""

    class Older(LedgerReader):
        def _find_contract(self, getter: str) -> str | None:
            return None if getter == "models" else super()._find_contract(getter)

    federation, address = clinic.federation, clinic.ledger.contract
    clinic.execute("UPDATE promotions SET state = 'gone' WHERE state = 'done'")
    clinic.execute("UPDATE deployments SET models = NULL")
    try:
        url, contract = federation.endpoint.url, federation.ledger.contract
        predictions = Predictions(federation.database, lambda: Older(url, contract))
        latest = clinic.versions().versions[0].training
        assert latest[:8] in predictions.check("heart").version
        assert clinic.versions().older
        with pytest.raises(RequestError, match="older than promotions"):
            clinic.ask(clinic.first)
    finally:
        clinic.execute("UPDATE promotions SET state = 'done' WHERE state = 'gone'")
        clinic.execute("UPDATE deployments SET models = :address", address=address)
