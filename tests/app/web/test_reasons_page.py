"""How the reasons of an answer are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.doctor.reasons import MINUS, bars, points, warnings
from app.services.reasons import Explanation, Reason
from fl.datasets import get_task
from fl.familiarity import Familiarity, Unusual

HEART = {column.name: column for column in get_task("heart").columns}
ORDINARY = Familiarity((), 0.8, 1.5)
FOUND = Explanation(
    baseline=0.5,
    risk=0.62,
    reasons=(
        Reason(HEART["cp"], 3, 0.2, 0.0),
        Reason(HEART["age"], 41, -0.08, 0.0),
        Reason(HEART["chol"], 241, 0.0001, 0.0),
    ),
    unknown=(HEART["sex"],),
    exact=True,
    familiarity=ORDINARY,
)


def test_a_reason_is_what_was_entered_and_what_it_does() -> None:
    told = [(one.label, one.value, one.sentence) for one in bars(FOUND)]
    assert told == [
        ("Chest pain", "no symptoms", "raises the risk by 20.0 points"),
        ("Age", "41 years", "lowers the risk by 8.0 points"),
        ("Serum cholesterol", "241 mg/dl", "does not change the risk"),
    ]


def test_the_strongest_bar_fills_its_half_and_the_others_are_to_scale() -> None:
    assert [(one.start, one.width) for one in bars(FOUND)] == [(100, 100), (60, 40), (100, 0.05)]


def test_an_effect_that_was_sampled_tells_its_interval() -> None:
    sampled = replace(FOUND, reasons=(Reason(HEART["age"], 41, -0.08, 0.005),), exact=False)
    assert bars(sampled)[0].sentence == "lowers the risk by 8.0 points (± 1.0)"


def test_without_any_effect_no_bar_is_drawn() -> None:
    flat = replace(FOUND, reasons=(Reason(HEART["age"], 41, 0.0, 0.0),))
    assert [(one.points, one.width) for one in bars(flat)] == [("0.0", 0.0)]


@pytest.mark.parametrize(
    ("effect", "text"), [(0.183, "+18.3"), (-0.0251, f"{MINUS}2.5"), (0.0004, "0.0"), (0.0, "0.0")]
)
def test_points_carry_their_sign(effect: float, text: str) -> None:
    assert points(effect) == text


def test_an_ordinary_patient_is_not_warned_of() -> None:
    assert list(warnings(FOUND)) == []


def test_each_unusual_value_is_told_with_what_is_usual() -> None:
    unusual = (
        Unusual(HEART["chol"], 520, deviations=4.71, mean=246.53),
        Unusual(HEART["thalch"], 50, deviations=-3.4, mean=137.0),
        Unusual(HEART["cp"], 0, share=0.013),
        Unusual(HEART["sex"], 0, share=0.0),
    )
    strange = replace(FOUND, familiarity=Familiarity(unusual, 3.0, 1.5))
    assert list(warnings(strange)) == [
        "Serum cholesterol, 520 mg/dl: 4.7 standard deviations above the federation’s mean of "
        "246.5 mg/dl.",
        "Maximum heart rate in exercise, 50 beats/min: 3.4 standard deviations below the "
        "federation’s mean of 137 beats/min.",
        "Chest pain, typical angina: 1.3 % of the federation’s patients.",
        "Sex, female: none of the federation’s patients.",
    ]


def test_values_that_are_odd_only_together_are_told_as_such() -> None:
    together = replace(FOUND, familiarity=Familiarity((), 1.94, 1.52))
    (sentence,) = warnings(together)
    assert "on average 1.9 standard deviations" in sentence
    assert "99 of 100 stay below 1.5" in sentence
