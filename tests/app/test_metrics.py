"""Figures of reports by hospital and over all, worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from app.models import EvaluationRow
from app.services.detection import detection
from app.services.metrics import hospital_figures, pooled_figures, reliability, round_figures
from fl.evaluation import BINS

# Accuracies 3/5 and 9/10; recalls 2/2 and 1/3, 8/8 and 1/2.
NORTH = EvaluationRow(
    hospital="North",
    confusion=[[2, 0], [2, 1]],
    train_confusion=[[8, 2], [1, 9]],
    score_counts=[[2, 0, 0], [1, 1, 1]],
)
SOUTH = EvaluationRow(
    hospital="South",
    confusion=[[8, 0], [1, 1]],
    train_confusion=[[4, 0], [0, 6]],
    score_counts=[[4, 4, 0], [0, 0, 2]],
)


def test_a_hospital_s_figures() -> None:
    found = hospital_figures(NORTH)
    assert found["name"] == "North"
    assert found["test"]["rows"] == 5
    assert found["test"]["accuracy"] == pytest.approx(3 / 5)
    assert found["test"]["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    # Of 6 pairs 4 in order, 2 in one bin.
    assert found["test"]["auc"] == pytest.approx(5 / 6)
    assert found["train"]["accuracy"] == pytest.approx(17 / 20)
    assert found["train"]["confusion"] == [[8, 2], [1, 9]]


def test_pooled_figures_are_of_all_rows_and_no_mean_of_hospitals() -> None:
    found = pooled_figures([NORTH, SOUTH])
    assert found is not None
    assert found["test"]["accuracy"] == pytest.approx(12 / 15)
    assert found["test"]["balanced_accuracy"] == pytest.approx((10 / 10 + 2 / 5) / 2)
    # Class 0 by bin: 6, 4, 0; class 1: 1, 1, 3. (1 * 3 + 1 * (6 + 2) + 3 * 10) / 50.
    assert found["test"]["auc"] == pytest.approx(41 / 50)
    # Of three bins the middles are 1/6, 1/2 and 5/6; nine rows count with 5/6 of their class.
    right, even, wrong = log(5 / 6), log(1 / 2), log(1 / 6)
    assert found["test"]["loss"] == pytest.approx(-(9 * right + 5 * even + wrong) / 15)
    assert found["train"]["accuracy"] == pytest.approx(27 / 30)
    assert round_figures([NORTH, SOUTH]) == {
        "train_accuracy": found["train"]["accuracy"],
        "balanced_accuracy": found["test"]["balanced_accuracy"],
        "auc": found["test"]["auc"],
        "loss": found["test"]["loss"],
        "test_rows": 15,
    }


def test_what_one_hospital_did_not_report_has_no_pooled_figure() -> None:
    old = EvaluationRow(hospital="Old", confusion=[[1, 0], [0, 1]])
    assert hospital_figures(old)["train"] is None
    found = pooled_figures([NORTH, old])
    assert found is not None
    assert (found["train"], found["test"]["auc"], found["test"]["loss"]) == (None, None, None)
    assert found["test"]["accuracy"] == pytest.approx(5 / 7)


def test_rows_of_one_class_have_no_auc_and_none_at_all_no_share() -> None:
    one = EvaluationRow(hospital="One", confusion=[[3, 1], [0, 0]], score_counts=[[2, 2], [0, 0]])
    assert hospital_figures(one)["test"]["auc"] is None
    assert hospital_figures(one)["test"]["balanced_accuracy"] == pytest.approx(0.75)
    none = EvaluationRow(hospital="None", confusion=[[0, 0], [0, 0]])
    assert hospital_figures(none)["test"]["accuracy"] is None
    assert pooled_figures([]) is None


def view(reviewed: bool = True, **verdicts: str) -> dict[str, object]:
    hospitals = [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]
    return {"reviewed": reviewed, "hospitals": hospitals}


def test_detection_holds_verdicts_against_the_truth() -> None:
    rounds = [
        view(A="rejected", B="accepted", C="accepted"),
        view(A="accepted", B="refused", C="accepted"),
        view(reviewed=False, A="not verified", B="not verified", C="not verified"),
    ]
    found = detection(rounds, {"A"})
    assert found is not None
    caught, wronged = found["true_rejections"], found["false_rejections"]
    assert (caught["count"], caught["of"], caught["share"]) == (1, 2, 0.5)
    assert (wronged["count"], wronged["of"], wronged["share"]) == (1, 4, 0.25)
    assert (wronged["low"], wronged["high"]) == pytest.approx((0.0456, 0.6994), abs=5e-5)
    everybody = detection(rounds, {"A", "B", "C"})
    assert everybody is not None
    assert everybody["false_rejections"]["share"] is everybody["false_rejections"]["low"] is None


def test_without_a_review_there_is_nothing_to_detect() -> None:
    assert detection([view(reviewed=False, A="not verified")], {"A"}) is None


def test_scores_that_came_true_are_told_by_tenths() -> None:
    """Ten rows at 0.11, one of them ill; twenty at 0.61, half of them ill; over two hospitals."""
    counts = np.zeros((2, BINS), dtype=int)
    counts[:, 5], counts[:, 30] = (9, 1), (10, 10)
    rows = [
        EvaluationRow(hospital=name, confusion=[[1, 0], [0, 1]], score_counts=part.tolist())
        for name, part in (("One", counts // 2), ("Two", counts - counts // 2))
    ]
    low, high = reliability(rows) or []
    assert low == pytest.approx(
        {"low": 0.1, "high": 0.2, "rows": 10, "said": 0.11, "came_true": 0.1}
    )
    assert high == pytest.approx(
        {"low": 0.6, "high": 0.7, "rows": 20, "said": 0.61, "came_true": 0.5}
    )


def test_reliability_needs_the_scores_of_all() -> None:
    counts = np.zeros((2, BINS), dtype=int).tolist()
    one = EvaluationRow(hospital="One", confusion=[[1, 0], [0, 1]], score_counts=counts)
    other = EvaluationRow(hospital="Two", confusion=[[1, 0], [0, 1]], score_counts=None)
    assert reliability([one]) == []
    assert reliability([one, other]) is None
    assert reliability([]) is None
