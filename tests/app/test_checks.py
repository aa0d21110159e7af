"""Checks of everything that a page asks for: the queue, the worker, what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import select, text

from app.database import Database
from app.models import AuditRow, UserRow
from app.models.base import now
from app.services.check_report import Report
from app.services.checks import MOST_DIFFERENCES, SILENT_AFTER, Checks
from app.services.federation import open_federation
from app.services.jobs import Jobs
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.services.verification_progress import Progress
from app.services.work import Leaving, Worker
from config import Settings
from contracts.errors import ChainUnreachable
from tests.app.installations import settings_of

pytestmark = pytest.mark.slow


@pytest.fixture
def ada(database: Database) -> UserRow:
    return person(database)


def person(database: Database) -> UserRow:
    """An administrator who asks."""
    row = UserRow(
        email="ada@clinic.example",
        name="Ada",
        address="Road 1",
        asked_role="administrator",
        role="administrator",
        state="active",
        password_hash="",
    )
    with database.transaction() as session:
        session.add(row)
    return row


def actions(database: Database) -> list[str]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditRow.action).order_by(AuditRow.id)))


def report(differences: int) -> Report:
    made = Report(trainings=2, checked=100)
    for number in range(differences):
        made.compare(f"vote {number}", "a" * 64, "b" * 64)
    return made


def test_asking_again_leads_to_the_check_that_waits(database: Database, ada: UserRow) -> None:
    checks = Checks(database)
    assert not checks.has_work()
    number = checks.submit(ada)
    assert checks.submit(ada) == number
    assert checks.has_work()
    assert actions(database) == ["check.requested"]
    checks.begin()
    assert checks.submit(ada) == number
    checks.finish(number, report(0))
    assert checks.submit(ada) == number + 1


def test_an_end_says_what_was_found_by_whom_and_when(database: Database, ada: UserRow) -> None:
    checks = Checks(database)
    number = checks.submit(ada)
    assert checks.begin() == number
    checks.tell(number, Progress("parties", 1, 2, 50, 0))
    view = checks.find(number)
    assert view is not None
    assert (view.row.what, view.row.done, view.row.total, view.over) == ("parties", 1, 2, False)
    checks.finish(number, report(2))
    view = checks.find(number)
    assert view is not None
    assert (view.over, view.whole, view.requested_by) == (True, False, "Ada")
    assert (view.row.checked, view.row.differences) == (102, 2)
    assert view.row.ended_at is not None
    assert [one.what for one in checks.differences(number)] == ["vote 0", "vote 1"]
    assert not checks.has_work()
    assert actions(database) == ["check.requested", "check.ended"]


def test_a_check_without_difference_is_whole(database: Database, ada: UserRow) -> None:
    checks = Checks(database)
    number = checks.submit(ada)
    checks.begin()
    checks.finish(number, report(0))
    view = checks.find(number)
    assert view is not None
    assert view.whole


def test_an_interrupted_check_begins_anew(database: Database, ada: UserRow) -> None:
    checks = Checks(database)
    number = checks.submit(ada)
    checks.begin()
    checks.tell(number, Progress("training 22a7", 3, 5, 999, 7))
    assert Checks(database).begin() == number
    view = checks.find(number)
    assert view is not None
    assert (view.row.done, view.row.checked, view.row.differences) == (0, 0, 0)


def test_a_check_whose_worker_tells_nothing_is_silent(database: Database, ada: UserRow) -> None:
    moment = now()
    checks = Checks(database, lambda: moment)
    number = checks.submit(ada)
    checks.begin()
    for later, silent in ((timedelta(), False), (SILENT_AFTER * 2, True)):
        view = Checks(database, lambda later=later: moment + later).find(number)  # type: ignore[misc]
        assert view is not None
        assert view.silent is silent


def test_no_more_differences_are_kept_than_a_page_can_show(
    database: Database, ada: UserRow
) -> None:
    checks = Checks(database)
    number = checks.submit(ada)
    checks.begin()
    checks.finish(number, report(MOST_DIFFERENCES + 5))
    view = checks.find(number)
    assert view is not None
    assert view.row.differences == MOST_DIFFERENCES + 5
    assert len(checks.differences(number)) == MOST_DIFFERENCES


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation with one finished training; its chain runs."""
    made = settings_of(tmp_path_factory.mktemp("checks") / "instance")
    with open_federation(made) as federation:
        trainings = Trainings(federation)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=1, local_epochs=1)))
        assert trainings.run(started, lambda _: None).finished
        person(federation.database)
        yield made


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    database = Database(settings.database)
    yield Jobs(database)
    database.close()


def ask(jobs: Jobs) -> tuple[Checks, int]:
    checks = Checks(jobs.database)
    with jobs.database.transaction() as session:
        ada = session.scalars(select(UserRow)).one()
    return checks, checks.submit(ada)


def test_the_worker_finds_nothing_and_then_what_was_altered(settings: Settings, jobs: Jobs) -> None:
    worker = Worker(settings, "only", Event())
    checks, number = ask(jobs)
    worker.look(jobs)
    view = checks.find(number)
    assert view is not None
    assert (view.whole, view.row.done, view.row.total) == (True, 1, 1)
    assert view.row.checked > 100
    with jobs.database.transaction() as session:
        session.execute(
            text("UPDATE submissions SET samples = samples + 1 WHERE hospital = 'Cleveland'")
        )
    checks, number = ask(jobs)
    worker.look(jobs)
    found = checks.differences(number)
    assert len(found) == 3
    assert all("Cleveland's sample count" in one.what for one in found)
    assert int(found[0].found) == int(found[0].expected) + 1
    with jobs.database.transaction() as session:
        session.execute(
            text("UPDATE submissions SET samples = samples - 1 WHERE hospital = 'Cleveland'")
        )


def test_a_check_goes_before_the_trainings_that_wait(settings: Settings, jobs: Jobs) -> None:
    job = jobs.submit(TrainingRequest(task="lung"), None).id
    checks, number = ask(jobs)
    worker = Worker(settings, "only", Event())
    worker.look(jobs)
    view, waiting = checks.find(number), jobs.find(job)
    assert view is not None
    assert waiting is not None
    assert (view.whole, waiting.state) == (True, "queued")
    worker.look(jobs)
    over = jobs.find(job)
    assert over is not None
    assert over.state == "failed"  # No task is called so.


def test_a_check_does_not_disturb_a_training_under_way(settings: Settings, jobs: Jobs) -> None:
    job = jobs.submit(TrainingRequest(task="lung"), None).id
    assert jobs.claim("another") is not None
    checks, number = ask(jobs)
    Worker(settings, "only", Event()).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert view.waits
    jobs.finish(job, "another", "failed")
    Worker(settings, "only", Event()).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert view.whole


def test_a_worker_that_leaves_hands_the_check_to_the_next(settings: Settings, jobs: Jobs) -> None:
    checks, number = ask(jobs)
    leaving = Event()
    leaving.set()
    with pytest.raises(Leaving):
        Worker(settings, "first", leaving).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert view.row.state == "running"
    Worker(settings, "second", Event()).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert view.whole


def test_a_check_waits_again_when_the_chain_is_gone(
    settings: Settings, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Verification) -> Report:
        raise ChainUnreachable("http://127.0.0.1:1", "refused")

    checks, number = ask(jobs)
    with monkeypatch.context() as patch:
        patch.setattr(Verification, "run", gone)
        with pytest.raises(ChainUnreachable):
            Worker(settings, "only", Event()).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert view.waits
    Worker(settings, "only", Event()).look(jobs)
    assert not checks.has_work()


def test_what_breaks_a_check_off_is_told_and_not_taken_for_all_is_well(
    settings: Settings, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Verification) -> Report:
        raise RuntimeError("no room left")

    checks, number = ask(jobs)
    with monkeypatch.context() as patch:
        patch.setattr(Verification, "run", breaks)
        Worker(settings, "only", Event()).look(jobs)
    view = checks.find(number)
    assert view is not None
    assert (view.over, view.whole, view.row.state) == (True, False, "failed")
    assert "no room left" in view.row.error


def test_progress_tells_what_is_checked_and_how_many_of_how_many(settings: Settings) -> None:
    told: list[Progress] = []
    with open_federation(settings) as federation:
        Verification(federation, told.append).run()
    assert {one.total for one in told} == {1}
    assert (told[0].done, told[-1].done) == (0, 1)
    assert any("round 1" in one.what for one in told)
    assert [one.checked for one in told] == sorted(one.checked for one in told)


def test_times_are_those_of_the_clock(database: Database, ada: UserRow) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    checks = Checks(database, lambda: moment)
    number = checks.submit(ada)
    checks.begin()
    checks.finish(number, report(0))
    view = checks.find(number)
    assert view is not None
    assert {view.row.created_at, view.row.started_at, view.row.ended_at} == {moment}
