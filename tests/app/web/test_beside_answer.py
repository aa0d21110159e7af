"""What stands beside an answer, without a model: words of the version before, knobs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from flask import Flask

from app.doctor.before import before_words
from app.doctor.forms import values_form
from app.doctor.reading import Reading
from app.doctor.what_if import Knob, Knobs, knobs
from app.services.previous import Previous
from fl.datasets import Statistics, get_task
from fl.datasets.asking import plausible_of

HEART = get_task("heart")
NOW = Reading(HEART, (0.33, 0.67), (0.6, 0.7))


def before(risk: float | None = None, *, calibrated: bool = True, refusal: str = "") -> Previous:
    return Previous(
        "ab" * 32, "version 1", "3f2a" + "0" * 60, risk, None, calibrated, refusal=refusal
    )


@pytest.mark.parametrize(
    ("risk", "told"),
    [
        (0.62, "said 62 %, 5 points less."),
        (0.68, "said 68 %, 1 point more."),
        (0.674, "said 67 %, the same to a whole point."),
        (0.996, "said over 99 %, 33 points more."),
    ],
)
def test_the_difference_is_that_of_the_numbers_shown(risk: float, told: str) -> None:
    assert before_words(NOW, before(risk)) == f"The version before, 3f2a…, {told}"


def test_without_an_answer_of_the_version_before_it_is_said_why() -> None:
    assert before_words(NOW, None).startswith("There was none")
    refused = before_words(NOW, before(refusal="The stored model was altered."))
    assert refused.endswith("cannot be asked any more: The stored model was altered.")


def test_answers_on_two_scales_are_not_subtracted() -> None:
    told = before_words(NOW, before(0.62, calibrated=False))
    assert "only this version’s answer is fitted" in told
    assert "points" not in told
    bare = Reading(HEART, (0.33, 0.67), None)
    assert "only that version’s" in before_words(bare, before(0.62))
    assert "5 points less" in before_words(bare, before(0.62, calibrated=False))


def statistics(square: float) -> Statistics:
    """Over 100 rows of every input: a mean of 0.1 half ranges, and this mean of squares."""
    each = np.full(HEART.inputs, 100.0)
    return Statistics.from_sums(HEART, np.concatenate([each, each * 0.1, each * square]))


@pytest.fixture
def asked(app: Flask) -> Iterator[type]:
    with app.test_request_context():
        yield values_form(HEART)


def found(asked: type, **values: str) -> Knobs:
    return knobs(asked(data=values), statistics(0.05))


def knob(made: Knobs, column: str) -> Knob:
    return next(one for one in made.every if one.column == column)


def test_each_number_has_a_knob_over_the_plausible_range_in_the_unit_typed(asked: type) -> None:
    made = found(asked, **{"age": "54", "chol": "6,2", "chol-unit": "mmol/l", "cp": "asymptomatic"})
    numbers = [column.name for column in HEART.columns if column.kind == "number"]
    assert [one.column for one in made.every] == numbers
    age, chol = knob(made, "age"), knob(made, "chol")
    usual = plausible_of(HEART, HEART.columns[0])
    assert usual is not None
    assert (age.low, age.high) == (usual.low, usual.high)
    assert (age.start, age.typed, age.published) == (54, "54", True)
    assert (chol.unit, chol.typed, chol.start) == ("mmol/l", "6.2", pytest.approx(6.2, abs=1e-4))
    assert 2 < chol.low < chol.high < 16
    for one in made.every:
        # A slider stops at whole steps only.
        steps = (one.high - one.low) / one.step
        assert steps == pytest.approx(round(steps))
    by_name = dict(zip([column.name for column in HEART.columns], made.values, strict=True))
    assert by_name["age"] == 54
    assert by_name["chol"] == pytest.approx(239.723)
    assert by_name["sex"] is None


def test_an_unknown_value_begins_at_the_mean_and_says_that_it_is_unknown(asked: type) -> None:
    made = knob(found(asked, age="54"), "thalch")
    column = next(one for one in HEART.columns if one.name == "thalch")
    middle, half = (column.high + column.low) / 2, (column.high - column.low) / 2
    assert made.typed == ""
    assert made.start == pytest.approx(middle + 0.1 * half)


def test_a_confirmed_value_outside_widens_the_range(asked: type) -> None:
    ordinary, odd = (knob(found(asked, chol=value), "chol") for value in ("240", "590"))
    assert ordinary.high < 590 <= odd.high < 590 + odd.step
    assert odd.low == ordinary.low


def test_what_is_the_same_for_everybody_has_no_knob(asked: type) -> None:
    assert knobs(asked(data={"age": "54"}), statistics(0.01)).every == ()
