"""Once more like that: the request that gives a training's plan again, whoever began it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.admin.training_form import values_of
from app.errors import RequestError
from app.services.again import request_again
from app.services.federation import Federation, open_federation
from app.services.jobs import Jobs
from app.services.requests import TrainingRequest
from app.services.simulation import simulation_of
from app.services.trainings import Trainings
from contracts.chain import ChainEndpoint
from tests.app.installations import settings_of


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint
) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path_factory.mktemp("again"), chain)) as federation:
        yield federation


@pytest.mark.parametrize(
    "asked",
    [
        TrainingRequest(),
        TrainingRequest(
            hospitals=("Cleveland", "Hungary", "Switzerland"),
            rounds=4,
            local_epochs=2,
            learning_rate=0.02,
            decay=0.9,
            stop_accuracy=0.841,
            patience=3,
            fraction="2/3",
            donated_rows=8,
            seed=11,
        ),
        TrainingRequest(task="diabetes", hospitals=9, partition="iid", share=0.5, review=False),
        TrainingRequest(attack="ipm", attackers=2, share=0.3),
        TrainingRequest(
            task="diabetes", hospitals=5, attacks=(("sign-flip", 1), ("label-flip", 1))
        ),
        TrainingRequest(attack="ipm", attackers=("Hungary", "VA Long Beach")),
    ],
)
def test_what_is_asked_for_again_gives_the_same_plan_and_the_same_attackers(
    federation: Federation, asked: TrainingRequest
) -> None:
    trainings = Trainings(federation)
    plan = trainings.plan(asked)
    names = [hospital.name for hospital in plan.hospitals]
    simulation = simulation_of(asked, names)
    identifier = trainings.start(plan, simulation=simulation)
    again = request_again(federation.database, identifier)
    assert trainings.plan(again) == plan
    assert simulation_of(again, names) == simulation


def test_attackers_that_the_seed_draws_are_a_number_again(federation: Federation) -> None:
    trainings = Trainings(federation)
    asked = TrainingRequest(attack="ipm", attackers=2)
    plan = trainings.plan(asked)
    drawn = simulation_of(asked, [hospital.name for hospital in plan.hospitals])
    identifier = trainings.start(plan, simulation=drawn)
    assert request_again(federation.database, identifier).attackers == 2


def test_a_job_without_a_training_gives_its_own_request(federation: Federation) -> None:
    asked = TrainingRequest(rounds=3, share=0.75)
    job = Jobs(federation.database).submit(asked, None)
    assert request_again(federation.database, str(job.id)) == asked


@pytest.mark.parametrize("which", ["", "999", "0" * 64, "²", "-1", "9" * 40])
def test_what_is_not_there_is_told(federation: Federation, which: str) -> None:
    with pytest.raises(RequestError, match="There is no such training"):
        request_again(federation.database, which)


def test_the_form_is_filled_in_with_what_it_asks_in_its_units() -> None:
    values = values_of(TrainingRequest(share=0.333333, stop_accuracy=0.841, decay=1.0, rounds=4))
    assert (values["share"], values["stop_accuracy"], values["decay"]) == (33.3333, 84.1, 1)
    assert values["rounds"] == 4
    assert "patience" not in values
    assert values_of(TrainingRequest(attack="ipm", attackers=("A", "B")))["attackers"] == 2
