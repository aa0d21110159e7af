"""What is unusual about a patient, by the federation's means and deviations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fl.datasets import Column, Statistics, Task, get_task
from fl.datasets.statistics import local_sums
from fl.datasets.task import Category
from fl.familiarity import compare

NAN = math.nan
COLUMNS = (
    Column("age", "Age", "number", "years", 0, 100),
    Column("weight", "Weight", "number", "kg", 0, 200),
    Column("sex", "Sex", "binary", categories=(Category("0", "female"), Category("1", "male"))),
    Column("pain", "Pain", "category", categories=tuple(Category(x, x) for x in "abc")),
)
HEART = get_task("heart")
TASK = Task("toy", "Toy", COLUMNS, ("no", "yes"), HEART.defaults, HEART.partition, HEART.loader)


def patients() -> NDArray[np.float64]:
    """Ages 40 to 60, one in a hundred is a woman, pain is a or b and never c."""
    count = 200
    return np.stack(
        [
            np.linspace(40, 60, count),
            np.linspace(60, 80, count),
            (np.arange(count) % 100 != 0).astype(float),
            (np.arange(count) % 2).astype(float),
        ],
        axis=1,
    )


STATISTICS = Statistics.from_sums(TASK, local_sums(TASK, patients()))


def test_a_patient_like_the_others() -> None:
    found = compare(TASK, np.array([[50.0, 70.0, 1.0, 0.0]]), STATISTICS)
    assert not found.unlike
    assert found.distance == pytest.approx(0, abs=1e-3)


def test_a_number_far_from_the_mean_is_named_with_it() -> None:
    found = compare(TASK, np.array([[80.0, NAN, NAN, NAN]]), STATISTICS)
    (one,) = found.unusual
    assert (one.column.name, one.value, one.share) == ("age", 80.0, None)
    deviation = patients()[:, 0].std()
    assert one.deviations == pytest.approx(30 / deviation, rel=1e-3)
    assert one.mean == pytest.approx(50, abs=1e-2)
    assert found.distance == pytest.approx(one.deviations)
    assert found.unlike


def test_a_rare_value_and_one_that_nobody_has_are_named_with_their_share() -> None:
    found = compare(TASK, np.array([[50.0, 70.0, 0.0, 2.0]]), STATISTICS)
    assert [(one.column.name, one.share) for one in found.unusual] == [
        ("sex", pytest.approx(0.01)),
        ("pain", 0),
    ]


def test_many_values_a_little_off_are_unusual_together() -> None:
    age, weight = patients()[:, 0], patients()[:, 1]
    off = np.array([[age.mean() + 2.8 * age.std(), weight.mean() - 2.8 * weight.std(), NAN, NAN]])
    found = compare(TASK, off, STATISTICS)
    assert found.unusual == ()
    assert found.unlike
    # The 99th percentile of chi-square with two degrees is 9.210 (-2 ln 0.01).
    assert found.limit == pytest.approx(math.sqrt(9.210 / 2), rel=0.01)


def test_nothing_known_is_like_nobody_and_unlike_nobody() -> None:
    found = compare(TASK, np.full((1, 4), NAN), STATISTICS)
    assert (found.unusual, found.distance, found.unlike) == ((), None, False)


def test_a_column_without_rows_says_nothing() -> None:
    rows = patients()
    rows[:, [0, 2]] = NAN
    empty = Statistics.from_sums(TASK, local_sums(TASK, rows))
    found = compare(TASK, np.array([[99.0, 70.0, 0.0, 0.0]]), empty)
    assert found.unusual == ()


@pytest.mark.parametrize("name", ["heart", "diabetes"])
def test_few_of_the_patients_of_a_task_are_unlike_the_others(name: str) -> None:
    task = get_task(name)
    tables = task.load().values()
    sums = sum((local_sums(task, table.features) for table in tables), np.zeros(3 * task.inputs))
    statistics = Statistics.from_sums(task, sums)
    rows = np.concatenate([table.features for table in tables])
    unlike = [compare(task, row[None], statistics).unlike for row in rows]
    assert 0 < np.mean(unlike) < 0.15
