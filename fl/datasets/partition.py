"""How rows that come without hospitals are dealt to hospitals: by label skew, or evenly.

Dirichlet label skew: Hsu, Qi, Brown, "Measuring the Effects of Non-Identical Data Distribution for
Federated Visual Classification", arXiv 1909.06335, here class by class, and with a floor: every
hospital first gets ``FLOOR`` rows of each class, so that it can train, donate and test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fl.datasets.table import Table
from fl.errors import PartitionError

FEWEST, MOST = 4, 10
FLOOR = 10
# Outside, every draw is one hospital's or all are even: other words for other partitions.
ALPHA_LOW, ALPHA_HIGH = 0.01, 1000.0


@dataclass(frozen=True)
class Partition:
    """How a task's rows become hospitals.

    ``natural``: the source names the hospitals, the other fields are ignored. ``dirichlet``: each
    class is dealt in proportions drawn from Dirichlet(alpha, ..., alpha); the smaller alpha, the
    more the hospitals differ. ``iid``: each class is dealt evenly, sizes differ by one row a class.
    ``sources`` are hospitals whose rows were imported, with the SHA-256 of each one's file, and
    ``description`` tells an imported task's columns and classes: a plan's digest binds both.
    """

    kind: Literal["natural", "dirichlet", "iid"] = "natural"
    hospitals: int = 4
    alpha: float = 1.0
    seed: int = 0
    sources: tuple[tuple[str, str], ...] = ()
    description: str = ""

    def joined_by(self, names: Collection[str]) -> Partition:
        """Return the partition with those of its imported hospitals that are among ``names``."""
        return replace(self, sources=tuple(one for one in self.sources if one[0] in names))

    def to_fields(self) -> dict[str, Any]:
        """As a plan's JSON has it: nothing of imports where nothing was imported."""
        fields = asdict(self)
        return {name: v for name, v in fields.items() if v or name not in _OF_IMPORTS}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Partition:
        """The inverse of ``to_fields``. Raises TypeError and ValueError for anything else."""
        given = {**fields}
        sources = tuple((str(name), str(sha256)) for name, sha256 in given.get("sources", ()))
        if not isinstance(given.get("description", ""), str):
            raise TypeError("expected a description as text")
        return cls(**(given | {"sources": sources}))


_OF_IMPORTS = ("sources", "description")


def hospital_names(count: int) -> tuple[str, ...]:
    """Return "Hospital A", "Hospital B", ..."""
    return tuple(f"Hospital {chr(ord('A') + index)}" for index in range(count))


def deal(table: Table, partition: Partition) -> Mapping[str, Table]:
    """Deal every row of ``table`` to exactly one hospital; the order of the rows has no influence.

    Raises PartitionError for a natural partition, for a number of hospitals outside 4 to 10, an
    alpha outside 0.01 to 1000, a negative seed, or a class with under FLOOR rows a hospital.
    """
    _check(partition)
    rows = table.in_digest_order()
    generator = np.random.Generator(np.random.PCG64(partition.seed))
    owners = np.empty(len(rows), dtype=np.int64)
    for label in np.unique(rows.labels):
        members = generator.permutation(np.flatnonzero(rows.labels == label))
        sizes = _sizes(len(members), partition, generator)
        owners[members] = np.repeat(np.arange(partition.hospitals), sizes)
    names = hospital_names(partition.hospitals)
    return {name: rows.take(np.flatnonzero(owners == i)) for i, name in enumerate(names)}


def _sizes(members: int, partition: Partition, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return how many of a class's rows each hospital gets."""
    hospitals = partition.hospitals
    free = members - FLOOR * hospitals
    if free < 0:
        raise PartitionError(
            f"expected at least {FLOOR} rows of each class for {hospitals} hospitals; "
            f"got {members} rows"
        )
    if partition.kind == "iid":
        proportions = np.full(hospitals, 1.0 / hospitals)
    else:
        proportions = generator.dirichlet(np.full(hospitals, partition.alpha))
    # Rounded cumulative sums: no row is lost, none is dealt twice.
    ends = np.floor(np.cumsum(proportions) * free + 0.5).astype(np.int64)
    return np.diff(ends, prepend=0) + FLOOR


def _check(partition: Partition) -> None:
    if partition.kind not in ("dirichlet", "iid"):
        raise PartitionError(f"expected a dirichlet or iid partition; got {partition.kind!r}")
    if not FEWEST <= partition.hospitals <= MOST:
        raise PartitionError(f"expected {FEWEST} to {MOST} hospitals; got {partition.hospitals}")
    if not ALPHA_LOW <= partition.alpha <= ALPHA_HIGH:
        raise PartitionError(
            f"expected alpha from {ALPHA_LOW:g} to {ALPHA_HIGH:g}; got {partition.alpha}"
        )
    if partition.seed < 0:
        raise PartitionError(f"expected a seed from 0; got {partition.seed}")
