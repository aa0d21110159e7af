"""Simulated trainings: what enters the model, who is left out, and the protocol's integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fl.attacks import get_attack
from fl.datasets import get_task
from fl.defences import DEFENCES
from fl.experiments import plaintext_review
from fl.experiments.federations import Federation, default_federation
from fl.experiments.plaintext_review import Review
from fl.experiments.simulation import Case, Outcome, Unbounded, simulate
from fl.networks import unflatten
from fl.strategies import plain_fedavg_round
from fl.training import local_seed, local_update
from fl.verdict import Counts, Judgement, judge
from fl.weights import capped_weights

TASK = get_task("heart")
BOUNDED = DEFENCES["none"]


def federation(rounds: int) -> Federation:
    known = default_federation(TASK, TASK.load(), seed=1, rounds=rounds)
    return replace(known, local=replace(known.local, learning_rate=0.01))


TWO, FOUR = federation(2), federation(4)


def case(names: tuple[str, ...], attack: str, defence: object, known: Federation = TWO) -> Case:
    behaviours = {name: get_attack(attack).behaviour for name in names}
    return Case(known, behaviours, defence)  # type: ignore[arg-type]


def run(*cases: Case) -> list[Outcome]:
    return simulate(cases)


def test_an_honest_training_is_the_one_by_one_training_to_rounding() -> None:
    outcome = run(Case(TWO, {}, BOUNDED, adaptive=False))[0]
    parameters = unflatten(TWO.spec, TWO.initial().astype(np.float64))
    weights = capped_weights({name: len(y) for name, (_, y) in TWO.train.items()})
    for number in (1, 2):
        updates = [
            local_update(TWO.spec, parameters, x, y, TWO.local, local_seed(1, number, name))
            for name, (x, y) in TWO.train.items()
        ]
        deltas = [update.delta for update in updates]
        parameters = plain_fedavg_round(TWO.spec, parameters, deltas, list(weights.values()))
    expected = np.concatenate([array.ravel() for array in parameters.values()])
    # Half a unit of 2^-16 a round from the fixed point, and float32 training beside it.
    np.testing.assert_allclose(outcome.model, expected, atol=2 * 2**-17 + 1e-5)
    assert np.abs(outcome.model - TWO.initial()).max() > 0.01


def test_a_case_does_not_depend_on_its_company() -> None:
    attacked = case(("Cleveland",), "gaussian", BOUNDED)
    alone, among = run(attacked)[0], run(Case(TWO, {}, Unbounded()), attacked)[1]
    np.testing.assert_allclose(alone.model, among.model, atol=1e-4)


@pytest.mark.parametrize("attack", ["label-flip", "targeted-flip", "model-replacement"])
def test_the_review_leaves_the_poisoned_out_and_the_honest_in(attack: str) -> None:
    for outcome in run(*(case((name,), attack, Review(), FOUR) for name in FOUR.names)):
        honest = frozenset(FOUR.names) - set(outcome.case.attackers)
        assert [one.accepted for one in outcome.rounds] == [honest] * 4


def test_values_out_of_range_are_refused_before_any_verdict() -> None:
    outcome = run(case(("Hungary",), "out-of-range", Review()))[0]
    for one in outcome.rounds:
        assert "Hungary" not in one.accepted
        assert one.judgement is not None
        assert len(one.judgement.verdicts) == 3
    assert np.isfinite(outcome.model).all()


def test_with_too_few_left_the_model_stays() -> None:
    outcome = run(case(("Hungary", "Cleveland"), "out-of-range", Review()))[0]
    assert np.array_equal(outcome.model, TWO.initial())
    assert [one.accepted for one in outcome.rounds] == [frozenset()] * 2


@pytest.mark.parametrize("name", TWO.names)
def test_a_slice_with_flipped_labels_is_set_aside_in_every_round(name: str) -> None:
    outcome = run(case((name,), "tainted-slice", Review(), FOUR))[0]
    for one in outcome.rounds:
        assert one.judgement is not None
        assert one.judgement.flagged == (FOUR.names.index(name),)


@pytest.mark.parametrize("name", FOUR.names)
def test_nobody_is_rejected_for_a_slice_with_flipped_labels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def twice(right: Counts, of_global: Counts, sizes: Counts, *rest: Any) -> Judgement:
        """Judge by the tainted slice, and the same models by the rows as they are."""
        flipped = FOUR.names.index(name)
        clean = [counts.copy() for counts in (right, of_global, sizes)]
        clean[0][:, flipped] = (sizes - right)[:, flipped, ::-1]
        clean[1][flipped] = (sizes - of_global)[flipped, ::-1]
        clean[2][flipped] = sizes[flipped, ::-1]
        tainted, honest = judge(right, of_global, sizes, *rest), judge(*clean, *rest)
        seen.append(zip(tainted.verdicts, honest.verdicts, strict=True))
        assert not honest.flagged
        return tainted

    monkeypatch.setattr(plaintext_review, "judge", twice)
    run(case((name,), "tainted-slice", Review(), FOUR))
    assert len(seen) == FOUR.rounds
    assert all(one.accepted or not other.accepted for pairs in seen for one, other in pairs)


def test_no_honest_slice_is_set_aside() -> None:
    outcome = run(Case(FOUR, {}, Review()))[0]
    assert all(one.judgement and not one.judgement.flagged for one in outcome.rounds)


def test_a_false_count_weighs_at_most_twice_the_median() -> None:
    honest, inflated, vanilla = run(
        Case(TWO, {}, BOUNDED),
        case(("Switzerland",), "inflated-count", BOUNDED),
        case(("Switzerland",), "inflated-count", Unbounded()),
    )
    samples = {name: len(y) for name, (_, y) in TWO.train.items()}
    samples["Switzerland"] *= 10
    weights = capped_weights(samples)
    assert weights["Switzerland"] == 2 * sorted(samples.values())[1]
    assert not np.allclose(honest.model, inflated.model, atol=1e-3)
    assert not np.allclose(vanilla.model, inflated.model, atol=1e-3)


def test_capped_weights_by_hand() -> None:
    # Lower median of 10, 20, 30, 400: 20, so nobody counts more than 40.
    assert capped_weights({"a": 400, "b": 10, "c": 30, "d": 20}) == {
        "a": 40,
        "b": 10,
        "c": 30,
        "d": 20,
    }


def test_the_oracle_is_the_training_of_the_others() -> None:
    attacked, other = run(
        case(("Hungary",), "label-flip", DEFENCES["oracle"]),
        case(("Hungary",), "model-replacement", DEFENCES["oracle"]),
    )
    np.testing.assert_allclose(attacked.model, other.model, atol=1e-5)


def test_the_bound_follows_the_updates_and_binds_what_enters() -> None:
    outcome = run(Case(FOUR, {}, BOUNDED))[0]
    bounds = [one.norm_bound for one in outcome.rounds]
    assert bounds[0] == round(FOUR.local.norm_bound * 65536)
    assert len(set(bounds)) > 1
    fixed = run(Case(FOUR, {}, BOUNDED, adaptive=False))[0]
    assert len({one.norm_bound for one in fixed.rounds}) == 1
