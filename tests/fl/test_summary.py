"""What a hospital publishes: right counts, and none that tells of fewer than five patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.datasets import Column, Table, Task, get_task
from fl.datasets.summary import FEW_ROWS, LEAST, summarise, suppressed
from fl.datasets.task import Category


def test_a_large_hospital_publishes_what_its_rows_hold() -> None:
    task = get_task("heart")
    found = summarise(task, "Cleveland", task.load()["Cleveland"])
    assert (found.rows, dict(found.classes)) == (
        303,
        {"no heart disease": 164, "heart disease": 139},
    )
    sex = found.distributions[1]
    assert sex.labels == ("female", "male")
    assert dict(sex.counts) == {"no heart disease": (72, 92), "heart disease": (25, 114)}
    assert sex.missing == 0
    age = found.distributions[0]
    assert len(age.labels) == 10
    assert (age.labels[0], age.labels[-1]) == ("18.0 to 26.2", "91.8 to 100.0")


def test_switzerlands_missing_cholesterol_is_told_and_has_no_distribution() -> None:
    task = get_task("heart")
    found = summarise(task, "Switzerland", task.load()["Switzerland"])
    cholesterol = next(one for one in found.distributions if one.column.name == "chol")
    assert (cholesterol.missing, dict(cholesterol.counts)) == (123, {})


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_no_small_count_can_be_read_or_worked_out(counts: list[int]) -> None:
    told = suppressed(counts)
    assert all(cell is None or cell == count for cell, count in zip(told, counts, strict=True))
    assert all(cell is None or cell >= LEAST for cell in told)
    hidden = [count for cell, count in zip(told, counts, strict=True) if cell is None]
    if hidden and len(hidden) < len(counts):
        assert len(hidden) > 1
        assert sum(hidden) >= LEAST


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((50, 60), (50, 60)),
        ((3, 60), (None, None)),
        ((3, 60, 7), (None, 60, None)),
        ((4, 4, 60), (None, None, 60)),
        ((0, 0, 60, 9), (None, None, 60, None)),
        ((1, 2), (None, None)),
    ],
)
def test_as_much_is_kept_back_as_it_takes(
    counts: tuple[int, ...], told: tuple[int | None, ...]
) -> None:
    assert suppressed(counts) == told


def _toy(rows: int, gaps: int = 0) -> tuple[Task, Table]:
    heart = get_task("heart")
    columns = (
        Column("value", "Value", "number", "mm", 0, 10),
        Column("sex", "Sex", "binary", categories=(Category("f", "f"), Category("m", "m"))),
    )
    task = Task("toy", "Toy", columns, ("no", "yes"), heart.defaults, heart.partition, heart.loader)
    features = np.tile([[2.5, 0.0], [7.5, 1.0]], (rows // 2, 1))
    features[:gaps, 0] = np.nan
    return task, Table(features, np.zeros(len(features), dtype=np.int64))


def test_small_hospitals_publish_less() -> None:
    shapes = {}
    for rows in (FEW_ROWS - 2, FEW_ROWS, 200):
        task, table = _toy(rows)
        shapes[rows] = len(summarise(task, "A", table).distributions[0].labels)
    assert shapes == {FEW_ROWS - 2: 0, FEW_ROWS: 5, 200: 10}


@pytest.mark.parametrize(("gaps", "told"), [(0, 0), (1, None), (4, None), (5, 5), (197, None)])
def test_a_few_missing_or_present_values_are_not_told(gaps: int, told: int | None) -> None:
    task, table = _toy(200, gaps)
    assert summarise(task, "A", table).distributions[0].missing == told


def test_a_few_missing_values_cannot_be_worked_out_from_the_bins() -> None:
    """200 patients of one class, of whom two lack the value: 98 and 100 in the two bins."""
    task, table = _toy(200, 2)
    cells = summarise(task, "A", table).distributions[0].counts["no"]
    known = [cell for cell in cells if cell is not None]
    assert 200 - sum(known) >= LEAST
