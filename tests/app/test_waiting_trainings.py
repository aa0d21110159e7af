"""A training that waits for an approval: the worker goes on, and the hospital looks itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select, update

from app.cli import train
from app.database import Database
from app.models import ApprovalRow, FaultRow, JobRow, TrainingRow, WalletRow
from app.services.federation import HOSPITAL, open_federation
from app.services.jobs import Jobs
from app.services.requests import TrainingRequest
from app.services.unopened import UNOPENED
from app.services.verification import Verification
from app.services.work import Worker
from app.setup.commandline import parse
from config import Settings
from contracts.chain import ChainEndpoint
from contracts.errors import NotFound
from tests.app.installations import settings_of
from tests.app.operating import Operator, operator_of

QUICK = TrainingRequest(rounds=1, local_epochs=1, review=False)


class Waiting:
    """An installation in which Hungary approves by hand, with a worker in this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        with open_federation(settings) as federation:
            federation.enrol(["Hungary"], HOSPITAL)
        self.database = Database(settings.database)
        self.jobs = Jobs(self.database)
        self.worker = Worker(settings, "only", Event())
        self.operator: Operator = operator_of(self.database, "Hungary")
        self.operator.set_rule()

    def job(self, number: int) -> JobRow:
        found = self.jobs.find(number)
        assert found is not None
        return found

    def submit(self, request: TrainingRequest = QUICK) -> int:
        """A training that was looked at by the worker."""
        number = self.jobs.submit(request, None).id
        self.worker.look(self.jobs)
        return number

    def training(self, number: int) -> TrainingRow:
        with self.database.transaction() as session:
            return session.get_one(TrainingRow, self.job(number).training_id)

    def is_on_the_chain(self, training: str) -> bool:
        with open_federation(self.settings) as federation:
            try:
                federation.ledger.training(bytes.fromhex(training))
            except NotFound:
                return False
            return True

    def faults(self) -> dict[str, str]:
        with self.database.transaction() as session:
            return {row.party: row.reason for row in session.scalars(select(FaultRow))}

    def differences(self) -> list[str]:
        with open_federation(self.settings) as federation:
            return [str(one) for one in Verification(federation).run().differences]


@pytest.fixture
def waiting(tmp_path: Path, chain: ChainEndpoint) -> Iterator[Waiting]:
    made = Waiting(settings_of(tmp_path / "instance", chain))
    yield made
    made.database.close()


@pytest.mark.slow
def test_it_waits_while_others_are_done_and_begins_once_approved(waiting: Waiting) -> None:
    number = waiting.submit()
    training = waiting.training(number)
    assert (waiting.job(number).state, training.state) == ("awaiting", "awaiting")
    assert not waiting.is_on_the_chain(training.id)
    other = waiting.submit(TrainingRequest(task="lung"))
    assert waiting.job(other).state == "failed"
    assert waiting.job(number).state == "awaiting"
    waiting.operator.decide(training.id)
    waiting.worker.look(waiting.jobs)
    assert (waiting.job(number).state, waiting.job(number).error) == ("done", "")
    assert waiting.training(number).state == "finished"
    assert waiting.faults() == {}
    assert waiting.differences() == []


def test_a_worker_that_dies_while_asking_leaves_the_question_to_the_next(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "put_aside", killed)
    with pytest.raises(KeyboardInterrupt):
        waiting.submit()
    monkeypatch.undo()
    assert waiting.job(1).state == "running"
    waiting.jobs.release()
    waiting.worker.look(waiting.jobs)
    assert (waiting.job(1).state, waiting.training(1).state) == ("awaiting", "awaiting")
    with waiting.database.transaction() as session:
        assert session.scalars(select(ApprovalRow.hospital)).all() == ["Hungary"]


def test_a_stop_while_the_plan_is_made_ends_the_training_that_would_wait(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = Jobs.put_aside

    def stopped(jobs: Jobs, job_id: int, owner: str) -> None:
        jobs.request_stop(job_id)
        aside(jobs, job_id, owner)

    monkeypatch.setattr(Jobs, "put_aside", stopped)
    number = waiting.submit()
    assert waiting.job(number).state == "stopped"
    assert (waiting.training(number).state, waiting.training(number).reason) == (
        UNOPENED,
        "stopped on request",
    )


def test_a_refused_training_never_stands_on_the_chain_and_verify_agrees(waiting: Waiting) -> None:
    number = waiting.submit()
    training = waiting.training(number).id
    waiting.operator.decide(training, False, "No data officer")
    waiting.worker.look(waiting.jobs)
    assert waiting.job(number).state == "failed"
    assert waiting.training(number).state == UNOPENED
    assert not waiting.is_on_the_chain(training)
    assert waiting.differences() == []


@pytest.mark.slow
def test_a_training_on_the_chain_cannot_be_passed_off_as_never_opened(waiting: Waiting) -> None:
    number = waiting.submit()
    waiting.operator.decide(waiting.training(number).id)
    waiting.worker.look(waiting.jobs)
    with waiting.database.transaction() as session:
        session.execute(update(TrainingRow).values(state=UNOPENED))
    assert any("a record on the chain" in one for one in waiting.differences())


FORGERIES = {
    "the row says approved": {"state": "approved"},
    "no question stands": None,
    "somebody else's signature": {"state": "approved", "signature": "0x" + "11" * 65},
}


@pytest.mark.slow
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_the_hospital_takes_no_part_without_its_operators_signature(
    waiting: Waiting, forgery: dict[str, str] | None
) -> None:
    """Whoever gets round the page and the worker finds the hospital looking for itself."""
    number = waiting.submit()
    with waiting.database.transaction() as session:
        if forgery is None:
            for row in session.scalars(select(ApprovalRow)):
                session.delete(row)
        else:
            message = '{"message": {"issued": 1}}'
            session.execute(update(ApprovalRow).values(**forgery, message=message))
    waiting.worker.look(waiting.jobs)
    assert waiting.job(number).state == "done"
    assert set(waiting.faults()) == {"Hungary"}
    told = "was not asked" if forgery is None else "that an operator of its own signed"
    assert told in waiting.faults()["Hungary"]


@pytest.mark.slow
def test_an_approval_by_a_wallet_that_was_withdrawn_does_not_count(waiting: Waiting) -> None:
    number = waiting.submit()
    waiting.operator.decide(waiting.training(number).id)
    with waiting.database.transaction() as session:
        session.execute(update(WalletRow).values(state="withdrawn"))
    waiting.worker.look(waiting.jobs)
    assert "that an operator of its own signed" in waiting.faults()["Hungary"]


@pytest.mark.slow
def test_the_command_says_for_whom_its_training_waits_and_the_server_goes_on_with_it(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.train.Settings", lambda: waiting.settings)
    command = ["train", "--rounds", "1", "--local-epochs", "1", "--no-review"]
    for _ in range(2):
        assert train.train(parse(command)) == 1
        assert "waits for the approval of Hungary" in " ".join(capsys.readouterr().err.split())
    with waiting.database.transaction() as session:
        (row,) = session.scalars(select(TrainingRow)).all()
        (job,) = session.scalars(select(JobRow)).all()
    assert (job.state, job.training_id) == ("awaiting", row.id)
    waiting.operator.decide(row.id)
    waiting.worker.look(waiting.jobs)
    assert waiting.job(job.id).state == "done"
