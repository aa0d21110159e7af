"""The course of a training: what its plan says of it, and that every way to train follows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cbor2
import numpy as np
import pytest

from contracts.records import DONATION
from crypto.fixedpoint import SCALE
from fl.datasets import Partition, SplitRule, Statistics, encode, get_task, local_sums, split
from fl.errors import PlanError, SettingsError
from fl.experiments import simulation
from fl.experiments.plain import federation_of
from fl.experiments.plaintext_review import Review as InTheClear
from fl.experiments.plaintext_review import judge_updates
from fl.experiments.poisoning import measure
from fl.experiments.simulation import Case, Unbounded, simulate
from fl.experiments.unshared import Confusion, PastRound, train_unshared
from fl.networks import flatten, initial_parameters
from fl.plan import LARGEST_NORM_BOUND, Member, Plan, Review
from fl.sampling import drawn
from fl.stopping import Stopping, accuracies
from fl.strategies import plain_fedavg_round
from fl.training import LocalSettings, accuracy, evaluate, local_seed, local_update
from fl.verdict import Judgement

LOCAL = LocalSettings(3, 32, 0.01, 1.5, True)
TABLES = get_task("heart").load()
# A plan as it was written before there was anything to say of a training's course.
OLD = (Path(__file__).parents[1] / "vectors" / "old_plan.json").read_text().strip()
OLD_DIGEST = "619b5f8c698d3f85730107894ccfb296ce6ff838856e847fc8d05e26d4079683"


def plan(**changes: object) -> Plan:
    made = Plan(
        task="heart",
        partition=Partition("natural"),
        split=SplitRule(),
        network="mlp",
        rounds=3,
        local=LOCAL,
        seed=5,
        hospitals=tuple(Member(name, f"0x{i:040x}", "") for i, name in enumerate(TABLES)),
        nodes=tuple(Member(f"node {i}", f"0x{i:039x}a", "") for i in range(4)),
        review=Review(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def decayed(by: float) -> Plan:
    return plan(local=replace(LOCAL, decay=by))


def test_a_plan_of_an_older_version_keeps_its_text_and_its_digest() -> None:
    known = Plan.from_json(OLD)
    assert known.to_json() == OLD
    assert known.digest().hex() == OLD_DIGEST
    assert known.local.decay == 1
    assert known.stopping is known.sampled is None


@pytest.mark.parametrize(
    "changed",
    [
        decayed(0.9),
        plan(stopping=Stopping(accuracy=0.8)),
        plan(stopping=Stopping(accuracy=0.8, patience=2)),
        plan(sampled=3),
    ],
)
def test_what_a_plan_says_of_the_course_comes_back_and_changes_its_digest(changed: Plan) -> None:
    assert Plan.from_json(changed.to_json()) == changed
    assert changed.digest() != plan().digest()


def test_what_is_as_it_always_was_is_not_in_the_text() -> None:
    fields = json.loads(plan().to_json())
    assert "decay" not in fields["local"]
    assert not {"stopping", "sampled"} & set(fields)


def test_the_learning_rate_decays_from_round_to_round() -> None:
    settings = replace(LOCAL, decay=0.5)
    rates = [settings.in_round(number).learning_rate for number in (1, 2, 3)]
    assert rates == [0.01, 0.005, 0.0025]
    assert LOCAL.in_round(1000) == LOCAL


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.01, float("nan")])
def test_a_decay_is_above_zero_and_at_most_one(decay: float) -> None:
    with pytest.raises(SettingsError, match="expected a decay"):
        replace(LOCAL, decay=decay)


def test_a_decay_that_leaves_no_learning_rate_is_refused_with_the_plan() -> None:
    with pytest.raises(PlanError, match="learning rate in round 50"):
        plan(rounds=50, local=replace(LOCAL, decay=1e-12))


def fedavg(
    known: Plan, rates: tuple[float, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The confusion matrix of plain FedAvg with all that are drawn, at these learning rates."""
    task = known.data
    parts = {name: split(table, known.split) for name, table in TABLES.items()}
    sums = np.sum([local_sums(task, part.train.features) for part in parts.values()], axis=0)
    statistics = Statistics.from_sums(task, sums)
    parameters = initial_parameters(known.spec, known.seed)
    for number, rate in enumerate(rates, start=1):
        settings = LocalSettings(3, 32, rate, LARGEST_NORM_BOUND, True)
        mine = {hospital.name: parts[hospital.name] for hospital in known.drawn(number)}
        updates = [
            local_update(
                known.spec,
                parameters,
                encode(task, part.train.features, statistics),
                part.train.labels,
                settings,
                local_seed(known.seed, number, name),
            )
            for name, part in mine.items()
        ]
        deltas, weights = [one.delta for one in updates], [one.samples for one in updates]
        parameters = plain_fedavg_round(known.spec, parameters, deltas, weights)
    tests = [
        evaluate(
            known.spec,
            parameters,
            encode(task, part.test.features, statistics),
            part.test.labels,
        )
        for part in parts.values()
    ]
    return np.sum(tests, axis=0)


def unshared(known: Plan) -> Confusion:
    weights: Mapping[str, int] = {
        name: len(split(table, known.split).train) for name, table in TABLES.items()
    }
    past = [PastRound(weights, round(LARGEST_NORM_BOUND * SCALE))] * known.rounds
    return train_unshared(known, TABLES, list(TABLES), past)


def test_the_training_without_sharing_decays_its_learning_rate() -> None:
    found = unshared(decayed(0.01))
    assert (found == fedavg(plan(), (0.01, 0.0001, 0.000001))).all()
    assert (found != unshared(plan())).any()


def test_the_trainings_in_one_batch_decay_their_learning_rate() -> None:
    def moved(by: float, rounds: int) -> float:
        known = replace(decayed(by), rounds=rounds)
        case = Case(federation_of(known, TABLES), {}, Unbounded())
        start = flatten(known.spec, initial_parameters(known.spec, known.seed))
        return float(np.linalg.norm(simulate([case])[0].model - start))

    first = moved(0.001, 1)
    assert moved(0.001, 2) == pytest.approx(first, rel=0.02)
    assert moved(1.0, 2) > 1.2 * first


@pytest.mark.parametrize(
    ("rule", "seen", "ends"),
    [
        (Stopping(accuracy=0.8), [0.79], False),
        (Stopping(accuracy=0.8), [0.79, 0.8], True),
        # The last round counts: a model that was better once is not the one that stands.
        (Stopping(accuracy=0.8), [0.81, 0.7], False),
        (Stopping(patience=2), [0.7, 0.6], False),
        (Stopping(patience=2), [0.7, 0.6, 0.7], True),
        (Stopping(patience=2), [0.7, 0.6, 0.71, 0.7], False),
        (Stopping(patience=1), [0.7], False),
        (Stopping(patience=1), [0.7, None], True),
        (Stopping(patience=1), [None, None], False),
        (Stopping(accuracy=0.9, patience=1), [0.7, 0.7], True),
        (Stopping(accuracy=0.9, patience=1), [], False),
    ],
)
def test_a_training_ends_by_its_rule(rule: Stopping, seen: list[float | None], ends: bool) -> None:
    assert bool(rule.reason(seen)) == ends


def test_the_reason_names_the_round_and_the_figures() -> None:
    rule = Stopping(accuracy=0.8, patience=2)
    assert rule.reason([0.5, 0.81234]) == (
        "stopping rule: after round 2 the accuracy is 0.8123, 0.8 was to be reached"
    )
    assert rule.reason([0.5, 0.61, 0.61, 0.6]) == (
        "stopping rule: for 2 rounds no accuracy was better than the 0.6100 of round 2"
    )


def test_an_accuracy_is_over_the_rows_of_all_hospitals_that_reported() -> None:
    reports = {1: [[[9, 1], [0, 0]], [[0, 0], [20, 10]]], 3: [[[0, 0], [0, 0]]]}
    assert accuracies(reports, 3) == [19 / 40, None, None]


@pytest.mark.parametrize(
    ("accuracy", "patience"), [(None, None), (0.0, None), (1.1, 3), (None, 0), (float("nan"), 1)]
)
def test_a_rule_that_says_nothing_sensible_is_refused(
    accuracy: float | None, patience: int | None
) -> None:
    with pytest.raises(SettingsError, match="expected a"):
        Stopping(accuracy, patience)


def test_a_draw_is_the_smallest_digests_of_a_round() -> None:
    names = tuple(f"Hospital {i}" for i in range(8))
    for number in (1, 2, 77):
        digests = {
            name: sha256(cbor2.dumps(["consilium/draw/v1", 11, number, name])).digest()
            for name in names
        }
        smallest = sorted(names, key=digests.__getitem__)[:5]
        assert drawn(11, number, names, 5) == tuple(n for n in names if n in smallest)
        # Whoever is listed first has no better chance.
        assert set(drawn(11, number, names[::-1], 5)) == set(smallest)
    assert len({drawn(11, number, names, 5) for number in range(1, 30)}) > 10
    assert drawn(11, 1, names, 5) != drawn(12, 1, names, 5)


def test_everybody_is_in_the_statistics_the_donation_and_where_nobody_is_drawn() -> None:
    sampling = plan(sampled=3)
    assert sampling.drawn(0) == sampling.drawn(DONATION) == sampling.hospitals
    assert plan().drawn(1) == plan().hospitals
    assert len(sampling.drawn(1)) == 3


@pytest.mark.parametrize("sampled", [2, 5])
def test_no_fewer_are_drawn_than_a_sum_needs_and_no_more_than_there_are(sampled: int) -> None:
    with pytest.raises(PlanError, match="expected 3 to 4 hospitals to be drawn"):
        plan(sampled=sampled)


def test_the_trainings_in_one_batch_draw_the_same_hospitals() -> None:
    known = plan(sampled=3)
    (outcome,) = simulate([Case(federation_of(known, TABLES), {}, Unbounded())])
    for number, result in enumerate(outcome.rounds, start=1):
        assert result.sent == {hospital.name for hospital in known.drawn(number)}
    confusion = fedavg(known, (0.01, 0.01, 0.01))
    assert measure(outcome).accuracy == pytest.approx(accuracy(confusion), abs=0.01)


def test_the_review_in_the_clear_knows_whose_updates_were_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[int]] = []

    def judged(*given: object) -> Judgement:
        seen.append(list(given[3]))  # type: ignore[call-overload]
        return judge_updates(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(simulation, "judge_updates", judged)
    known = plan(sampled=3)
    names = [hospital.name for hospital in known.hospitals]
    (outcome,) = simulate([Case(federation_of(known, TABLES), {}, InTheClear())])
    expected = [[names.index(h.name) for h in known.drawn(number)] for number in (1, 2, 3)]
    assert seen == expected
    assert expected != [[0, 1, 2]] * 3
    assert all(one.accepted <= one.sent for one in outcome.rounds)
