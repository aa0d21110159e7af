"""The form of a patient's values, and how a probability is told."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.doctor.forms import ValuesForm, values_form
from app.doctor.reading import Reading
from fl.datasets import get_task, task_names

HEART = get_task("heart")


def filled(app: Flask, task: str = "heart", **typed: str) -> tuple[ValuesForm, bool]:
    with app.test_request_context(method="POST"):
        form = values_form(get_task(task))(MultiDict(typed), meta={"csrf": False})
        return form, form.validate()


@pytest.mark.parametrize("task", task_names())
def test_form_asks_for_every_column_in_order(app: Flask, task: str) -> None:
    form, _ = filled(app, task)
    columns = get_task(task).columns
    assert [field.label.text for _, field in form.measures()] == [c.label for c in columns]


def test_values_are_those_of_the_columns(app: Flask) -> None:
    form, valid = filled(app, age="63", oldpeak="2,3", sex="Male", cp="asymptomatic", chol="0")
    assert valid
    values = form.values()
    assert (values["age"], values["oldpeak"], values["sex"], values["cp"]) == (63.0, 2.3, 1.0, 3.0)
    assert values["chol"] is None  # the source writes 0 for what was not measured
    assert values["thalch"] is None
    assert dict(form.shown())["ST depression by exercise"] == "2.3 mm"
    assert dict(form.shown())["Chest pain"] == "no symptoms"


@pytest.mark.parametrize("typed", ["17.9", "101", "sixty", "nan", "inf", "1e400", "6 3"])
def test_what_is_no_value_is_refused_with_the_range(app: Flask, typed: str) -> None:
    form, valid = filled(app, age=typed, chol="241")
    assert not valid
    assert list(form.errors) == ["age"]
    assert "18 to 100 years" in form.errors["age"][0]
    assert form["age"].data == typed


def test_a_choice_that_is_not_offered_is_refused(app: Flask) -> None:
    form, valid = filled(app, age="63", sex="neither")
    assert not valid
    assert list(form.errors) == ["sex"]


def test_nothing_known_is_refused(app: Flask) -> None:
    form, valid = filled(app)
    assert not valid
    assert "at least one value" in form.form_errors[0]


@given(risk=st.floats(0, 1))
def test_percent_is_the_nearest_and_never_certain(risk: float) -> None:
    reading = Reading(HEART, (1 - risk, risk))
    assert reading.percent not in ("0 %", "100 %")
    digits = int("".join(filter(str.isdigit, reading.percent)))
    assert abs(digits - 100 * risk) <= 1


@pytest.mark.parametrize(
    ("risk", "words"),
    [
        (0.39, "Less likely than not"),
        (0.41, "Undecided"),
        (0.59, "Undecided"),
        (0.61, "More likely than not"),
    ],
)
def test_words_name_a_side_only_away_from_the_middle(risk: float, words: str) -> None:
    assert Reading(HEART, (1 - risk, risk)).words == words


def test_risk_is_that_of_the_disease() -> None:
    reading = Reading(HEART, (0.27, 0.73))
    assert (reading.percent, reading.disease) == ("73 %", "heart disease")


def test_the_interval_is_told_in_whole_per_cent() -> None:
    told = [
        Reading(HEART, (0.2, 0.8), interval).range
        for interval in ((0.714, 0.886), (0.004, 0.03), (0.97, 0.998), (0.801, 0.804), None)
    ]
    assert told == ["71 % to 89 %", "under 1 % to 3 %", "97 % to over 99 %", "80 %", None]
    assert Reading(HEART, (0.134, 0.866)).of_hundred == 87
