"""Tasks: the rows are the published ones, and every value lies where its column says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fl.datasets import Column, Partition, Table, get_task, heart, task_names
from fl.datasets.source import read_csv
from fl.errors import (
    ChecksumError,
    DatasetError,
    PartitionError,
    TableError,
    UnknownTaskError,
    ValueFormatError,
)


def test_the_four_natural_hospitals_have_the_published_rows() -> None:
    tables = get_task("heart").load()
    found = {name: (len(table), int(table.labels.sum())) for name, table in tables.items()}
    assert found == {
        "Cleveland": (303, 139),
        "Hungary": (294, 106),
        "Switzerland": (123, 115),
        "VA Long Beach": (200, 149),
    }
    assert tuple(tables) == get_task("heart").hospitals


def test_the_mislabelled_row_is_hungarys() -> None:
    # Row 304: 28 years, male, atypical angina, 130, 132, FALSE, lv hypertrophy, 185, FALSE, 0.
    row = [28, 1, 1, 130, 132, 0, 2, 185, 0, 0]
    tables = get_task("heart").load()
    holders = [n for n, t in tables.items() if (t.features == row).all(axis=1).any()]
    assert holders == ["Hungary"]


def test_zeros_that_mean_missing_are_missing() -> None:
    heart_rows = np.concatenate([t.features for t in get_task("heart").load().values()])
    diabetes_rows = np.concatenate([t.features for t in get_task("diabetes").load().values()])
    heart_missing = dict(
        zip((c.name for c in heart.COLUMNS), np.isnan(heart_rows).sum(axis=0), strict=True)
    )
    names = [c.name for c in get_task("diabetes").columns]
    diabetes_missing = dict(zip(names, np.isnan(diabetes_rows).sum(axis=0), strict=True))
    assert heart_missing["chol"] == 202
    assert heart_missing["trestbps"] == 60
    assert heart_missing["oldpeak"] == 62  # its zeros are measured
    assert diabetes_missing == {
        "Pregnancies": 0,
        "Glucose": 5,
        "BloodPressure": 35,
        "SkinThickness": 227,
        "Insulin": 374,
        "BMI": 11,
        "DiabetesPedigreeFunction": 0,
        "Age": 0,
    }


@pytest.mark.parametrize("name", ["heart", "diabetes"])
def test_defaults_and_columns_fit(name: str) -> None:
    task = get_task(name)
    assert task.name == name
    assert len(task.classes) == 2
    assert task.inputs == sum(column.inputs for column in task.columns)
    for column in task.columns:
        assert (column.kind == "number") == (not column.categories)
        assert column.kind != "binary" or len(column.categories) == 2
        assert column.low < column.high


def test_inputs_of_the_tasks() -> None:
    assert {name: get_task(name).inputs for name in task_names()} == {"heart": 15, "diabetes": 8}
    assert get_task("heart").defaults.norm_bound == 1.5
    assert get_task("diabetes").defaults.norm_bound == 1.0


def test_an_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(UnknownTaskError, match=r"diabetes, heart; got 'hearts'"):
        get_task("hearts")


def test_heart_is_not_dealt_out() -> None:
    with pytest.raises(PartitionError, match="natural"):
        get_task("heart").load(Partition("iid"))


def test_an_altered_file_is_refused() -> None:
    with pytest.raises(ChecksumError, match="574f2fa2"):
        read_csv(heart.FILE, "0" * 64, ["age"])


def test_a_column_that_the_file_lacks_is_named() -> None:
    with pytest.raises(DatasetError, match="cholesterol"):
        read_csv(heart.FILE, heart.SHA256, ["age", "cholesterol"])


def test_parse_numbers() -> None:
    column = Column("chol", "Cholesterol", "number", "mg/dl", 60, 700, zero_is_missing=True)
    assert column.parse(" 233 ") == 233.0
    assert math.isnan(column.parse(""))
    assert math.isnan(column.parse("0"))
    for text in ("59.9", "701", "nan", "inf", "-0.5", "high"):
        with pytest.raises(ValueFormatError, match="chol"):
            column.parse(text)


def test_a_zero_is_a_value_unless_the_column_says_otherwise() -> None:
    assert Column("oldpeak", "ST", "number", "mm", -4, 8).parse("0") == 0.0


def test_parse_categories() -> None:
    pain = next(column for column in heart.COLUMNS if column.name == "cp")
    assert pain.parse("typical angina") == 0.0
    assert pain.parse("asymptomatic") == 3.0
    assert math.isnan(pain.parse(""))
    with pytest.raises(ValueFormatError, match="non-anginal"):
        pain.parse("angina")


def test_tables_refuse_arrays_that_do_not_fit() -> None:
    with pytest.raises(TableError, match="float64"):
        Table(np.zeros((2, 3), dtype=np.float32), np.zeros(2, dtype=np.int64))
    with pytest.raises(TableError, match="rows"):
        Table(np.zeros((2, 3)), np.zeros(3, dtype=np.int64))
    with pytest.raises(TableError, match="-1"):
        Table(np.zeros((1, 3)), np.array([-1], dtype=np.int64))


def test_row_digests_are_frozen_and_see_value_label_and_place() -> None:
    def digest(row: list[float], label: int) -> str:
        return Table(np.array([row]), np.array([label], dtype=np.int64)).row_digests[0].hex()

    assert digest([1.0, math.nan], 1) == FROZEN
    assert digest([1.0, -math.nan], 1) == FROZEN
    assert digest([0.0, 1.0], 1) == digest([-0.0, 1.0], 1)
    others = {digest([1.0, math.nan], 0), digest([math.nan, 1.0], 1), digest([1.0, 0.0], 1)}
    assert len(others | {FROZEN}) == 4


# SHA-256("consilium/row/v1\0" || 3ff0000000000000 || 7ff8000000000000 || 0000000000000001)
FROZEN = "9a2c1b7faec8ba6477b0c77d97e859fbf40850dafe2e927e36197c4e5899b336"
