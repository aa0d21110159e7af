"""The verdict: known answers worked by hand, ties, what is opened, and slices that lie."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import VerdictError
from fl.verdict import (
    NOBODY,
    UNIT,
    Judgement,
    Rule,
    first_round_quorum,
    flag_slices,
    half,
    judge,
    ruler,
    slice_ruler,
    step_thresholds,
    steps_allowed,
    steps_reached,
)

RULE = Rule()
Counts = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def even(models: int, slices: int, right: int) -> Counts:
    """Everybody gets `right` rows of each of two classes right in every slice."""
    return np.full((models, slices, 2), right, dtype=np.int64)


def judged(
    right: Counts, of_global: Counts, sizes: Counts, rule: Rule = RULE, first: bool = False
) -> Judgement:
    return judge(right, of_global, sizes, range(len(right)), rule, first)


def test_three_models_by_hand() -> None:
    # Slices of 10 rows a class; a model is tested on the two that are not its own: 20 rows a class.
    # Model 0: 16 and 16 of 20 right, B = 0.8. Model 1: 12 and 12, 0.6. Model 2: 11 and 10, 0.525.
    # Global: 7 of 10 everywhere, 0.7. Median (rank 2) 0.6, so ref = 0.7, threshold 0.5 + 0.1 = 0.6.
    right = np.zeros((3, 3, 2), dtype=np.int64)
    right[0, [1, 2]] = [8, 8]
    right[1, [0, 2]] = [6, 6]
    right[2, [0, 1]] = [[6, 5], [5, 5]]
    judgement = judged(right, np.full((3, 2), 7), np.full((3, 2), 10))
    # 1 / 40 is no multiple of 2^-32, so B = 0.6 comes out a hair above: accepted, as a tie is.
    assert [v.accepted for v in judgement.verdicts] == [True, True, False]
    assert [v.balanced for v in judgement.verdicts] == [16, 12, 10]
    assert [v.reference for v in judgement.verdicts] == [14, 14, 14]
    unit = -(-UNIT // 40)
    assert [v.exact for v in judgement.verdicts] == [32 * unit, 24 * unit, 21 * unit]
    assert judgement.flagged == ()
    assert judgement.classes == (0, 1)


def test_the_median_counts_where_it_is_above_the_global_model() -> None:
    # B: 0.5, 0.9, 0.9, 0.9; lower median 0.9, threshold 0.7, though the global model is at 0.5.
    right = even(4, 4, 9)
    right[0] = 5
    judgement = judged(right, np.full((4, 2), 5), np.full((4, 2), 10))
    assert [v.accepted for v in judgement.verdicts] == [False, True, True, True]
    assert {v.reference for v in judgement.verdicts} == {18}


def test_an_even_number_of_models_takes_the_lower_median() -> None:
    # 0.5, 0.5, 0.9, 0.9: rank 2 of 4 is 0.5, so nobody is measured by 0.9.
    right = even(4, 4, 9)
    right[:2] = 5
    judgement = judged(right, np.full((4, 2), 5), np.full((4, 2), 10))
    assert all(v.accepted for v in judgement.verdicts)
    assert half(4) == half(3) == 2


def test_a_tie_is_accepted_and_one_row_less_is_not() -> None:
    # 16 rows a class and slice, two slices: coefficients are exact. Global 0.75 on both, so the
    # threshold is 0.625 exactly: 20 of 32 rows a class, or 40 in all.
    sizes = np.full((3, 2), 16)
    of_global = np.full((3, 2), 12)
    right = even(3, 3, 12)
    right[0, 1:] = [[10, 10], [10, 10]]
    assert judged(right, of_global, sizes).verdicts[0].accepted
    right[0, 2, 1] = 9
    assert not judged(right, of_global, sizes).verdicts[0].accepted


def test_another_fraction_is_held_to_as_exactly() -> None:
    # 3/4: threshold 0.5 + 0.75 * 0.25 = 0.6875, 22 of 32 rows a class.
    sizes, of_global, right = np.full((3, 2), 16), np.full((3, 2), 12), even(3, 3, 12)
    right[0, 1:] = 11
    assert judged(right, of_global, sizes, Rule(3, 4)).verdicts[0].accepted
    right[0, 1, 0] = 10
    assert not judged(right, of_global, sizes, Rule(3, 4)).verdicts[0].accepted


def test_the_own_slice_does_not_count() -> None:
    right = even(3, 3, 8)
    right[0, 0] = 0
    assert judged(right, np.full((3, 2), 8), np.full((3, 2), 10)).verdicts[0].balanced == 16


def test_a_hospital_without_a_slice_is_tested_on_all() -> None:
    sizes = np.full((2, 2), 10)
    known = ruler(sizes, (), [0, 1, NOBODY], RULE)
    assert known.tested.tolist() == [[False, True], [True, False], [True, True]]
    assert known.coefficients[:, 0].tolist() == [-(-UNIT // 20), -(-UNIT // 20), -(-UNIT // 40)]


def test_a_class_with_too_few_rows_for_one_model_counts_for_none() -> None:
    # Without slice 0 seven rows of class 2 are left, so it counts for nobody.
    sizes = np.array([[9, 9, 9], [5, 5, 4], [5, 5, 3]])
    known = ruler(sizes, (), range(3), RULE)
    assert known.classes == (0, 1)
    assert not known.coefficients[:, 2].any()
    assert known.coefficients[0].tolist() == [-(-UNIT // 20), -(-UNIT // 20), 0]
    assert ruler(sizes, (), range(3), Rule(fewest_rows=7)).classes == (0, 1, 2)


def test_under_two_classes_the_verdict_leaves_the_decision_to_the_bounds() -> None:
    sizes = np.array([[16, 1], [16, 1], [16, 1]])
    judgement = judged(np.zeros((3, 3, 2), dtype=np.int64), sizes, sizes)
    assert [v.accepted for v in judgement.verdicts] == [True] * 3
    assert {v.balanced for v in judgement.verdicts} == {None}
    assert judgement.classes == (0,)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [8, 11, 16, 33])
def test_a_perfect_model_opens_as_twenty(classes: int, rows: int) -> None:
    sizes = np.full((3, classes), rows)
    right = np.broadcast_to(sizes, (3, 3, classes)).astype(np.int64)
    judgement = judged(right, sizes, sizes)
    assert all(v.accepted and v.balanced == v.reference == 20 for v in judgement.verdicts)


def test_the_allowance_by_hand() -> None:
    # Three slices of n rows a class: 2 n a class for each model, B of a guesser varies by
    # sqrt(2 / (4 * 2 n)) / 2. With n = 4: three times that is 0.375.
    known = ruler(np.full((3, 2), 4), (), range(3), RULE)
    assert known.allowances.tolist() == [UNIT * 3 // 8] * 3
    assert steps_allowed(known, RULE) == [7] * 3
    # 16 rows speak for themselves, 15 of one class do not.
    assert not ruler(np.full((3, 2), 8), (), range(3), RULE).allowances.any()
    thin = ruler(np.array([[8, 8], [8, 8], [7, 8]]), (), range(3), RULE)
    allowance = int(1.5 * (1 / 15 + 1 / 16) ** 0.5 / 2 * UNIT)
    assert thin.allowances.tolist() == [allowance, allowance, 0]
    # Of four classes half as many speak for themselves: no class counts with fewer.
    assert not ruler(np.full((3, 4), 4), (), range(3), RULE).allowances.any()
    three = ruler(np.array([[5, 5, 5], [5, 5, 5], [6, 6, 6]]), (), range(3), RULE)
    assert [bool(one) for one in three.allowances] == [False, False, True]


def test_a_reference_is_never_lowered_below_chance() -> None:
    rule = Rule(fewest_rows=1, deviations=9)
    for classes in (2, 3, 7):
        known = ruler(np.ones((3, classes), dtype=np.int64), (), range(3), rule)
        assert known.allowances.tolist() == [UNIT - -(-UNIT // classes)] * 3
        right = np.zeros((3, 3, classes), dtype=np.int64)
        right[1:] = 1
        verdicts = judged(right, np.ones((3, classes), dtype=np.int64), right[1], rule).verdicts
        assert [verdict.accepted for verdict in verdicts] == [False, True, True]


def test_few_rows_lower_the_reference_and_only_theirs() -> None:
    # Model 0 is tested on 8 + 8 rows of class 0 less one: thin. The others on 16 and more.
    sizes = np.array([[16, 16], [8, 16], [7, 16]])
    right = np.stack([sizes // 2, sizes, sizes])
    verdicts = judged(right, sizes, sizes).verdicts
    # Reference 1, allowance 1.5 sqrt(1/60 + 1/128) = 0.235: the threshold is 0.6326, not 0.75.
    assert [v.reference for v in verdicts] == [16, 20, 20]
    assert not verdicts[0].accepted
    right[0, 1:, 1] = 13
    assert judged(right, sizes, sizes).verdicts[0].accepted  # (7/15 + 26/32) / 2 = 0.640
    right[0, 2, 1] = 12
    assert not judged(right, sizes, sizes).verdicts[0].accepted  # 0.624
    assert not judged(right, sizes, sizes, Rule(thin_rows=0)).verdicts[0].accepted


def test_steps_are_reached_from_their_exact_share_on() -> None:
    thresholds = step_thresholds(RULE)
    assert len(thresholds) == 20
    assert thresholds[9] == UNIT // 2
    assert thresholds[-1] == UNIT
    assert steps_reached(UNIT // 2, thresholds) == 10
    assert steps_reached(UNIT // 2 - 1, thresholds) == 9
    assert steps_reached(0, thresholds) == 0


@pytest.mark.parametrize(
    ("sizes", "threshold"),
    [
        # n/2 - sqrt(n)/2: 32 rows 13.17, 17 rows 6.44, 4 rows 1.0 (not below), 1 row 0.
        ([16, 16], 14),
        ([16, 1], 7),
        ([2, 2], 1),
        ([1, 0], 0),
        ([0, 0], 0),
        # Three classes: n/3 - sqrt(2 n)/3, for 18 rows 4.0 exactly: 4 is not below.
        ([6, 6, 6], 4),
    ],
)
def test_the_least_right_answers_of_an_honest_slice_by_hand(
    sizes: list[int], threshold: int
) -> None:
    known = slice_ruler(np.array([sizes]))
    assert known.thresholds.tolist() == [threshold]
    assert known.coefficients.tolist() == [[1] * len(sizes)]


@given(st.integers(1, 400), st.integers(2, 9), st.data())
def test_the_slice_threshold_is_the_exact_one(rows: int, classes: int, data: st.DataObject) -> None:
    sizes = np.zeros((1, classes), dtype=np.int64)
    sizes[0, 0] = rows
    right = data.draw(st.integers(0, rows))
    below = right < int(slice_ruler(sizes).thresholds[0])
    lack = rows - classes * right
    assert below == (lack > 0 and lack * lack > rows * (classes - 1))


def test_a_slice_with_flipped_labels_is_set_aside_by_the_global_model() -> None:
    sizes, right = np.full((4, 2), 16), even(4, 4, 12)
    right[:, 3] = 4
    of_global = np.full((4, 2), 12)
    of_global[3] = 4
    judgement = judged(right, of_global, sizes)
    assert judgement.flagged == (3,)
    assert all(v.balanced == 15 for v in judgement.verdicts)


def test_in_the_first_round_all_but_one_of_the_other_models_must_agree() -> None:
    sizes, right = np.full((5, 2), 16), even(5, 5, 12)
    of_global = np.zeros((5, 2), dtype=np.int64)
    right[[1, 2], 0] = 2
    # The donor itself is not asked, two of the other four are not enough, nor is the global model.
    right[0, 0] = 0
    assert flag_slices(right, of_global, sizes, range(5), True) == ()
    right[3, 0] = 2
    assert flag_slices(right, of_global, sizes, range(5), True) == (0,)
    assert flag_slices(right, of_global, sizes, range(5), False) == (0, 1, 2, 3, 4)
    assert [first_round_quorum(n) for n in (0, 1, 2, 3, 4, 7)] == [1, 1, 2, 2, 3, 6]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Counts, Counts, Counts]:
    models, classes = draw(st.integers(3, 6)), draw(st.integers(2, 3))
    numbers = st.integers(0, 16)
    sizes = np.array(
        [[draw(numbers) for _ in range(classes)] for _ in range(models)], dtype=np.int64
    )
    shares = [draw(st.integers(0, 100)) for _ in range((models + 1) * classes)]
    split = np.array(shares, dtype=np.int64).reshape(models + 1, 1, classes)
    counts = sizes[None] * split // 100
    return counts[:-1], counts[-1], sizes


@given(tables(), st.data())
def test_more_right_answers_never_turn_acceptance_into_rejection(
    table: tuple[Counts, Counts, Counts], data: st.DataObject
) -> None:
    right, of_global, sizes = table
    before = judged(right, of_global, sizes)
    model = data.draw(st.integers(0, len(right) - 1))
    better = right.copy()
    better[model] = sizes
    after = judged(better, of_global, sizes)
    assert after.flagged == before.flagged
    assert after.verdicts[model].accepted
    # A better model can only raise what the others are measured by.
    for old, new in zip(before.verdicts, after.verdicts, strict=True):
        if new is not after.verdicts[model]:
            assert old.accepted or not new.accepted


@given(tables(), st.data())
def test_a_slice_that_is_set_aside_decides_nothing(
    table: tuple[Counts, Counts, Counts], data: st.DataObject
) -> None:
    """Whatever its labels say: all verdicts are those of a round in which nobody donated it."""
    right, of_global, sizes = table
    tainted = data.draw(st.integers(0, len(sizes) - 1))
    sizes[tainted] += 8
    of_global = of_global.copy()
    of_global[tainted] = 0
    right = right.copy()
    right[:, tainted] = sizes[tainted] * data.draw(st.integers(0, 100)) // 100
    judgement = judged(right, of_global, sizes)
    assert tainted in judgement.flagged

    def others(counts: Counts, axis: int) -> Counts:
        return np.delete(counts, tainted, axis)

    owners = [NOBODY if n == tainted else n - (n > tainted) for n in range(len(right))]
    without = judge(others(right, 1), others(of_global, 0), others(sizes, 0), owners, RULE, False)
    assert judgement.verdicts == without.verdicts
    assert judgement.classes == without.classes


@given(tables())
def test_the_integers_decide_as_fractions_do(table: tuple[Counts, Counts, Counts]) -> None:
    right, of_global, sizes = table
    judgement = judged(right, of_global, sizes)
    known = ruler(sizes, judgement.flagged, range(len(right)), RULE)
    if not known.decides:
        return
    chance = 1 / len(known.classes)

    def share(model: int, counts: Counts) -> float:
        rows = sizes[known.tested[model]].sum(axis=0)
        hits = counts[known.tested[model]].sum(axis=0)
        return float(np.mean([hits[c] / rows[c] for c in known.classes]))

    own = [share(model, right[model]) for model in range(len(right))]
    median = sorted(own)[half(len(own)) - 1]
    for model, verdict in enumerate(judgement.verdicts):
        rows = sizes[known.tested[model]].sum(axis=0)[list(known.classes)]
        thin = min(rows) * len(rows) < 2 * RULE.thin_rows
        allowance = 1.5 * np.sqrt((1 / rows).sum()) / len(rows) if thin else 0.0
        reference = max(median, share(model, of_global)) - min(allowance, 1 - chance)
        lead = own[model] - chance - (reference - chance) / 2
        # Rounding up 1 / (C n) adds less than a row's 2^-32; ties may fall to either side of that.
        if abs(lead) > 1e-6:
            assert verdict.accepted == (lead > 0)
        assert abs(verdict.exact / UNIT - own[model]) < 1e-6


def test_a_rule_is_plain_values() -> None:
    assert asdict(Rule()) == {
        "numerator": 1,
        "denominator": 2,
        "fewest_rows": 8,
        "steps": 20,
        "thin_rows": 16,
        "deviations": 3,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"numerator": 0},
        {"numerator": 3},
        {"denominator": 17},
        {"fewest_rows": 0},
        {"steps": 0},
        {"steps": 101},
        {"thin_rows": -1},
        {"deviations": -1},
    ],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(VerdictError, match="expected"):
        Rule(**wrong)


def test_counts_that_do_not_fit_are_refused() -> None:
    sizes, right = np.full((3, 2), 10), even(3, 3, 5)
    for wrong in (
        (right[:, :2], sizes, sizes, range(3)),
        (right, sizes[:2], sizes, range(3)),
        (right, sizes, sizes, range(2)),
        (right + 6, sizes, sizes, range(3)),
        (right - 6, sizes, sizes, range(3)),
        (right.astype(np.float64), sizes, sizes, range(3)),
    ):
        with pytest.raises(VerdictError, match="expected"):
            judge(*wrong, RULE, False)  # type: ignore[arg-type]
