"""Train, donated and test rows: disjoint, stratified, and fixed by the rows alone."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.datasets import Split, SplitRule, Table, get_task, split
from fl.errors import PartitionError

# Few values, so that equal rows are frequent.
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.5, np.nan]), st.integers(0, 2)), max_size=120
)


def table_of(rows: list[tuple[int, float, int]]) -> Table:
    features = np.array([row[:2] for row in rows], dtype=np.float64).reshape(len(rows), 2)
    return Table(features, np.array([row[2] for row in rows], dtype=np.int64))


def parts(made: Split) -> tuple[list[bytes], ...]:
    return tuple(list(part.row_digests) for part in (made.train, made.donated, made.test))


@given(ROWS, st.randoms())
def test_the_order_of_the_file_changes_nothing(
    rows: list[tuple[int, float, int]], random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert parts(split(table_of(rows))) == parts(split(table_of(shuffled)))


@given(ROWS)
def test_every_row_is_in_one_part_and_equal_rows_share_it(
    rows: list[tuple[int, float, int]],
) -> None:
    table = table_of(rows)
    made = parts(split(table))
    assert Counter(digest for part in made for digest in part) == Counter(table.row_digests)
    # Distinct digests, part by part: one that two parts held would be counted twice.
    assert sum(len(set(part)) for part in made) == len(set(table.row_digests))


@given(ROWS)
def test_no_part_exceeds_its_size_and_each_class_is_trained_on(
    rows: list[tuple[int, float, int]],
) -> None:
    table, made = table_of(rows), split(table_of(rows))
    for label in np.unique(table.labels):
        size = int((table.labels == label).sum())
        assert (made.test.labels == label).sum() <= (size + 2) // 5
        assert (made.donated.labels == label).sum() <= min(16, size // 5)
        assert (made.train.labels == label).sum() >= 1


def test_sizes_for_distinct_rows_are_exact() -> None:
    rows = [(i, 0.5, 0) for i in range(103)] + [(i, 0.5, 1) for i in range(8)]
    made = split(table_of(rows))
    sizes = [np.bincount(part.labels).tolist() for part in (made.train, made.donated, made.test)]
    # 103: a fifth is 20.6, donated 16 at most; 8: a fifth is 1.6.
    assert sizes == [[66, 5], [16, 1], [21, 2]]


def test_a_rule_sets_the_sizes() -> None:
    rows = [(i, 0.5, 0) for i in range(50)]
    made = split(table_of(rows), SplitRule(test_percent=10, donated_percent=40, donated_rows=9))
    assert (len(made.train), len(made.donated), len(made.test)) == (36, 9, 5)


@pytest.mark.parametrize(
    ("classes", "rows"), [(2, 16), (3, 11), (4, 8), (7, 5), (8, 4), (10, 4), (100, 4)]
)
def test_slices_are_about_as_large_whatever_the_number_of_classes(classes: int, rows: int) -> None:
    assert SplitRule.of_classes(classes) == SplitRule(donated_rows=rows)
    assert SplitRule.of_classes(classes, 9) == SplitRule(donated_rows=9)


def test_a_single_row_is_trained_on_whatever_the_rule() -> None:
    made = split(table_of([(1, 0.5, 0)]), SplitRule(test_percent=60, donated_percent=20))
    assert (len(made.train), len(made.donated), len(made.test)) == (1, 0, 0)


@pytest.mark.parametrize("rule", [(-1, 20, 16), (20, 20, -1), (50, 50, 16)])
def test_impossible_rules_are_refused(rule: tuple[int, int, int]) -> None:
    with pytest.raises(PartitionError):
        SplitRule(*rule)


def test_heart_splits_as_documented() -> None:
    sizes = {
        name: [len(part) for part in parts(split(table))]
        for name, table in get_task("heart").load().items()
    }
    assert sizes == {
        "Cleveland": [210, 32, 61],
        "Hungary": [203, 32, 59],
        "Switzerland": [81, 17, 25],
        "VA Long Beach": [134, 26, 40],
    }


@given(ROWS, ROWS)
def test_cases_are_learned_and_change_nothing_else(
    rows: list[tuple[int, float, int]], cases: list[tuple[int, float, int]]
) -> None:
    table, more = table_of(rows), table_of(cases)
    alone, made = split(table), split(Table(table.features, table.labels, more))
    assert parts(made) == parts(alone)
    known = set(table.row_digests)
    new = Counter(digest for digest in more.row_digests if digest not in known)
    assert Counter(made.cases.row_digests) == new
    assert Counter(made.learned.row_digests) == new + Counter(alone.train.row_digests)
    assert list(made.learned.row_digests) == sorted(made.learned.row_digests)
    assert alone.learned is alone.train
