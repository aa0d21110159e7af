"""Partitions: every row to one hospital, the same for a seed, as skewed as alpha says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.datasets import Partition, Table, get_task
from fl.datasets.partition import FLOOR, deal
from fl.errors import PartitionError

DIABETES = get_task("diabetes")


def digests(table: Table) -> tuple[bytes, ...]:
    return table.row_digests


def everyone() -> Table:
    tables = DIABETES.load().values()
    return Table(
        np.concatenate([t.features for t in tables]), np.concatenate([t.labels for t in tables])
    )


@settings(max_examples=25)
@given(st.integers(4, 10), st.floats(0.01, 1000), st.integers(0, 2**32))
def test_each_row_is_dealt_once_and_every_hospital_can_work(
    hospitals: int, alpha: float, seed: int
) -> None:
    tables = DIABETES.load(Partition("dirichlet", hospitals, alpha, seed))
    dealt = Counter(d for table in tables.values() for d in digests(table))
    assert dealt == Counter(digests(everyone()))
    assert all(np.bincount(t.labels, minlength=2).min() >= FLOOR for t in tables.values())
    assert list(tables) == [f"Hospital {letter}" for letter in "ABCDEFGHIJ"[:hospitals]]


@pytest.mark.parametrize("hospitals", [4, 7, 10])
def test_iid_deals_each_class_evenly(hospitals: int) -> None:
    tables = DIABETES.load(Partition("iid", hospitals, seed=3))
    counts = np.array([np.bincount(table.labels) for table in tables.values()])
    assert counts.sum(axis=0).tolist() == [500, 268]
    assert (np.ptp(counts, axis=0) <= 1).all()


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    rows = everyone()
    backwards = rows.take(np.arange(len(rows))[::-1].copy())
    seven = [digests(t) for t in deal(rows, Partition("dirichlet", seed=7)).values()]
    again = [digests(t) for t in deal(backwards, Partition("dirichlet", seed=7)).values()]
    eight = [digests(t) for t in deal(rows, Partition("dirichlet", seed=8)).values()]
    assert seven == again
    assert seven != eight


def test_a_small_alpha_skews_and_a_large_one_does_not() -> None:
    def spread(alpha: float) -> float:
        shares = []
        for seed in range(10):
            tables = DIABETES.load(Partition("dirichlet", 4, alpha, seed)).values()
            shares.append(np.std([t.labels.mean() for t in tables]))
        return float(np.mean(shares))

    assert spread(0.1) > 2 * spread(100.0)


@pytest.mark.parametrize(
    "partition",
    [
        Partition("natural"),
        Partition("dirichlet", hospitals=3),
        Partition("iid", hospitals=11),
        Partition("dirichlet", alpha=0.0),
        Partition("dirichlet", alpha=float("nan")),
        Partition("dirichlet", seed=-1),
    ],
)
def test_other_partitions_are_refused(partition: Partition) -> None:
    with pytest.raises(PartitionError, match="expected"):
        DIABETES.load(partition)


def test_too_few_rows_of_a_class_are_refused() -> None:
    labels = np.array([0] * 100 + [1] * 39, dtype=np.int64)
    table = Table(np.arange(139, dtype=np.float64).reshape(-1, 1), labels)
    with pytest.raises(PartitionError, match="39 rows"):
        deal(table, Partition("iid", hospitals=4))
