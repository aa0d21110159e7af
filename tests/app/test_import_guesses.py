"""What an import proposes: sure things only where patients are called ill, units from headings."""

from __future__ import annotations

import pytest

from app.services.import_choices import NEW, first_purpose, read_purpose
from app.services.import_columns import first_columns
from app.services.import_values import first_values
from fl.datasets import get_task
from fl.datasets.raw_csv import RawCsv, read_raw
from tests.fl.test_guess import file_of


def proposed(words: list[str], task: str, title: str = "Kidney trouble") -> dict[str, str]:
    """What each word of the class column is proposed to mean."""
    raw = file_of(status=words, x=[str(number) for number in range(len(words))])
    choices = {"task": task, "title": title, "class_source": "status"}
    purpose = read_purpose(raw, choices | {"hospital": "North", "decimal": "."}, ())
    return dict(first_values(raw, purpose, ()))


def test_a_class_word_that_means_nothing_for_sure_waits_for_a_choice() -> None:
    found = proposed(["no", "yes", "vielleicht", "unknown", "2"] * 3, "heart")
    assert [found[f"class|{word}"] for word in ("no", "yes")] == ["0", "1"]
    assert {found[f"class|{word}"] for word in ("vielleicht", "unknown", "2")} == {""}


def test_the_names_of_a_task_s_classes_are_known() -> None:
    names = get_task("heart").classes
    found = proposed([names[1].upper(), names[0]] * 3, "heart")
    assert [found[f"class|{word}"] for word in (names[1].upper(), names[0])] == ["1", "0"]


def test_two_words_of_a_new_task_become_its_classes_names() -> None:
    found = proposed(["healthy", "ill", "ill"] * 3, NEW)
    assert (found["name|0"], found["class|healthy"]) == ("healthy", "0")
    assert found["class|ill"] in ("", "1")
    found = proposed(["stroke", "stroke", "control"], NEW)
    assert [found["name|0"], found["name|1"]] == ["stroke", "control"]
    assert [found["class|stroke"], found["class|control"]] == ["0", "1"]


@pytest.mark.parametrize("words", [["0", "1"], ["No", "Yes"], ["neg", "pos"], ["0.0", "1.0"]])
def test_where_the_file_only_answers_the_title_names_the_classes(words: list[str]) -> None:
    """A doctor reads of a risk of kidney trouble, not of a risk of yes."""
    found = proposed(words * 3, NEW)
    assert [found["name|0"], found["name|1"]] == ["no kidney trouble", "kidney trouble"]
    assert [found[f"class|{word}"] for word in words] == ["0", "1"]


def test_a_title_of_capitals_keeps_them_in_the_classes_names() -> None:
    found = proposed(["0", "1"] * 3, NEW, title="COPD")
    assert [found["name|0"], found["name|1"]] == ["no COPD", "COPD"]


def heart_file(heading: str) -> RawCsv:
    return file_of(**{"age": ["50", "61"], heading: ["4.6", "5.1"], "Diagnose": ["no", "yes"]})


@pytest.mark.parametrize(
    ("heading", "unit"),
    [("Serum cholesterol (mmol/l)", "mmol/l"), ("chol [MG/DL]", "mg/dl"), ("chol", "")],
)
def test_a_unit_in_a_heading_is_chosen(heading: str, unit: str) -> None:
    raw = heart_file(heading)
    choices = dict(first_purpose(raw)) | {"task": "heart", "hospital": "North"}
    fields = first_columns(raw, read_purpose(raw, choices, ()))
    assert fields["source|chol"] == heading
    assert fields.get("unit|chol", "") == unit


def test_a_heading_s_unit_becomes_that_of_a_new_column() -> None:
    raw = file_of(weight_kg=[str(number) for number in range(60, 90)], outcome=["0", "1", "1"] * 10)
    choices = dict(first_purpose(raw)) | {"task": NEW, "title": "Ideal weight", "hospital": "North"}
    fields = first_columns(raw, read_purpose(raw, choices, ()))
    assert (fields["label|weight_kg"], fields["unit|weight_kg"]) == ("weight", "kg")


def test_the_column_that_names_hospitals_is_proposed() -> None:
    raw = read_raw(b"hospital,age,outcome\nNorth,50,1\nSouth,60,0\n")
    assert first_purpose(raw)["hospital_source"] == "hospital"
