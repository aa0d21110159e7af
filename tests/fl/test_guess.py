"""What a file's columns are taken for: a proposal that is right for ordinary files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fl.datasets import diabetes, get_task
from fl.datasets.guess import (
    category_of,
    class_source,
    column_of,
    is_positive,
    missing_markers,
    sources_of,
    words_of,
)
from fl.datasets.raw_csv import RawCsv, read_raw


def file_of(**columns: list[str]) -> RawCsv:
    lines = [";".join(columns), *(";".join(row) for row in zip(*columns.values(), strict=True))]
    return read_raw("\n".join(lines).encode())


def test_columns_are_found_by_name_and_by_label_each_once() -> None:
    header = ("Chol", "Resting blood pressure", "AGE", "max heart rate", "Sex ")
    found = sources_of(header, get_task("heart").columns)
    assert {name: source for name, source in found.items() if source} == {
        "age": "AGE",
        "sex": "Sex ",
        "trestbps": "Resting blood pressure",
        "chol": "Chol",
    }


def test_an_equal_name_goes_before_a_similar_one() -> None:
    columns = get_task("diabetes").columns
    assert sources_of(("Ages", "Age"), columns)["Age"] == "Age"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", "3.5", "4", "5", "6", "7", "8", "9", "10"], "number"),
        (["1", "2", "3", "4", "5", "6", "7", "8", "9", "x"], "number"),
        (["1", "0"] * 5, "binary"),
        (["f", "m"] * 5, "binary"),
        (["low", "mid", "high", "low", "mid"] * 2, "category"),
        ([f"Mrs {letter}" for letter in "ABCDEFGHIJKLMNOP"], ""),
        (["same"] * 10, ""),
    ],
)
def test_the_kind_of_a_column_is_told_by_its_values(texts: list[str], kind: str) -> None:
    raw = file_of(x=texts, y=["1"] * len(texts))
    assert column_of(raw, "x", ".", ()).kind == kind


@pytest.mark.parametrize(
    ("texts", "low", "high"),
    [(["30", "60", "90"], 20, 100), (["0", "1", "2"], 0, 2.5), (["-4", "0", "6"], -5, 10)],
)
def test_the_range_has_round_bounds_and_room(texts: list[str], low: float, high: float) -> None:
    guess = column_of(file_of(x=texts, y=["1"] * 3), "x", ".", ())
    assert (guess.low, guess.high) == (low, high)


AGES = [str(30 + at % 50) for at in range(60)]


@pytest.mark.parametrize("far", ["999", "3800", "1e300", "1e999"])
def test_one_implausible_number_does_not_widen_the_range(far: str) -> None:
    rows = [*AGES, far]
    guess = column_of(file_of(x=rows, y=["1"] * len(rows)), "x", ".", ())
    plain = column_of(file_of(x=AGES, y=["1"] * len(AGES)), "x", ".", ())
    assert (guess.kind, guess.low, guess.high) == ("number", plain.low, plain.high)


def test_neither_does_one_far_below() -> None:
    rows = [*AGES, "-999"]
    guess = column_of(file_of(x=rows, y=["1"] * len(rows)), "x", ".", ())
    assert guess.low > -999


def test_a_group_of_patients_is_no_mistake() -> None:
    group = [*AGES, *["400"] * 5]
    assert column_of(file_of(x=group, y=["1"] * len(group)), "x", ".", ()).high > 400


@pytest.mark.parametrize("name", [one.name for one in get_task("diabetes").columns])
def test_every_value_of_real_patients_is_plausible(name: str) -> None:
    """Insulin among them, the largest of which is more than four times the third quartile."""
    file = Path(diabetes.__file__).parent / "files" / "diabetes.csv"
    raw = read_raw(file.read_bytes())
    guess = column_of(raw, name, ".", ("0",))
    known = [float(text) for text in raw.values(name) if text != "0"]
    assert guess.low <= min(known)
    assert max(known) <= guess.high


def test_where_half_of_the_rows_are_alike_nothing_is_called_far() -> None:
    vessels = [*["0"] * 40, *["1"] * 10, "2", "3", "2.5"]
    assert column_of(file_of(x=vessels, y=["1"] * len(vessels)), "x", ".", ()).high > 3


def test_missing_markers_are_found_and_are_no_words() -> None:
    raw = file_of(x=["NA", "a", "?", "b", "a"], y=["1"] * 5)
    assert missing_markers(raw) == ("NA", "?")
    assert words_of(raw, "x", ("NA", "?")) == ["a", "b"]


def test_the_class_is_the_usual_name_or_the_last_with_two_values() -> None:
    assert class_source(("Age", "Outcome", "sex"), {}) == "Outcome"
    assert class_source(("a", "b", "c"), {"a": ["1", "2"], "b": ["x", "y"], "c": ["1"]}) == "b"
    assert class_source(("a",), {"a": ["1"]}) == ""


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("sex", "male", "Male"),
        ("sex", "F", "Female"),
        ("fbs", "1", "TRUE"),
        ("fbs", "No", "FALSE"),
        ("cp", "no symptoms", "asymptomatic"),
        ("sex", "x", ""),
    ],
)
def test_words_are_matched_with_categories(column: str, text: str, value: str) -> None:
    found = next(one for one in get_task("heart").columns if one.name == column)
    assert category_of(text, found.categories) == value


@pytest.mark.parametrize(
    ("text", "positive"),
    [("0", False), ("no stroke", False), ("yes", True), ("1", True), ("stroke", None)],
)
def test_a_class_says_whether_the_disease_is_there(text: str, positive: bool | None) -> None:
    assert is_positive(text) is positive
