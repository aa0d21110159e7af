"""The queue on both databases: one training at a time, one owner, nothing lost with a worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from app.database import Database
from app.errors import LeaseLost, RequestError
from app.models import DeploymentRow, JobRow, TrainingRow
from app.services.jobs import LEASE, Jobs
from app.services.live import job_view
from app.services.overview import Overview
from app.services.requests import TrainingRequest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)
TRAINING = "ab" * 32


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, clock)


def submit(jobs: Jobs, **fields: object) -> int:
    return jobs.submit(TrainingRequest(**fields), None).id  # type: ignore[arg-type]


def add_training(database: Database, identifier: str = TRAINING, state: str = "running") -> int:
    """A training as a command leaves it; the number of its deployment."""
    with database.transaction() as session:
        deployment = DeploymentRow(
            chain_id=1337, chain_kind="embedded", genesis_hash=identifier, contract="0x" + "1" * 40
        )
        session.add(deployment)
        session.flush()
        session.add(training_row(identifier, deployment.id, state))
        return deployment.id


def training_row(identifier: str, deployment: int, state: str = "running") -> TrainingRow:
    return TrainingRow(
        id=identifier,
        task="heart",
        network="mlp",
        seed=7,
        rounds=1,
        plan="{}",
        plan_sha256="0" * 64,
        initial_sha256="0" * 64,
        deployment_id=deployment,
        state=state,
    )


def race(database: Database, act: Callable[[Jobs, int], object], clock: Clock) -> list[object]:
    """What eight workers get that act at the same moment, each with connections of its own."""
    count = 8
    together = Barrier(count)
    url = database.engine.url.render_as_string(hide_password=False)

    def work(number: int) -> object:
        own = Database(url)
        try:
            jobs = Jobs(own, clock)
            jobs.current()
            together.wait()
            return act(jobs, number)
        finally:
            own.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_a_request_comes_back_as_it_was_asked(jobs: Jobs) -> None:
    asked = TrainingRequest(hospitals=("Cleveland", "Hungary", "Switzerland"), rounds=3, seed=5)
    jobs.submit(asked, None)
    claimed = jobs.claim("a")
    assert claimed is not None
    assert TrainingRequest.from_json(claimed.request) == asked


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hospitals": null, "colour": "red"}'])
def test_a_request_that_was_altered_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected a stored request"):
        TrainingRequest.from_json(text)


def test_jobs_run_in_the_order_in_which_they_were_asked(jobs: Jobs) -> None:
    first, second = submit(jobs), submit(jobs)
    claimed = jobs.claim("a")
    assert claimed is not None
    assert claimed.id == first
    assert [job.id for job in jobs.queue()] == [second]
    jobs.finish(first, "a", "done")
    claimed = jobs.claim("a")
    assert claimed is not None
    assert claimed.id == second


def test_a_second_job_waits_while_the_first_runs(jobs: Jobs) -> None:
    submit(jobs)
    submit(jobs)
    assert jobs.claim("a") is not None
    assert jobs.claim("b") is None
    assert not jobs.has_work()


def test_nothing_is_claimed_from_an_empty_queue(jobs: Jobs) -> None:
    assert jobs.claim("a") is None
    assert not jobs.has_work()
    assert jobs.current() is None


def test_of_many_workers_one_gets_a_queued_job(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    number = submit(jobs)
    got = race(database, lambda jobs, worker: jobs.claim(f"w{worker}"), clock)
    winners = [worker for worker, job in enumerate(got) if job is not None]
    assert len(winners) == 1
    job = jobs.find(number)
    assert job is not None
    assert (job.state, job.lease_owner) == ("running", f"w{winners[0]}")


def test_of_many_workers_one_gets_a_job_whose_lease_ran_out(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    number = submit(jobs)
    jobs.claim("dead")
    clock.advance(LEASE)
    got = race(database, lambda jobs, worker: jobs.claim(f"w{worker}"), clock)
    winners = [worker for worker, job in enumerate(got) if job is not None]
    assert len(winners) == 1
    job = jobs.find(number)
    assert job is not None
    assert job.lease_owner == f"w{winners[0]}"
    assert job.resumed_at == clock()
    assert job.started_at == NOON


def test_many_workers_and_jobs_never_run_two_at_once(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    numbers = [submit(jobs) for _ in range(4)]
    got = race(database, lambda jobs, worker: jobs.claim(f"w{worker}"), clock)
    claimed = [job.id for job in got if isinstance(job, JobRow)]
    assert claimed == numbers[:1]


def test_a_heartbeat_keeps_the_lease(jobs: Jobs, clock: Clock) -> None:
    number = submit(jobs)
    jobs.claim("a")
    clock.advance(LEASE / 2)
    jobs.heartbeat(number, "a")
    clock.advance(LEASE / 2)
    assert jobs.claim("b") is None
    clock.advance(LEASE / 2)
    assert jobs.claim("b") is not None


def test_whoever_lost_the_lease_can_change_nothing(jobs: Jobs, clock: Clock) -> None:
    number = submit(jobs)
    jobs.claim("a")
    clock.advance(LEASE)
    jobs.claim("b")
    with pytest.raises(LeaseLost):
        jobs.heartbeat(number, "a")
    with pytest.raises(LeaseLost):
        jobs.finish(number, "a", "done")
    job = jobs.find(number)
    assert job is not None
    assert (job.state, job.lease_owner, job.ended_at) == ("running", "b", None)


def test_a_training_is_not_begun_without_the_lease(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    deployment = add_training(database, state="finished")
    number = submit(jobs)
    jobs.claim("a")
    clock.advance(LEASE)
    jobs.claim("b")

    def begin() -> None:
        with database.transaction() as session:
            session.add(training_row("cd" * 32, deployment))
            session.flush()
            jobs.begin(session, number, "a", "cd" * 32)

    with pytest.raises(LeaseLost):
        begin()
    with database.transaction() as session:
        assert session.get(TrainingRow, "cd" * 32) is None


def test_the_lease_of_a_worker_that_is_known_dead_ends_at_once(jobs: Jobs) -> None:
    submit(jobs)
    jobs.claim("a")
    jobs.release("somebody else")
    assert jobs.claim("b") is None
    jobs.release("a")
    assert jobs.claim("b") is not None
    jobs.release()
    assert jobs.claim("c") is not None


def test_a_finished_job_is_not_run_again(jobs: Jobs, clock: Clock) -> None:
    number = submit(jobs)
    jobs.claim("a")
    jobs.finish(number, "a", "failed", "no quorum")
    clock.advance(2 * LEASE)
    jobs.release()
    assert jobs.claim("b") is None
    job = jobs.find(number)
    assert job is not None
    assert (job.state, job.error, job.ended_at) == ("failed", "no quorum", NOON)


def test_what_is_noted_with_the_end_is_noted_or_not_together_with_it(jobs: Jobs) -> None:
    number = submit(jobs)
    jobs.claim("a")

    def fail(_: object) -> None:
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError):
        jobs.finish(number, "a", "done", also=fail)
    job = jobs.find(number)
    assert job is not None
    assert job.state == "running"


def test_a_queued_job_is_taken_out_when_it_is_stopped(jobs: Jobs) -> None:
    number = submit(jobs)
    assert jobs.request_stop(number).state == "stopped"
    assert jobs.claim("a") is None


def test_a_running_job_is_asked_to_stop(jobs: Jobs) -> None:
    number = submit(jobs)
    jobs.claim("a")
    assert not jobs.is_stop_requested(number)
    assert jobs.request_stop(number).state == "running"
    assert jobs.is_stop_requested(number)


def test_the_wish_to_stop_outlives_the_worker(jobs: Jobs) -> None:
    number = submit(jobs)
    jobs.claim("a")
    jobs.request_stop(number)
    jobs.release("a")
    jobs.claim("b")
    assert jobs.is_stop_requested(number)


@pytest.mark.parametrize("number", [1, 99])
def test_what_is_over_or_never_was_cannot_be_stopped(jobs: Jobs, number: int) -> None:
    job = submit(jobs)
    jobs.claim("a")
    jobs.finish(job, "a", "done")
    with pytest.raises(RequestError, match="nothing to stop"):
        jobs.request_stop(number)


def test_the_interrupted_training_of_a_command_is_adopted_before_the_queue(
    database: Database, jobs: Jobs
) -> None:
    deployment = add_training(database)
    submit(jobs)
    adopted = jobs.adopt(deployment)
    assert adopted is not None
    claimed = jobs.claim("a")
    assert claimed is not None
    assert (claimed.id, claimed.training_id) == (adopted.id, TRAINING)
    assert claimed.resumed_at == NOON
    assert jobs.adopt(deployment) is None


def test_trainings_of_another_chain_or_that_are_over_are_not_adopted(
    database: Database, jobs: Jobs
) -> None:
    deployment = add_training(database)
    assert jobs.adopt(deployment + 1) is None
    with database.transaction() as session:
        session.get_one(TrainingRow, TRAINING).state = "finished"
    assert jobs.adopt(deployment) is None
    assert not jobs.has_work()


def test_a_waiting_job_tells_how_many_come_before_it(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    submit(jobs)
    submit(jobs)
    third = submit(jobs, rounds=4)
    jobs.claim("a")
    view = job_view(database, third, clock)
    assert (view["state"], view["ahead"], view["over"]) == ("queued", 2, False)
    assert view["notice"] == "Waiting for 2 other trainings."
    assert view["request"].rounds == 4
    assert view["training"] is None


def test_a_job_whose_worker_is_silent_says_so_and_that_nothing_is_lost(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    number = submit(jobs)
    jobs.claim("a")
    assert job_view(database, number, clock)["state"] == "running"
    clock.advance(LEASE)
    view = job_view(database, number, clock)
    assert view["state"] == "silent"
    assert "Nothing is lost" in view["notice"]


def test_there_is_no_view_of_a_job_that_never_was(database: Database) -> None:
    with pytest.raises(RequestError, match="no such training"):
        job_view(database, 99)


def state_of(jobs: Jobs, number: int) -> str:
    job = jobs.find(number)
    assert job is not None
    return job.state


def paused_in_the_middle(database: Database, jobs: Jobs, clock: Clock) -> int:
    """A job that was paused when its training had begun on the ledger."""
    add_training(database)
    number = submit(jobs)
    jobs.claim("a")
    with database.transaction() as session:
        jobs.begin(session, number, "a", TRAINING)
    jobs.request_pause(number)
    clock.advance(timedelta(seconds=1))
    jobs.rest(number, "a")
    return number


def test_a_queued_job_that_is_paused_lets_others_go_first(jobs: Jobs) -> None:
    first, second = submit(jobs), submit(jobs)
    assert jobs.request_pause(first).state == "paused"
    claimed = jobs.claim("a")
    assert claimed is not None
    assert claimed.id == second
    jobs.finish(second, "a", "done")
    assert not jobs.has_work()


def test_a_job_that_is_resumed_has_its_old_place(jobs: Jobs) -> None:
    first, second = submit(jobs), submit(jobs)
    jobs.request_pause(first)
    assert jobs.request_resume(first).state == "queued"
    assert [job.id for job in jobs.queue()] == [first, second]


def test_a_running_job_is_asked_to_rest_and_the_worker_lets_it(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    add_training(database)
    number = submit(jobs)
    jobs.claim("a")
    with database.transaction() as session:
        jobs.begin(session, number, "a", TRAINING)
    assert jobs.request_pause(number).state == "running"
    # The wish outlives the worker.
    jobs.release("a")
    jobs.claim("b")
    assert jobs.is_pause_requested(number)
    with pytest.raises(LeaseLost):
        jobs.rest(number, "a")
    jobs.rest(number, "b")
    assert state_of(jobs, number) == "paused"
    assert not jobs.is_pause_requested(number)
    assert not jobs.has_work()
    assert jobs.adopt(1) is None
    jobs.request_resume(number)
    clock.advance(timedelta(minutes=1))
    claimed = jobs.claim("c")
    assert claimed is not None
    assert (claimed.id, claimed.training_id, claimed.resumed_at) == (number, TRAINING, clock())


def test_the_wish_to_pause_can_be_taken_back(jobs: Jobs) -> None:
    number = submit(jobs)
    jobs.claim("a")
    jobs.request_pause(number)
    assert jobs.request_resume(number).state == "running"
    assert not jobs.is_pause_requested(number)
    with pytest.raises(RequestError, match="is not paused"):
        jobs.request_resume(number)


def test_what_neither_runs_nor_waits_its_turn_cannot_be_paused(jobs: Jobs) -> None:
    paused, running = submit(jobs), submit(jobs)
    jobs.request_pause(paused)
    jobs.claim("a")
    jobs.request_stop(running)
    over = submit(jobs)
    jobs.request_stop(over)
    for number in (paused, running, over, 99):
        with pytest.raises(RequestError, match="can be paused"):
            jobs.request_pause(number)


def test_a_paused_job_that_has_not_begun_is_stopped_at_once(jobs: Jobs) -> None:
    number = submit(jobs)
    jobs.request_pause(number)
    assert jobs.request_stop(number).state == "stopped"


def test_a_paused_training_is_ended_on_the_ledger_by_the_worker(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    number = paused_in_the_middle(database, jobs, clock)
    assert jobs.request_stop(number).state == "queued"
    view = job_view(database, number, clock)["training"]
    assert view["state"] == "queued"
    assert view["notice"].startswith("Waits for the worker to end it")
    claimed = jobs.claim("b")
    assert claimed is not None
    assert claimed.id == number
    assert jobs.is_stop_requested(number)


def test_a_page_says_that_a_training_is_paused_and_what_that_means(
    database: Database, jobs: Jobs, clock: Clock
) -> None:
    number = paused_in_the_middle(database, jobs, clock)
    view = job_view(database, number, clock)
    assert (view["state"], view["over"]) == ("paused", False)
    assert (view["training"]["state"], view["training"]["over"]) == ("paused", False)
    assert view["training"]["notice"].startswith("Paused at 2026-01-01 12:00 UTC. Nothing is lost.")
    assert "comes too late" in view["training"]["notice"]
    (line,) = Overview(database).under_way()
    assert (line.state, line.under_way) == ("paused", True)
    jobs.request_resume(number)
    assert job_view(database, number, clock)["training"]["state"] == "queued"
    waiting = submit(jobs)
    jobs.request_pause(waiting)
    assert job_view(database, waiting, clock)["notice"].endswith("It keeps its place in the queue.")
