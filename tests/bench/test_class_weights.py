"""The comparison of class weights trains what it says."""

from __future__ import annotations

from dataclasses import replace

from bench.class_weights import CASES, measure, plan_of


def test_weights_lift_the_balanced_accuracy_of_skewed_hospitals() -> None:
    _, name, partition = CASES[2]
    with_weights, without = (
        measure(replace(plan_of(name, partition, weighted, 1), rounds=3))
        for weighted in (True, False)
    )

    assert with_weights[1] > without[1] + 2
