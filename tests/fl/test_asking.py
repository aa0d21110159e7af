"""How a person is asked for values: groups, units, what is plausible, what missing ones become."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fl.datasets import Column, Statistics, Task, encode, get_task
from fl.datasets.asking import grouped, plausible_of
from fl.datasets.statistics import local_sums
from fl.datasets.task import Category
from fl.datasets.typical import typical
from fl.datasets.units import asked_units, quantity_of

HEART, DIABETES = get_task("heart"), get_task("diabetes")
# Digits to which a plausible range is rounded outwards, where they are not whole.
FINER = {"oldpeak": 1, "BMI": 1, "DiabetesPedigreeFunction": 2}


def outwards(value: float, digits: int, upwards: bool) -> float:
    scaled = round(value * 10**digits, 9)
    return (math.ceil(scaled) if upwards else math.floor(scaled)) / 10**digits


@pytest.mark.parametrize("task", [HEART, DIABETES], ids=lambda task: task.name)
def test_plausible_ranges_hold_99_of_100_published_rows(task: Task) -> None:
    rows = np.concatenate([table.features for table in task.load().values()])
    numbers = [column for column in task.columns if column.kind == "number"]
    assert [one.column for one in task.plausible] == [column.name for column in numbers]
    for column in numbers:
        values = rows[:, task.columns.index(column)]
        low, high = np.quantile(values[~np.isnan(values)], (0.005, 0.995))
        digits = FINER.get(column.name, 0)
        found = plausible_of(task, column)
        assert found is not None
        ends = (outwards(low, digits, False), outwards(high, digits, True))
        assert (found.low, found.high) == ends, column.name
        # What is impossible is refused before it is asked about.
        assert column.low <= found.low < found.high <= column.high
        assert found.low in found
        assert found.high + 0.1 not in found


@pytest.mark.parametrize("task", [HEART, DIABETES], ids=lambda task: task.name)
def test_groups_hold_each_column_once(task: Task) -> None:
    asked = [column.name for group in grouped(task) for column in group.columns]
    assert sorted(asked) == sorted(column.name for column in task.columns)


def test_a_task_that_names_no_groups_is_grouped_by_labels_and_units() -> None:
    columns = (
        Column("a_1", "Haemoglobin", "number", "g/dl", 1, 20),
        Column("b_2", "Age", "number", "years", 0, 100),
        Column("c_3", "Weight", "number", "kg", 1, 300),
        Column("d_4", "Systolic", "number", "mmHg", 1, 300),
        Column("e_5", "Stage", "number", "", 1, 4),
        Column("f_6", "Dosage", "number", "", 1, 4),
    )
    task = replace(HEART, columns=columns, groups=())
    assert [(one.title, [c.label for c in one.columns]) for one in grouped(task)] == [
        ("Person", ["Age"]),
        ("Blood pressure and pulse", ["Systolic"]),
        ("Body", ["Weight"]),
        ("Blood", ["Haemoglobin"]),
        ("Other values", ["Stage", "Dosage"]),
    ]
    odd = replace(task, columns=columns[4:])
    assert [one.title for one in grouped(odd)] == ["Values"]


@pytest.mark.parametrize(
    ("label", "unit", "names", "quantity"),
    [
        ("Glucose, two hours", "mg/dl", ["mg/dl", "mmol/l"], "glucose"),
        ("Serum cholesterol", "mmol/l", ["mmol/l", "mg/dl"], "cholesterol"),
        ("Weight", "kg", ["kg", "lb"], "mass"),
        ("Resting blood pressure", "mmHg", ["mmHg"], None),
        ("Age", "years", ["years"], None),
        ("Skin fold", "mm", ["mm"], None),
        ("Creatinine", "mg/dl", ["mg/dl"], None),
    ],
)
def test_a_unit_is_chosen_only_where_countries_differ(
    label: str, unit: str, names: list[str], quantity: str | None
) -> None:
    column = Column("x_1", label, "number", unit, 0, 1000)
    assert [one.name for one in asked_units(column)] == names
    if quantity:
        assert quantity_of(column) == quantity


def test_what_stands_for_a_missing_value_is_the_mean_of_who_has_it() -> None:
    columns = (
        Column("age", "Age", "number", "years", 0, 100),
        Column("sex", "Sex", "binary", categories=(Category("0", "f"), Category("1", "m"))),
        Column("pain", "Pain", "category", categories=tuple(Category(x, x) for x in "abc")),
        Column("none", "Nobody has it", "number", "", 0, 1),
    )
    task = replace(HEART, columns=columns, groups=())
    missing = math.nan
    rows = np.array(
        [[40, 1, 0, missing], [60, 1, 1, missing], [missing, 1, 1, missing], [80, 0, 1, missing]]
    )
    statistics = Statistics.from_sums(task, local_sums(task, rows))
    found = typical(task, statistics)
    assert found["age"] == (60.0,)
    assert found["sex"] == pytest.approx((0.25, 0.75))
    assert found["pain"] == pytest.approx((0.25, 0.75, 0.0))
    assert "none" not in found
    # The same as not to know it.
    asked = np.array([[60.0, missing, missing, missing], [missing] * 4])
    first, second = encode(task, asked, statistics)
    assert first == pytest.approx(second)
