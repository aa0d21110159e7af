"""Train, donated and test rows of a hospital: disjoint, stratified, fixed by the rows alone.

Rows of a class are taken in the order of their digests, so neither the file's order nor a seed
moves a row from one part to another, and equal rows always share a part: a test row is never one
that was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fl.datasets.table import Table
from fl.errors import PartitionError

# What a hospital donates in all, and the least of a class, whatever the number of classes.
SLICE_ROWS, FEWEST_DONATED = 32, 4


@dataclass(frozen=True)
class SplitRule:
    """Shares of each class, in percent, and the most rows a class that a hospital donates.

    The default is that of two classes. Raises PartitionError for a negative value, or shares that
    leave nothing to train on.
    """

    test_percent: int = 20
    donated_percent: int = 20
    donated_rows: int = 16

    def __post_init__(self) -> None:
        if min(self.test_percent, self.donated_percent, self.donated_rows) < 0:
            raise PartitionError(f"expected shares from 0; got {self}")
        if self.test_percent + self.donated_percent >= 100:
            raise PartitionError(f"expected rows left to train on; got {self}")

    @classmethod
    def of_classes(cls, classes: int, donated_rows: int | None = None) -> SplitRule:
        """The rule for a task of so many classes; `donated_rows` instead of its own number.

        Balanced accuracy is a mean over the classes, so it is the rows in all that make it sure:
        with more classes fewer of each do. `docs/decisions/2026-11-23-donated-rows.md` has figures.
        """
        usual = max(-(-SLICE_ROWS // classes), FEWEST_DONATED)
        return cls(donated_rows=usual if donated_rows is None else donated_rows)

    def test_size(self, rows: int) -> int:
        """Return the test rows of a class of ``rows``: the nearest whole number, halves up."""
        return (rows * self.test_percent + 50) // 100

    def donated_size(self, rows: int) -> int:
        """Return the donated rows of a class of ``rows``: rounded down, at most donated_rows."""
        return min(self.donated_rows, rows * self.donated_percent // 100)


@dataclass(frozen=True, eq=False)
class Split:
    """A hospital's rows: to train on, to donate to the review, and to test on.

    Each part is in the order of the rows' digests. ``cases`` are trained on beside ``train`` and
    serve for nothing else: figures that are opened, such as column sums or counts by class, would
    tell of the few that came since the training before.
    """

    train: Table
    donated: Table
    test: Table
    cases: Table

    @cached_property
    def learned(self) -> Table:
        """What is trained on: ``train`` and ``cases``, in the order of the rows' digests."""
        if not len(self.cases):
            return self.train
        features = np.concatenate([self.train.features, self.cases.features])
        labels = np.concatenate([self.train.labels, self.cases.labels])
        return Table(features, labels).in_digest_order()


def split(table: Table, rule: SplitRule | None = None) -> Split:
    """Split one hospital's rows class by class; see SplitRule for the sizes.

    Where equal rows would straddle two parts they all go on to the next, so a part may come out
    smaller than its size. A class with a single row is trained on, as are the table's cases,
    but for those that equal a row of it.
    """
    rule = rule or SplitRule()
    rows = table.in_digest_order()
    parts: dict[str, list[int]] = {"train": [], "donated": [], "test": []}
    for label in np.unique(rows.labels):
        _split_class(rows, np.flatnonzero(rows.labels == label), rule, parts)
    taken = {
        name: rows.take(np.array(sorted(positions), dtype=np.int64))
        for name, positions in parts.items()
    }
    return Split(**taken, cases=_cases_of(table))


def _cases_of(table: Table) -> Table:
    """The table's cases, but for those that equal a row of it: one may be a test row."""
    if table.cases is None:
        return table.take(np.array([], dtype=np.int64))
    known = set(table.row_digests)
    new = [at for at, digest in enumerate(table.cases.row_digests) if digest not in known]
    return table.cases.take(np.array(new, dtype=np.int64)).in_digest_order()


def _split_class(
    rows: Table, members: NDArray[np.int64], rule: SplitRule, parts: dict[str, list[int]]
) -> None:
    """Add the positions of one class's rows to ``parts``."""
    room = {"test": rule.test_size(len(members)), "donated": rule.donated_size(len(members))}
    if len(members) - sum(room.values()) < 1:
        room = {"test": 0, "donated": 0}
    for _, same in groupby(members.tolist(), key=rows.row_digests.__getitem__):
        equal = list(same)
        part = next((name for name, left in room.items() if left >= len(equal)), "train")
        parts[part] += equal
        if part in room:
            room[part] -= len(equal)
