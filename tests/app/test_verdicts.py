"""What a review opened, in figures and words."""

from __future__ import annotations

import pytest

from app.models import SubmissionRow
from app.services.verdicts import Measure, findings, tally, warnings_of
from contracts.records import Bits
from fl.plan import Review
from fl.verdict import Rule
from tests.app import reviewed

MEASURE = Measure(Rule(), classes=2, nodes=4)


def test_the_measure_is_the_plan_s() -> None:
    review = Review(rule=Rule(numerator=2, denominator=3, steps=10))
    found = Measure.find(reviewed.plan(review).to_json())
    assert found == Measure(Rule(2, 3, steps=10), classes=2, nodes=4)


@pytest.mark.parametrize("stored", ["{}", "no JSON", reviewed.plan(review=None).to_json()])
def test_without_a_readable_review_there_is_no_measure(stored: str) -> None:
    assert Measure.find(stored) is None


@pytest.mark.parametrize(
    ("rule", "reference", "expected"),
    [
        (Rule(), 20, 0.75),  # half of the way from one half to 1
        (Rule(), 16, 0.65),  # 0.5 + (0.8 - 0.5) / 2
        (Rule(), 10, 0.5),
        (Rule(numerator=1, denominator=1), 16, 0.8),
        (Rule(steps=10), 9, 0.7),
    ],
)
def test_threshold_follows_from_the_rounded_reference(
    rule: Rule, reference: int, expected: float
) -> None:
    assert Measure(rule, 2, 4).threshold(reference) == pytest.approx(expected)


def test_what_stayed_closed_has_no_figure() -> None:
    row = SubmissionRow(verdict="refused", reason="its norm exceeds the public bound", bits=1)
    told = findings(row, MEASURE)
    assert (told["balanced_accuracy"], told["reference"], told["threshold"]) == (None, None, None)
    assert (told["verdict"], told["reason"]) == ("refused", "its norm exceeds the public bound")
    assert told["warnings"] == []


def test_figures_are_shares_of_one() -> None:
    row = SubmissionRow(verdict="accepted", reason="", balanced_accuracy=15, reference=17, bits=3)
    told = findings(row, MEASURE)
    assert (told["balanced_accuracy"], told["reference"]) == (0.75, 0.85)
    assert told["threshold"] == pytest.approx(0.675)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (None, []),
        (Bits.IN_RANGE | Bits.IN_NORM, []),
        (Bits.IN_RANGE | Bits.IN_NORM | Bits.COSINE_HIGH, ["unusually close to the others"]),
        (
            Bits.AGREES_EVERYWHERE | Bits.COSINE_LOW,
            ["says what the global model says", "against the others"],
        ),
    ],
)
def test_warnings_are_the_bits_that_reject_nobody(bits: int | None, words: list[str]) -> None:
    assert [warning.words for warning in warnings_of(bits)] == words


def test_tally_counts_each_verdict() -> None:
    said = ["accepted", "rejected", "accepted", "refused", "not verified"]
    assert tally(said) == {"accepted": 2, "rejected": 1, "refused": 1}
