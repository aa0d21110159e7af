"""From what a person asks for to a plan: defaults filled in, nonsense answered with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import RequestError
from app.services.federation import open_federation
from app.services.requests import TrainingRequest
from app.services.simulation import simulation_of
from app.services.trainings import Trainings
from contracts.chain import ChainEndpoint
from fl.datasets import get_task
from fl.plan import Plan, Review
from fl.stopping import Stopping
from tests.app.installations import settings_of

HEART = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")


@pytest.fixture(scope="module")
def trainings(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint
) -> Iterator[Trainings]:
    settings = settings_of(tmp_path_factory.mktemp("plans"), chain)
    with open_federation(settings) as federation:
        yield Trainings(federation)


def names(plan: Plan) -> tuple[str, ...]:
    return tuple(member.name for member in plan.hospitals)


@pytest.mark.parametrize("task", ["heart", "diabetes"])
def test_nothing_asked_for_gives_the_defaults(trainings: Trainings, task: str) -> None:
    plan = trainings.plan(TrainingRequest(task=task))
    defaults = get_task(task).defaults
    assert (plan.task, plan.network, plan.rounds, plan.seed) == (task, "mlp", defaults.rounds, 7)
    assert (plan.local.epochs, plan.local.learning_rate, plan.local.batch_size) == (
        defaults.local_epochs,
        defaults.learning_rate,
        defaults.batch_size,
    )
    assert plan.local.norm_bound == defaults.norm_bound
    assert (len(plan.nodes), plan.threshold) == (4, 1)
    assert len(plan.hospitals) >= 4


def test_what_is_asked_for_is_in_the_plan(trainings: Trainings) -> None:
    request = TrainingRequest(rounds=3, local_epochs=2, learning_rate=0.125, decay=0.5, seed=11)
    plan = trainings.plan(request)
    asked = (plan.rounds, plan.local.epochs, plan.local.learning_rate, plan.seed)
    assert asked == (3, 2, 0.125, 11)
    assert plan.local.decay == 0.5
    assert names(plan) == HEART


def test_updates_are_tested_unless_asked_otherwise(trainings: Trainings) -> None:
    assert trainings.plan(TrainingRequest()).review == Review()
    assert trainings.plan(TrainingRequest(review=False)).review is None


def test_an_installation_with_another_threshold_says_why_it_cannot_test(
    tmp_path: Path, chain: ChainEndpoint
) -> None:
    settings = settings_of(tmp_path, chain, CONSILIUM_NODES=7, CONSILIUM_THRESHOLD=2)
    with open_federation(settings) as federation:
        with pytest.raises(RequestError, match="expected a threshold of 1, got 2"):
            Trainings(federation).plan(TrainingRequest())
        assert Trainings(federation).plan(TrainingRequest(review=False)).threshold == 2


def test_the_attackers_are_no_part_of_the_plan(trainings: Trainings) -> None:
    attacked = TrainingRequest(attack="ipm", attackers=2)
    plan = trainings.plan(attacked)
    assert plan == trainings.plan(TrainingRequest())
    simulation = simulation_of(attacked, names(plan))
    started = trainings.start(plan, simulation=simulation)
    assert trainings.simulation_of(started) == simulation
    assert trainings.simulation_of(trainings.start(plan)) is None


def test_the_same_request_gives_the_same_plan_and_another_another(trainings: Trainings) -> None:
    digests = [
        trainings.plan(request).digest()
        for request in (
            TrainingRequest(),
            TrainingRequest(),
            TrainingRequest(seed=8),
            TrainingRequest(rounds=2),
            TrainingRequest(review=False),
            TrainingRequest(hospitals=HEART[:3]),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 5


def test_a_stored_plan_reads_back(trainings: Trainings) -> None:
    plan = trainings.plan(TrainingRequest(task="diabetes", hospitals=5, alpha=0.5))
    assert trainings.plan_of(trainings.start(plan)) == plan


def test_some_of_the_hospitals_in_the_source_s_order(trainings: Trainings) -> None:
    plan = trainings.plan(TrainingRequest(hospitals=("VA Long Beach", "Hungary", "Cleveland")))
    assert names(plan) == ("Cleveland", "Hungary", "VA Long Beach")


@pytest.mark.parametrize("number", [4, 7, 10])
def test_diabetes_is_dealt_to_so_many(trainings: Trainings, number: int) -> None:
    request = TrainingRequest(task="diabetes", hospitals=number, partition="iid")
    plan = trainings.plan(request)
    assert len(set(names(plan))) == number
    assert (plan.partition.kind, plan.partition.hospitals) == ("iid", number)


def test_the_seed_deals_the_rows_too(trainings: Trainings) -> None:
    plans = [trainings.plan(TrainingRequest(task="diabetes", seed=seed)) for seed in (7, 7, 8)]
    sizes = [
        [len(table.labels) for table in plan.data.load(plan.partition).values()] for plan in plans
    ]
    assert sizes[0] == sizes[1] != sizes[2]
    assert sum(sizes[0]) == sum(sizes[2]) == 768


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (TrainingRequest(task="lung"), r"tasks diabetes, heart; got 'lung'"),
        (TrainingRequest(hospitals=("Cleveland", "Hungary")), r"at least 3 hospitals, got 2"),
        (
            TrainingRequest(hospitals=("Cleveland", "Hungary", "Zurich")),
            r"hospitals of Cleveland, .*; got Zurich",
        ),
        (TrainingRequest(hospitals=4), r"hospitals of heart are given by its source"),
        (TrainingRequest(partition="iid"), r"hospitals of heart are given by its source"),
        (TrainingRequest(alpha=0.5), r"hospitals of heart are given by its source"),
        (TrainingRequest(task="diabetes", hospitals=HEART), r"give their number"),
        (TrainingRequest(task="diabetes", hospitals=3), r"expected 4 to 10 hospitals; got 3"),
        (TrainingRequest(task="diabetes", hospitals=11), r"expected 4 to 10 hospitals; got 11"),
        (TrainingRequest(task="diabetes", alpha=1e9), r"expected alpha from"),
        (TrainingRequest(rounds=-1), r"at least 1 round, got -1"),
        (TrainingRequest(rounds=51), r"at most 50 rounds, got 51"),
        (TrainingRequest(local_epochs=-1), r"epochs"),
        (TrainingRequest(learning_rate=-0.1), r"learning rate"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(
    trainings: Trainings, request_: TrainingRequest, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        trainings.plan(request_)


def test_an_unknown_training_is_told(trainings: Trainings) -> None:
    with pytest.raises(RequestError, match="training of this installation, got ff"):
        trainings.plan_of("ff" * 32)


def test_the_rule_and_the_size_of_the_slices_can_be_chosen(trainings: Trainings) -> None:
    plan = trainings.plan(TrainingRequest(fraction="3/4", donated_rows=8))
    assert (plan.rule.numerator, plan.rule.denominator) == (3, 4)
    assert plan.split.donated_rows == 8
    assert plan.digest() != trainings.plan(TrainingRequest()).digest()


@pytest.mark.parametrize(
    ("share", "expected"), [(None, None), (1.0, None), (0.7, 7), (0.71, 8), (0.1, 3), (0.95, None)]
)
def test_a_share_of_the_hospitals_is_rounded_up_and_never_too_few(
    trainings: Trainings, share: float | None, expected: int | None
) -> None:
    plan = trainings.plan(TrainingRequest(task="diabetes", hospitals=10, share=share))
    assert plan.sampled == expected


def test_a_rule_that_ends_it_is_in_the_plan(trainings: Trainings) -> None:
    asked = TrainingRequest(stop_accuracy=0.8, patience=3)
    assert trainings.plan(asked).stopping == Stopping(0.8, 3)
    with pytest.raises(RequestError, match="expected an accuracy above 0"):
        trainings.plan(TrainingRequest(stop_accuracy=1.5))
    with pytest.raises(RequestError, match="expected a share of hospitals"):
        trainings.plan(TrainingRequest(share=0.0))
