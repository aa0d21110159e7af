"""The worker's process: killed at any moment, stopped, told to leave; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from filelock import FileLock
from sqlalchemy import select

from app.database import Database
from app.models import AttemptRow, JobRow, StepRow, TrainingRow
from app.services.anchoring import EVERY, Anchoring, last_entry
from app.services.audit import AuditLog
from app.services.federation import open_federation
from app.services.jobs import Jobs
from app.services.live import job_view
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.services.work import POLL_SECONDS, Worker
from config import TRAINING_LOCK, Settings
from contracts.chain import connect
from contracts.records import TrainingState
from tests.app.installations import settings_of
from tests.app.processes import kill, until, worker

# As the `trained` installation was trained, so that the model must be the same.
AS_TRAINED = TrainingRequest(rounds=1)
# Longer than donated rows serve.
LONG = TrainingRequest(rounds=200, local_epochs=1, review=False)


class Installation:
    """An installation whose chain runs, with its queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = settings_of(folder)
        self.database = Database(self.settings.database)
        self.database.migrate()
        self.jobs = Jobs(self.database)

    def job(self, number: int) -> JobRow:
        found = self.jobs.find(number)
        assert found is not None
        return found

    def is_over(self, number: int) -> bool:
        return self.job(number).state not in ("queued", "running")

    def has_finished(self, number: int, round_number: int, step: str) -> bool:
        """Whether the step was finished in the job's training."""
        query = (
            select(StepRow.id)
            .join(AttemptRow, StepRow.attempt_id == AttemptRow.id)
            .join(JobRow, JobRow.training_id == AttemptRow.training_id)
            .where(JobRow.id == number, AttemptRow.round == round_number, StepRow.name == step)
        )
        with self.database.transaction() as session:
            return session.scalar(query) is not None

    def differences(self) -> list[str]:
        """What `run.py verify` would name."""
        with open_federation(self.settings) as federation:
            return [str(one) for one in Verification(federation).run().differences]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with connect(tmp_path):
        made = Installation(tmp_path)
        yield made
        made.database.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("round_number", "step"),
    [(0, "submit"), (1, "share"), (1, "vote")],
)
def test_a_killed_worker_loses_nothing(
    repository: Path,
    installation: Installation,
    trained: Mapping[str, Any],
    round_number: int,
    step: str,
) -> None:
    number = installation.jobs.submit(AS_TRAINED, None).id
    with worker(repository, installation.folder, "first") as process:
        until(
            lambda: installation.has_finished(number, round_number, step),
            lambda: process.poll() is None,
        )
        kill(process)
    assert installation.job(number).state == "running"
    # What the supervisor does when it finds its worker dead.
    installation.jobs.release("first")
    assert "Nothing is lost" in job_view(installation.database, number)["notice"]
    with worker(repository, installation.folder, "second") as process:
        until(lambda: installation.is_over(number), lambda: process.poll() is None)
    view = job_view(installation.database, number)
    assert (view["state"], view["error"]) == ("done", "")
    assert view["training"]["model_sha256"] == trained["model_sha256"]
    assert view["training"]["notice"].startswith("Was resumed where it was interrupted")
    assert installation.differences() == []


@pytest.mark.slow
def test_one_worker_does_what_can_be_done_and_says_why_the_rest_cannot(
    repository: Path, installation: Installation
) -> None:
    """Refused requests, a stop, the training of a killed command: one after the other."""
    unknown = installation.jobs.submit(TrainingRequest(task="lung"), None).id
    lonely = installation.jobs.submit(TrainingRequest(hospitals=("Cleveland", "Oslo")), None).id
    stopped = installation.jobs.submit(LONG, None).id
    with worker(repository, installation.folder, "only") as process:

        def alive() -> bool:
            return process.poll() is None

        until(lambda: installation.has_finished(stopped, 1, "train"), alive)
        installation.jobs.request_stop(stopped)
        until(lambda: installation.is_over(stopped), alive)
        orphan = begin_as_a_command(installation)
        until(lambda: is_adopted(installation, orphan), alive)
        adopted = installation.jobs.find_of_training(orphan)
        assert adopted is not None
        until(lambda: installation.is_over(adopted.id), alive)
    assert installation.job(unknown).state == "failed"
    assert "diabetes, heart" in installation.job(unknown).error
    assert "Oslo" in installation.job(lonely).error
    check_stopped(installation, stopped)
    assert adopted.requested_by is None
    assert installation.differences() == []


def check_stopped(installation: Installation, number: int) -> None:
    """It ended with its reason on the ledger, in the tables and on the page."""
    view = job_view(installation.database, number)
    assert (view["state"], view["error"]) == ("stopped", "stopped on request")
    training = view["training"]
    assert (training["state"], training["over"]) == ("stopped", True)
    assert training["notice"].startswith("Stopped on request")
    assert training["ended_at"] is not None
    assert len(training["rounds"]) < training["rounds_planned"]
    with open_federation(installation.settings) as federation:
        record = federation.ledger.training(bytes.fromhex(training["training"]))
    assert (record.state, record.reason) == (TrainingState.ENDED, "stopped on request")
    # The orphan's model is its task's first, so it is promoted, too.
    assert Counter(one.action for one in AuditLog(installation.database).entries().entries) == {
        "training.ended": 4,
        "model.promoted": 1,
    }


def begin_as_a_command(installation: Installation) -> str:
    """A training that was begun, and nobody is at it any more."""
    with open_federation(installation.settings) as federation:
        trainings = Trainings(federation)
        return trainings.start(trainings.plan(TrainingRequest(rounds=1, local_epochs=1)))


def is_adopted(installation: Installation, training: str) -> bool:
    return installation.jobs.find_of_training(training) is not None


def is_finished(installation: Installation, training: str) -> bool:
    with installation.database.transaction() as session:
        return session.get_one(TrainingRow, training).state == "finished"


@pytest.mark.slow
def test_a_worker_that_is_told_to_leave_leaves_the_training_to_the_next(
    repository: Path, installation: Installation
) -> None:
    number = installation.jobs.submit(TrainingRequest(rounds=2, local_epochs=1), None).id
    with worker(repository, installation.folder, "first") as process:
        until(lambda: installation.has_finished(number, 0, "share"), lambda: process.poll() is None)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
    assert installation.job(number).state == "running"
    # The lease was given back, so nobody has to wait for its end.
    assert installation.jobs.has_work()
    with worker(repository, installation.folder, "second") as process:
        until(lambda: installation.has_finished(number, 1, "open"), lambda: process.poll() is None)
        installation.jobs.request_stop(number)
        until(lambda: installation.is_over(number), lambda: process.poll() is None)
    assert installation.differences() == []


@pytest.mark.slow
def test_the_worker_outlives_the_chain(
    repository: Path, tmp_path: Path, trained: Mapping[str, Any]
) -> None:
    installation = Installation(tmp_path)
    number = installation.jobs.submit(AS_TRAINED, None).id
    with worker(repository, tmp_path, "only") as process:

        def alive() -> bool:
            return process.poll() is None

        until(lambda: installation.has_finished(number, 0, "train"), alive)
        notice = json.loads((tmp_path / "chain.json").read_text())
        os.kill(notice["pid"], signal.SIGKILL)
        until(lambda: installation.is_over(number), alive)
    view = job_view(installation.database, number)
    assert view["training"]["model_sha256"] == trained["model_sha256"]
    assert view["training"]["resumed_at"] is not None
    assert installation.differences() == []
    installation.database.close()


@pytest.mark.slow
def test_the_view_tells_where_everybody_is_and_what_it_cost(
    repository: Path, installation: Installation
) -> None:
    number = installation.jobs.submit(TrainingRequest(rounds=1, local_epochs=1), None).id
    seen: set[tuple[str, str, str]] = set()

    def look() -> bool:
        view = job_view(installation.database, number)
        if view["training"]:
            seen.update((p["role"], p["step"], p["state"]) for p in view["training"]["parties"])
        return bool(view["over"])

    with worker(repository, installation.folder, "only") as process:
        until(look, lambda: process.poll() is None)
    # A hospital's training takes longest, so whoever looks often sees it.
    assert ("hospital", "train", "working") in seen
    training = job_view(installation.database, number)["training"]
    assert [p["state"] for p in training["parties"]] == ["done"] * 8
    assert [p["role"] for p in training["parties"]] == ["hospital"] * 4 + ["node"] * 4
    assert {p["step"] for p in training["parties"]} == {"distribute"}
    (one,) = training["rounds"]
    # The coordinator opens, calls, closes twice, publishes; 4 nodes join, reveal, sign and vote;
    # 4 hospitals submit.
    assert one["transactions"] == 5 + 4 * 4 + 4
    assert one["transaction_ms"] > 0
    assert one["encryption_ms"] == pytest.approx(1000 * one["seconds"]["share"])
    assert one["bytes"] == sum(one["bytes_by_step"].values())
    assert [h["name"] for h in one["hospitals"]] == [p["name"] for p in training["parties"][:4]]


@pytest.mark.slow
def test_nobody_claims_while_a_command_trains(repository: Path, installation: Installation) -> None:
    first = installation.jobs.submit(TrainingRequest(task="lung"), None).id
    with FileLock(installation.folder / TRAINING_LOCK) as lock:
        look = Worker(installation.settings, "only", Event()).look
        assert look(installation.jobs) > 0
        assert installation.job(first).state == "queued"
        lock.release()
        assert look(installation.jobs) == 0
    assert installation.job(first).state == "failed"


def test_the_audit_log_is_anchored_when_it_has_grown(installation: Installation) -> None:
    log, worker = (
        AuditLog(installation.jobs.database),
        Worker(installation.settings, "one", Event()),
    )
    for number in range(EVERY):
        assert worker.look(installation.jobs) == POLL_SECONDS
        log.add("ada", "model.looked_at", str(number))
    assert worker.look(installation.jobs) == 0
    assert worker.look(installation.jobs) == POLL_SECONDS
    with open_federation(installation.settings) as federation:
        anchoring = Anchoring(federation.database, federation.ledger.anchors)
        assert anchoring.anchored() == last_entry(federation.database) == EVERY
