"""Statistics of a federation: from added sums alone, and impossible sums are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.datasets import (
    Category,
    Column,
    Defaults,
    Partition,
    Statistics,
    Task,
    get_task,
    local_sums,
    sums_length,
)
from fl.errors import StatisticsError, TableError

NAN = float("nan")
TOY = Task(
    name="toy",
    title="Toy",
    columns=(
        Column("heat", "Heat", "number", "°C", 30, 50),
        Column("sex", "Sex", "binary", categories=(Category("f", "f"), Category("m", "m"))),
        Column("type", "Type", "category", categories=tuple(Category(v, v) for v in "abc")),
    ),
    classes=("well", "ill"),
    defaults=Defaults(1, 1, 8, 0.001, 1.0, False),
    partition=Partition(),
    loader=lambda partition: {},
)
ROWS = np.array([[40, 1, 0], [45, 0, 2], [NAN, 1, NAN], [35, 1, 2]])


def test_sums_by_hand() -> None:
    sums = local_sums(TOY, ROWS)
    # heat - 40 over 10: 0, 0.5, -0.5; sex 0 -> -1, 1 -> 1; type one input a value.
    assert sums.reshape(3, 5).tolist() == [
        [3.0, 4.0, 3.0, 3.0, 3.0],
        [0.0, 2.0, 1.0, 0.0, 2.0],
        [0.5, 4.0, 1.0, 0.0, 2.0],
    ]
    assert sums.shape == (sums_length(TOY),)


def test_mean_and_deviation_by_hand() -> None:
    statistics = Statistics.from_sums(TOY, local_sums(TOY, ROWS))
    assert statistics.mean.tolist() == pytest.approx([0.0, 0.5, 1 / 3, 0.0, 2 / 3])
    assert statistics.deviation.tolist() == pytest.approx(
        [(0.5 / 3) ** 0.5, 0.75**0.5, (2 / 9) ** 0.5, 0.0, (2 / 9) ** 0.5]
    )


def test_a_value_outside_the_plausible_range_is_cut_in_the_sums() -> None:
    sums = local_sums(TOY, np.array([[1000.0, 0, 0]]))
    assert sums.reshape(3, 5)[:, 0].tolist() == [1.0, 1.0, 1.0]


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.sampled_from([0, 1, NAN])), max_size=30))
def test_no_entry_exceeds_the_rows(rows: list[tuple[float, float]]) -> None:
    features = np.array([[heat, sex, NAN] for heat, sex in rows]).reshape(len(rows), 3)
    assert (np.abs(local_sums(TOY, features)) <= len(rows)).all()


def test_added_sums_of_hospitals_are_the_sums_of_all_rows() -> None:
    task = get_task("heart")
    tables = task.load()
    added = sum(local_sums(task, t.features) for t in tables.values())
    pooled = np.concatenate([t.features for t in tables.values()])
    np.testing.assert_allclose(added, local_sums(task, pooled), atol=1e-9)
    statistics = Statistics.from_sums(task, np.asarray(added))
    age = task.columns[0]
    half, centre = (age.high - age.low) / 2, (age.high + age.low) / 2
    assert statistics.mean[0] * half + centre == pytest.approx(pooled[:, 0].mean())
    assert statistics.deviation[0] * half == pytest.approx(pooled[:, 0].std())


def test_sixteen_fractional_bits_are_enough() -> None:
    task = get_task("heart")
    exact = [local_sums(task, t.features) for t in task.load().values()]
    rounded = [np.round(sums * 2**16) / 2**16 for sums in exact]
    fine = Statistics.from_sums(task, np.sum(exact, axis=0))
    coarse = Statistics.from_sums(task, np.sum(rounded, axis=0))
    assert np.abs(fine.mean - coarse.mean).max() < 1e-6
    assert np.abs(fine.deviation - coarse.deviation).max() < 1e-5


def test_the_files_lie_within_the_plausible_ranges() -> None:
    for name in ("heart", "diabetes"):
        task = get_task(name)
        rows = np.concatenate([t.features for t in task.load().values()])
        for column, values in zip(task.columns, rows.T, strict=True):
            if column.kind == "number":
                assert column.low <= np.nanmin(values)
                assert np.nanmax(values) <= column.high


def altered(index: int, value: float) -> NDArray[np.float64]:
    sums = local_sums(TOY, ROWS)
    sums[index] = value
    return sums


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        (np.zeros(14), "15 sums"),
        (altered(0, NAN), "finite"),
        (altered(1, np.inf), "finite"),
        (altered(0, -1.0), "whole counts"),
        (altered(0, 2.5), "whole counts"),
        (altered(0, 2.0**41), "whole counts"),
        (altered(5, 4.5), "larger"),
        (altered(10, 4.5), "larger"),
        (altered(10, -1.5), "smaller"),
        (altered(5, 3.5), "smaller"),
    ],
)
def test_impossible_sums_are_refused(sums: NDArray[np.float64], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        Statistics.from_sums(TOY, sums)


def test_infinity_and_foreign_columns_are_refused() -> None:
    with pytest.raises(TableError, match="infinity"):
        local_sums(TOY, np.array([[np.inf, 0, 0]]))
    with pytest.raises(TableError, match=r"\(rows, 3\)"):
        local_sums(TOY, np.zeros((2, 4)))


def test_json_is_canonical_and_frozen() -> None:
    statistics = Statistics.from_sums(TOY, local_sums(TOY, ROWS))
    text = statistics.to_json()
    assert text == (
        '{"sums":[3.0,4.0,3.0,3.0,3.0,0.0,2.0,1.0,0.0,2.0,0.5,4.0,1.0,0.0,2.0],'
        '"task":"toy","version":1}'
    )
    assert Statistics.from_json(TOY, text) == statistics


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"task":"toy","version":1}',
        '{"sums":[1],"task":"toy","version":1}',
        '{"sums":"x","task":"toy","version":1}',
        '{"sums":[],"task":"heart","version":1}',
        '{"sums":[],"task":"toy","version":2}',
    ],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(StatisticsError):
        Statistics.from_json(TOY, text)
