"""Trainings that take another course than all rounds with everybody: nothing about them is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Event as Signal

import pytest

from app.models import TrainingRow
from app.services import work
from app.services.dossier import Dossiers
from app.services.dossier_check import check_dossier
from app.services.federation import Federation, open_federation
from app.services.jobs import Jobs
from app.services.live import job_view, training_view
from app.services.predictions import Predictions
from app.services.progress import PartyProgress
from app.services.requests import TrainingRequest
from app.services.results import training_document
from app.services.training_outcome import has_finished
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.services.work import Worker
from contracts.chain import ChainEndpoint
from fl.plan import Plan
from fl.round import Event, StepDone
from fl.stopping import Stopping
from tests.app.installations import settings_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint
) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path_factory.mktemp("course"), chain)) as federation:
        yield federation


def run(federation: Federation, **asked: object) -> str:
    """Run a training to its end, which must be a good one; its identifier."""
    trainings = Trainings(federation)
    request = TrainingRequest(local_epochs=1, review=False, **asked)  # type: ignore[arg-type]
    identifier = trainings.start(trainings.plan(request))
    assert trainings.run(identifier, lambda _: None).finished
    return identifier


@pytest.fixture(scope="module")
def ended(federation: Federation) -> str:
    """A training of at most five rounds that its rule ended after the first."""
    return run(federation, rounds=5, stop_accuracy=0.05)


def test_a_training_that_its_rule_ended_has_finished(federation: Federation, ended: str) -> None:
    document = training_document(federation.database, ended)
    assert document["state"] == "finished"
    assert document["reason"].startswith("stopping rule: after round 1 the accuracy is ")
    assert [one["round"] for one in document["rounds"]] == [1]
    view = training_view(federation.database, ended)
    assert (view["state"], view["rounds_planned"]) == ("finished", 5)
    assert view["stopping"] == "once 5 % of the answers are right"
    assert view["notice"] == f"Ended before its last round by its {document['reason']}."


def test_its_model_is_in_use_under_the_round_that_made_it(
    federation: Federation, ended: str
) -> None:
    predictions = Predictions(federation.database, federation.reader)
    model = predictions.find_model("heart")
    assert model is not None
    assert (model.training, model.version) == (ended, f"version 1 ({ended[:8]}, round 1)")
    assert predictions.check("heart").version == model.version


def test_it_has_finished_only_where_the_evaluations_say_so(
    federation: Federation, ended: str
) -> None:
    record = federation.ledger.training(bytes.fromhex(ended))
    with federation.database.transaction() as session:
        row = session.get_one(TrainingRow, ended)
        plan, attempts = Plan.from_json(row.plan), row.attempts
        assert has_finished(plan, record, attempts)
        for reason in ("stopped on request", "stopping rule: it looked good"):
            assert not has_finished(plan, replace(record, reason=reason), attempts)
        assert not has_finished(replace(plan, stopping=None), record, attempts)
        never = replace(plan, stopping=Stopping(accuracy=1.0))
        assert not has_finished(never, record, attempts)


@pytest.fixture(scope="module")
def sampled(federation: Federation) -> str:
    """A training of two rounds, each with three of the four hospitals."""
    return run(federation, rounds=2, share=0.5)


def test_who_was_not_drawn_is_told_and_not_named(federation: Federation, sampled: str) -> None:
    plan = Trainings(federation).plan_of(sampled)
    assert plan.sampled == 3
    document = training_document(federation.database, sampled)
    for one in (document["statistics"], *document["rounds"]):
        names = {hospital.name for hospital in plan.drawn(one["round"])}
        assert {hospital["name"] for hospital in one["hospitals"]} == names
        assert set(one["not_drawn"]) == {h.name for h in plan.hospitals} - names
        assert one["faults"] == []
    assert [len(one["not_drawn"]) for one in document["rounds"]] == [1, 1]
    assert abs(document["accuracy"] - document["plain_accuracy"]) < 0.02


def test_a_dossier_of_a_round_with_a_draw_can_be_checked(
    federation: Federation, sampled: str
) -> None:
    written = Dossiers(federation.database, federation.ledger).write(sampled, 2)
    assert check_dossier(written, federation.ledger.fingerprint()).differences == []


def test_a_training_rests_between_two_steps_while_another_is_done(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, jobs = federation.database, Jobs(federation.database)
    short = TrainingRequest(rounds=1, local_epochs=1, review=False)
    first, second = (jobs.submit(short, None).id for _ in range(2))

    class Pausing(PartyProgress):
        """Somebody pauses the first training while its updates are shared."""

        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, StepDone) and (event.key.round, event.step) == (1, "share"):
                jobs.request_pause(first)

    monkeypatch.setattr(work, "PartyProgress", Pausing)
    Worker(federation.settings, "one", Signal()).look(jobs)
    monkeypatch.undo()
    view = job_view(database, first)
    assert view["state"] == view["training"]["state"] == "paused"
    assert (view["training"]["title"], view["training"]["step"]) == ("Round 1", "submit")
    assert Trainings(federation).find_unfinished() is None
    assert not Verification(federation).run().differences
    # Another worker, as after a kill: it does the other training and leaves this one alone.
    worker = Worker(federation.settings, "two", Signal())
    worker.look(jobs)
    assert not jobs.has_work()
    assert job_view(database, second)["state"] == "done"
    assert job_view(database, first)["state"] == "paused"
    jobs.request_resume(first)
    worker.look(jobs)
    view = job_view(database, first)
    assert (view["state"], view["training"]["state"]) == ("done", "finished")
    assert "resumed" in view["training"]["notice"]
    (done,) = view["training"]["rounds"]
    assert done["attempt"] == 1


@pytest.mark.usefixtures("ended", "sampled")
def test_verify_finds_nothing_wrong_with_them(federation: Federation) -> None:
    assert not Verification(federation).run().differences


def test_verify_finds_a_rule_s_end_that_is_passed_off_as_a_failure(
    federation: Federation, ended: str
) -> None:
    with federation.database.transaction() as session:
        session.get_one(TrainingRow, ended).state = "failed"
    try:
        named = [str(one) for one in Verification(federation).run().differences]
    finally:
        with federation.database.transaction() as session:
            session.get_one(TrainingRow, ended).state = "finished"
    assert len(named) == 1
    assert "state" in named[0]
