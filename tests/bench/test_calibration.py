"""The measurement of calibration judges every test row."""

from __future__ import annotations

from dataclasses import replace

from bench.calibration import measure, scores_of
from bench.class_weights import CASES, plan_of
from fl.datasets import split


def test_every_test_row_has_a_score_and_a_bold_model_is_mended() -> None:
    _, name, partition = CASES[0]
    plan = replace(plan_of(name, partition, True, 1), rounds=3)
    scores = scores_of(plan)
    tests = [split(table, plan.split).test for table in plan.data.load(partition).values()]
    assert scores.sum() == sum(len(test) for test in tests)
    assert scores[1].sum() == sum(int(test.labels.sum()) for test in tests)
    (found,) = measure(replace(plan, rounds=12), 1)
    assert found.rows == scores.sum()
    assert found.after.brier < found.before.brier
