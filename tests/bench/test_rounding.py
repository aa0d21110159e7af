"""The measurement of rounding rounds what would be shared, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.class_weights import CASES, plan_of
from bench.rounding import Rounded, difference, run
from crypto.fixedpoint import SCALE
from fl.attacks import HONEST
from tests.fl.test_attacks import SCENE


def test_an_update_is_the_honest_one_to_half_a_unit() -> None:
    update = np.random.default_rng(1).normal(scale=0.01, size=50)
    sent = Rounded().sent_update(update, SCENE)
    honest = HONEST.sent_update(update, SCENE)
    assert np.abs(sent - honest).max() <= 0.5 / SCALE
    assert np.array_equal(sent * SCALE, np.rint(sent * SCALE))


def test_the_difference_is_between_two_trainings_of_one_seed() -> None:
    _, name, partition = CASES[0]
    plan = replace(plan_of(name, partition, True, 3), rounds=2)
    rounded = {hospital.name: Rounded() for hospital in plan.hospitals}
    assert difference(plan) == run(plan, rounded) - run(plan, {})
