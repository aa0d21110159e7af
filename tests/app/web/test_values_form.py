"""The form of a patient's values, and how a probability is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.doctor.forms import ValuesForm, field_name, values_form
from app.doctor.measures import read_measured
from app.doctor.reading import Reading
from app.doctor.words import bounds, typical_words
from fl.datasets import Column, get_task, task_names
from fl.datasets.description import imported_column_name
from fl.datasets.units import asked_units

HEART = get_task("heart")


def filled(app: Flask, task: str = "heart", **typed: str) -> tuple[ValuesForm, bool]:
    with app.test_request_context(method="POST"):
        form = values_form(get_task(task))(MultiDict(typed), meta={"csrf": False})
        return form, form.validate()


@pytest.mark.parametrize("task", task_names())
def test_form_asks_for_every_column_in_order(app: Flask, task: str) -> None:
    form, _ = filled(app, task)
    columns = get_task(task).columns
    assert [one.field.label.text for one in form.measures()] == [c.label for c in columns]
    asked = [one.column.label for part in form.sections() for one in part.measures]
    assert sorted(asked) == sorted(c.label for c in columns)


def test_values_are_those_of_the_columns(app: Flask) -> None:
    form, valid = filled(app, age="63", oldpeak="2,3", sex="Male", cp="asymptomatic", chol="0")
    assert valid
    values = form.values()
    assert (values["age"], values["oldpeak"], values["sex"], values["cp"]) == (63.0, 2.3, 1.0, 3.0)
    assert values["chol"] is None  # the source writes 0 for what was not measured
    assert values["thalch"] is None
    typed = {one.column.name: one.typed for one in form.measures()}
    assert (typed["oldpeak"], typed["cp"]) == ("2.3 mm", "no symptoms")
    assert (typed["chol"], typed["restecg"]) == ("not known", "not known")


@pytest.mark.parametrize(
    "typed", ["17.9", "101", "sixty", "nan", "inf", "1e400", "6 3", "1,000", "0"]
)
def test_what_is_no_value_is_refused_with_the_range(app: Flask, typed: str) -> None:
    form, valid = filled(app, age=typed, chol="241")
    assert not valid
    assert list(form.errors) == ["age"]
    assert "18 to 100 years" in form.errors["age"][0]
    assert form["age"].data == typed


def test_a_comma_that_may_stand_between_thousands_is_not_read_as_a_decimal_one(app: Flask) -> None:
    form, valid = filled(app, "diabetes", Insulin="1,000")
    assert not valid
    assert "nothing between thousands" in form.errors["Insulin"][0]
    assert form["Insulin"].data == "1,000"
    form, valid = filled(app, "diabetes", Insulin="100,5")
    assert valid
    assert form.values()["Insulin"] == 100.5


@pytest.mark.parametrize(
    ("task", "column", "typed", "value"),
    [("heart", "chol", "6,2", 239.723), ("diabetes", "Glucose", "7.8", 140.522)],
)
def test_a_value_in_the_other_unit_is_converted_once(
    app: Flask, task: str, column: str, typed: str, value: float
) -> None:
    """Known answers: 6.2 mmol/l of cholesterol x 38.665, 7.8 of glucose x 18.0156."""
    form, valid = filled(app, task, **{column: typed, f"{column}-unit": "mmol/l"})
    assert valid
    assert form.values()[column] == value
    about = next(one for one in form.measures() if one.column.name == column)
    assert about.typed == f"{typed.replace(',', '.')} mmol/l"
    assert about.got == f"{value} mg/dl"
    own, _ = filled(app, task, **{column: "150"})
    assert own.values()[column] == 150
    assert next(one for one in own.measures() if one.column.name == column).got is None


def test_a_number_that_fits_the_other_unit_is_asked_about(app: Flask) -> None:
    form, valid = filled(app, **{"chol": "6.2", "chol-unit": "mg/dl"})
    assert not valid
    assert form.errors["chol"] == [
        "Expected a number from 60 to 700 mg/dl, got “6.2”. In mmol/l it would be possible: is the "
        "unit right?"
    ]
    form, _ = filled(app, **{"chol": "240", "chol-unit": "mmol/l"})
    assert "1.6 to 18.1 mmol/l, got “240”. In mg/dl it would" in form.errors["chol"][0]


def test_a_unit_that_is_not_offered_is_refused(app: Flask) -> None:
    form, valid = filled(app, **{"chol": "241", "chol-unit": "stone"})
    assert not valid
    assert [one.text for one in form.problems()] == ["Choose one of the units."]


@pytest.mark.parametrize("task", task_names())
def test_what_the_words_of_a_range_allow_is_possible(app: Flask, task: str) -> None:
    for one in filled(app, task)[0].measures():
        for unit in one.units if one.column.kind == "number" else ():
            words = bounds(one.column.low, one.column.high, unit)
            for end in words.removesuffix(unit.name).split(" to "):
                read_measured(one.column, end.strip(), unit)


def test_the_implausible_is_asked_about_until_it_is_ticked(app: Flask) -> None:
    form, valid = filled(app, trestbps="195", age="63")
    assert not valid
    assert form.errors == {}
    (asked,) = form.problems()
    assert asked.anchor == "trestbps-sure"
    assert asked.text == "Is 195 mmHg right? Of 100 published patients, 99 have 95 to 192 mmHg."
    assert form["trestbps"].data == "195"
    form, valid = filled(app, **{"trestbps": "195", "trestbps-sure": "195", "age": "63"})
    assert valid
    assert form.problems() == []
    assert form.values()["trestbps"] == 195


def test_a_tick_stands_for_the_number_that_it_was_given_for(app: Flask) -> None:
    _, valid = filled(app, **{"trestbps": "198", "trestbps-sure": "195"})
    assert not valid
    _, valid = filled(app, **{"chol": "14", "chol-unit": "mmol/l", "chol-sure": "14"})
    assert not valid
    form, valid = filled(app, **{"chol": "14", "chol-unit": "mmol/l", "chol-sure": "541.31"})
    assert valid
    assert ("chol-sure", "541.31") in form.carried()


def test_a_tick_makes_nothing_possible(app: Flask) -> None:
    form, valid = filled(app, **{"trestbps": "400", "trestbps-sure": "400"})
    assert not valid
    assert "60 to 260 mmHg" in form.errors["trestbps"][0]


def test_a_tick_stays_when_something_else_is_wrong(app: Flask) -> None:
    form, valid = filled(app, **{"trestbps": "195", "trestbps-sure": "195", "age": "sixty"})
    assert not valid
    assert [one.anchor for one in form.problems()] == ["age"]
    assert next(one for one in form.measures() if one.column.name == "trestbps").confirmed


def test_an_imported_column_may_be_called_in_letters_that_no_name_has(app: Flask) -> None:
    name = imported_column_name("血圧", 0)
    column = Column(name, "血圧", "number", "mmHg", 60, 260)
    task = replace(HEART, name="imported", columns=(column,), groups=(), plausible=())
    with app.test_request_context(method="POST"):
        typed = MultiDict({field_name(column): "120"})
        form = values_form(task)(typed, meta={"csrf": False})
        assert form.validate()
        assert form.values() == {name: 120}


def test_what_is_assumed_of_a_missing_value_is_told_in_its_unit() -> None:
    chol, sex, cp = (HEART.columns[at] for at in (4, 1, 2))
    told = [typical_words(chol, (246.6,), unit) for unit in asked_units(chol)]
    assert told == ["247 mg/dl", "6.38 mmol/l"]
    none = asked_units(sex)[0]
    assert typical_words(sex, (0.21, 0.79), none) == "79\N{NO-BREAK SPACE}% male"
    assert typical_words(cp, (0.05, 0.19, 0.22, 0.54), none).startswith(
        "5\N{NO-BREAK SPACE}% typical angina, 19\N{NO-BREAK SPACE}%"
    )


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
