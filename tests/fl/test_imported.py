"""Imported data: what was written is read again, bound by hashes; rows are refused with reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.datasets import (
    Category,
    Column,
    Partition,
    Table,
    Task,
    described,
    get_task,
    imported,
    task_names,
    task_of,
    use_folder,
)
from fl.datasets.description import describe, imported_column_name, read_description
from fl.datasets.imported import ROWS, TASKS, Origin, written
from fl.datasets.raw_csv import read_raw
from fl.datasets.recipe import Recipe, Refusal, Take, convert, too_small
from fl.datasets.units import Unit, units_of
from fl.errors import ChecksumError, DatasetError, DescriptionError, UnknownTaskError

COLUMNS = (
    Column("age_1", "Age", "number", "years", 0, 120),
    Column("sex_2", "Sex", "binary", "", 0, 1, (Category("f", "female"), Category("m", "male"))),
    Column(
        "grade_3", "Grade", "category", "", 0, 1, tuple(Category(v, v) for v in ("a", "b,c", "d"))
    ),
)
DESCRIPTION = describe("Stroke", COLUMNS, ("no stroke", "stroke"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of imports with the task of `DESCRIPTION`."""
    monkeypatch.setattr(imported, "_catalogue", None)
    (tmp_path / TASKS).mkdir()
    (tmp_path / TASKS / f"{DESCRIPTION.name}.json").write_text(DESCRIPTION.text)
    use_folder(tmp_path)
    return tmp_path


def table(rows: int = 40) -> Table:
    generator = np.random.default_rng(1)
    features = np.column_stack(
        [generator.integers(20, 90, rows), generator.integers(0, 2, rows), np.arange(rows) % 3]
    ).astype(np.float64)
    return Table(features, np.arange(rows, dtype=np.int64) % 2)


def put(folder: Path, task: Task, hospital: str, rows: Table) -> str:
    """Keep a hospital's rows in the folder; their SHA-256."""
    content = written(task, rows)
    digest = sha256(content).hexdigest()
    place = folder / ROWS / task.name
    place.mkdir(parents=True, exist_ok=True)
    name = imported.folder_name(hospital)
    (place / f"{name}.csv").write_bytes(content)
    origin = Origin(hospital, digest, len(rows), 0, "a.csv", "0" * 64, "", "", "2026-01-01")
    (place / f"{name}.json").write_text(origin.to_json())
    return digest


def test_an_imported_task_is_a_task_like_any_other(folder: Path) -> None:
    name = DESCRIPTION.name
    assert task_names() == ("heart", "diabetes", name)
    digests = tuple((h, put(folder, get_task(name), h, table())) for h in ("East", "West"))
    task = get_task(name)
    assert (task.title, task.columns, task.hospitals) == ("Stroke", COLUMNS, ("East", "West"))
    assert task.partition == Partition("natural", 0, sources=digests, description=DESCRIPTION.text)
    assert np.array_equal(task.load()["West"].features, table().features)
    assert task_of(name, task.partition).columns == COLUMNS


def test_a_hospital_joins_a_built_in_task(folder: Path) -> None:
    heart = get_task("heart")
    rows = heart.load()["Cleveland"].take(np.arange(50))
    put(folder, heart, "Bern", rows)
    joined = get_task("heart")
    assert joined.hospitals == (*heart.hospitals, "Bern")
    assert len(joined.load()["Bern"]) == 50
    # A plan without it is the plan of before.
    without = joined.partition.joined_by(heart.hospitals)
    assert without == heart.partition
    assert "sources" not in without.to_fields()
    assert tuple(joined.load(without)) == heart.hospitals


def test_a_hospital_joins_those_that_a_table_is_dealt_to(folder: Path) -> None:
    diabetes = get_task("diabetes")
    put(folder, diabetes, "Bern", diabetes.load()["Hospital A"].take(np.arange(50)))
    joined = get_task("diabetes")
    assert (joined.hospitals, joined.joined) == ((), ("Bern",))
    tables = joined.load(replace(joined.partition, hospitals=5))
    assert tuple(tables) == (*(f"Hospital {letter}" for letter in "ABCDE"), "Bern")


def test_partitions_survive_a_plans_json(folder: Path) -> None:
    put(folder, get_task(DESCRIPTION.name), "East", table())
    for name in task_names():
        partition = get_task(name).partition
        assert Partition.from_fields(json.loads(json.dumps(partition.to_fields()))) == partition


@pytest.mark.parametrize(
    "fields",
    [[], "natural", None, {"sources": 1}, {"sources": [["a"]]}, {"description": []}, {"x": 1}],
)
def test_fields_that_are_no_partition_are_refused(fields: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Partition.from_fields(fields)


def test_altered_rows_are_not_read(folder: Path) -> None:
    name = DESCRIPTION.name
    put(folder, get_task(name), "East", table())
    path = folder / ROWS / name / "east.csv"
    path.write_bytes(path.read_bytes().replace(b"no stroke", b"stroke", 1))
    with pytest.raises(ChecksumError, match="the imported rows of East"):
        get_task(name).load()


def test_removed_rows_are_missed_by_the_plans_that_name_them(folder: Path) -> None:
    name = DESCRIPTION.name
    put(folder, get_task(name), "East", table())
    partition = get_task(name).partition
    (folder / ROWS / name / "east.csv").unlink()
    with pytest.raises(DatasetError, match=r"the rows of East for stroke-.* removed"):
        task_of(name, partition).load(partition)


def test_a_description_that_was_altered_is_no_task(folder: Path) -> None:
    path = folder / TASKS / f"{DESCRIPTION.name}.json"
    path.write_text(DESCRIPTION.text.replace('"high":120', '"high":12'))
    with pytest.raises(ChecksumError, match="the description of stroke-"):
        get_task(DESCRIPTION.name)
    changed = Partition(description=path.read_text())
    with pytest.raises(DescriptionError, match="expected the description of stroke-"):
        task_of(DESCRIPTION.name, changed)


@pytest.mark.parametrize("name", ["../outside", "..", "", "a/b", "stroke-000000000000"])
def test_a_name_is_no_way_out_of_the_folder(folder: Path, name: str) -> None:
    (folder / "outside.json").write_text(DESCRIPTION.text)
    with pytest.raises(UnknownTaskError):
        get_task(name)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"title": "=cmd()"}, "does not begin with"),
        ({"title": ""}, "expected 1 to 80"),
        ({"classes": ("a", "a")}, "expected different ones"),
        ({"classes": ("a",)}, "expected 2 classes"),
        ({"columns": ()}, "expected 1 to 40 columns"),
        ({"columns": (replace(COLUMNS[0], name="data"),)}, "such as age_1"),
        ({"columns": (replace(COLUMNS[0], low=120),)}, "expected a range"),
        ({"columns": (replace(COLUMNS[0], label="+1"),)}, "does not begin with"),
        ({"columns": (replace(COLUMNS[1], categories=()),)}, "expected 2 values"),
    ],
)
def test_what_no_task_can_be_is_refused(change: dict[str, object], problem: str) -> None:
    given: dict[str, object] = {"title": "T", "columns": COLUMNS, "classes": ("a", "b")}
    with pytest.raises(DescriptionError, match=problem):
        describe(**(given | change))  # type: ignore[arg-type]


def test_a_description_is_read_as_it_was_written_and_nothing_else_is() -> None:
    assert read_description(DESCRIPTION.text) == DESCRIPTION
    for text in ("", "[]", "{}", DESCRIPTION.text.replace('"version":1', '"version":2')):
        with pytest.raises(DescriptionError):
            read_description(text)


def test_names_of_columns_differ_and_are_no_attributes() -> None:
    names = [imported_column_name(label, at) for at, label in enumerate(["Data", "Data", "世界"])]
    assert names == ["data_1", "data_2", "_3"]


# CSV -> rows -> file -> rows

LABELS = {"0": "no stroke", "1": "stroke"}
RECIPE = Recipe(
    takes=(
        Take(COLUMNS[0], "age", Unit("years")),
        Take(COLUMNS[1], "sex", words={"F": "f", "M": "m"}),
        Take(COLUMNS[2], "grade"),
    ),
    class_source="outcome",
    classes=LABELS,
    hospital="East",
    missing=frozenset({"NA"}),
)
VALUES = st.tuples(
    st.none() | st.floats(0, 120, allow_nan=False).map(lambda x: round(x, 3)),
    st.none() | st.sampled_from(["F", "M"]),
    st.sampled_from(["a", "b,c", "d"]),
    st.sampled_from(["0", "1"]),
)


@given(st.lists(VALUES, min_size=1, max_size=30), st.sampled_from([",", ";", "\t"]))
def test_what_a_file_says_is_what_the_table_holds(
    rows: list[tuple[float | None, str | None, str, str]], delimiter: str
) -> None:
    lines = [["age", "sex", "grade", "outcome"]]
    lines += [["NA" if a is None else repr(a), s or "", f'"{g}"', o] for a, s, g, o in rows]
    text = "\n".join(delimiter.join(line) for line in lines)
    task = described(DESCRIPTION)
    done = convert(read_raw(text.encode()), task, RECIPE)
    assert done.refused == []
    expected = [
        [
            np.nan if a is None else a,
            np.nan if s is None else "FM".index(s),
            ["a", "b,c", "d"].index(g),
        ]
        for a, s, g, _ in rows
    ]
    found = done.tables["East"]
    assert np.array_equal(found.features, np.array(expected), equal_nan=True)
    assert found.labels.tolist() == [int(o) for *_, o in rows]
    again = imported._table(written(task, found), task.columns, task.classes)
    assert np.array_equal(again.features, found.features, equal_nan=True)
    assert np.array_equal(again.labels, found.labels)


def test_each_refused_row_says_line_column_and_reason() -> None:
    text = (
        "age,sex,grade,outcome\n63,M,a,1\n163,M,a,1\nold,X,a,1\n63,M,a\n63,M,e,1\n63,M,a,2\n"
        "NA,,,0\n1_0,M,a,0\nnan,M,a,1\n"
    )
    done = convert(read_raw(text.encode()), described(DESCRIPTION), RECIPE)
    assert len(done.tables["East"]) == 1
    assert done.refused == [
        Refusal(3, "age", "0 to 120 years", "163"),
        Refusal(4, "age", "a number with a decimal point", "old"),
        Refusal(4, "sex", "one of F, M", "X"),
        Refusal(5, "", "4 cells", "3 cells"),
        Refusal(6, "grade", "one of a, b,c, d", "e"),
        Refusal(7, "outcome", "one of 0, 1", "2"),
        Refusal(8, "", "at least one value", "none"),
        Refusal(9, "age", "a number with a decimal point", "1_0"),
        Refusal(10, "age", "a number with a decimal point", "nan"),
    ]
    assert done.refused_rows == 8


def test_decimal_commas_are_read_and_points_then_refused() -> None:
    raw = read_raw(b"age;sex;grade;outcome\n63,5;M;a;1\n1.234;M;a;1\n")
    done = convert(raw, described(DESCRIPTION), replace(RECIPE, decimal=","))
    assert done.tables["East"].features[0, 0] == 63.5
    assert [(one.line, one.came) for one in done.refused] == [(3, "1.234")]


def test_a_column_may_name_the_hospital() -> None:
    raw = read_raw(b"age,sex,grade,outcome,where\n63,M,a,1,West\n64,M,a,1,East\n65,M,a,0,\n")
    recipe = replace(RECIPE, hospital="", hospital_source="where")
    done = convert(raw, described(DESCRIPTION), recipe)
    assert {name: rows.features[:, 0].tolist() for name, rows in done.tables.items()} == {
        "East": [64],
        "West": [63],
    }
    assert [one.expected for one in done.refused] == ["the name of a hospital"]


@pytest.mark.parametrize(
    ("task", "column", "unit", "given", "value"),
    [
        ("heart", "chol", "mmol/l", "5.2", 201.058),
        ("heart", "chol", "mg/dl", "200", 200),
        ("diabetes", "Glucose", "mmol/l", "10", 180.156),
        ("heart", "trestbps", "kPa", "16", 120.01),
        ("diabetes", "SkinThickness", "in", "1", 25.4),
        ("heart", "age", "months", "720", 60),
    ],
)
def test_units_convert(task: str, column: str, unit: str, given: str, value: float) -> None:
    """Known answers: 5.2 mmol/l of cholesterol are 201 mg/dl, 10 of glucose 180, 16 kPa 120."""
    found = get_task(task)
    about = next(one for one in found.columns if one.name == column)
    chosen = next(one for one in units_of(about) if one.name == unit)
    assert chosen.convert(float(given)) == pytest.approx(value, abs=0.01)


def test_a_refused_number_is_told_in_the_files_unit() -> None:
    heart = get_task("heart")
    chol = heart.columns[4]
    unit = next(one for one in units_of(chol) if one.name == "mmol/l")
    takes = tuple(Take(c, "chol", unit) if c is chol else Take(c) for c in heart.columns)
    recipe = Recipe(takes, "c", {"1": heart.classes[1]}, "East")
    done = convert(read_raw(b"chol,c\n5.2,1\n250,1\n0,1\n"), heart, recipe)
    assert [(one.line, one.expected) for one in done.refused] == [
        (3, "1.552 to 18.1 mmol/l"),
        (4, "at least one value"),
    ]


def test_a_hospital_that_is_too_small_is_named() -> None:
    task = described(DESCRIPTION)
    assert list(too_small(task, {"East": table(40)})) == []
    assert list(too_small(task, {"East": table(8)})) == [
        "East has 8 patients; expected at least 20",
        "East has 4 patients with no stroke; expected at least 5",
        "East has 4 patients with stroke; expected at least 5",
    ]
