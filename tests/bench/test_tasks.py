"""The benchmark's answers against torch's, and its clock."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from bench.peers.serve import process_seconds
from bench.peers.tasks import UPDATE_BOUND, make_task
from bench.peers.with_torch import PlainTask


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_right_answers_are_those_of_torch(name: str) -> None:
    task = make_task(name, 3, 20)
    plain = PlainTask(task)
    plain.infer()

    agree = (plain.classes() == task.classes()) | task.doubtful()

    assert agree.all()
    assert len(np.unique(task.classes())) > 1
    assert task.doubtful().mean() < 0.1


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_models_are_updates_of_the_first_within_the_bound(name: str) -> None:
    task = make_task(name, 3, 1)

    for model in (1, 2):
        parts = [part[model] - part[0] for layer in task.parameters for part in layer]
        norm = np.sqrt(sum((part**2).sum() for part in parts))
        assert norm == pytest.approx(UPDATE_BOUND)


def test_the_same_task_in_every_process() -> None:
    one, other = make_task("mlp", 2, 5), make_task("mlp", 2, 5)

    assert np.array_equal(one.rows, other.rows)
    assert np.array_equal(one.parameters[2][0], other.parameters[2][0])


def test_a_process_clock_is_read_from_outside() -> None:
    before, own = process_seconds(os.getpid()), time.process_time()
    sum(range(200_000))
    after = process_seconds(os.getpid())

    assert 0 < after - before < time.process_time() - own + 0.01
