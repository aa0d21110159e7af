"""How a model does on women and men, old and young: counts of test rows that only the sum opens.

Hospital by hospital such counts would tell of one or two patients. So each hospital adds masks that
it has in common with every other one and that cancel in the sum over all hospitals of the training
(the masking of Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine
Learning", CCS 2017, section 4, without its recovery of dropouts): of the reports of all of them the
total opens, of fewer nothing. docs/decisions/2026-11-23-subgroups.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from numpy.typing import NDArray

from crypto.context import Context
from crypto.envelope import PrivateKey
from crypto.kernels import Words
from crypto.prg import Stream
from fl.datasets import Table, Task
from fl.datasets.person import elements_of
from fl.plan import Member

MASK_LABEL: Final = "consilium/subgroup-mask/v1"
# Bands of the age in whole years: below the first, from each to below the next, from the last on.
AGES: Final = (45, 55, 65)
_NOT_KNOWN: Final = "not known"
_WORD: Final = 8


@dataclass(frozen=True)
class Grouping:
    """Groups of rows by one column; the last one is of rows in which it is missing."""

    name: str
    column: int
    groups: tuple[str, ...]
    edges: tuple[int, ...] = ()

    def places(self, table: Table) -> NDArray[np.int64]:
        """The group of each row, as a place among `groups`."""
        values = table.features[:, self.column]
        known = np.nan_to_num(values)
        found = np.digitize(known, self.edges) if self.edges else known.astype(np.int64)
        return np.where(np.isnan(values), len(self.groups) - 1, found)


def groupings_of(task: Task) -> tuple[Grouping, ...]:
    """By what a task's rows are grouped: sex and age, where it has them (see `person.toml`)."""
    places = {column.name: at for at, column in enumerate(task.columns)}
    found = []
    for element in elements_of(task.name):
        if element.column not in places:
            continue
        at = places[element.column]
        if element.element == "gender":
            labels = tuple(one.label for one in task.columns[at].categories)
            found.append(Grouping(element.name, at, (*labels, _NOT_KNOWN)))
        else:
            found.append(Grouping(element.name, at, (*_age_bands(), _NOT_KNOWN), AGES))
    return tuple(found)


def count_groups(task: Task, table: Table, predicted: NDArray[np.int64]) -> Words:
    """Rows by grouping, group, class and predicted class, one after the other; shape (length,).

    `predicted` has a class for each row of `table`.
    """
    classes = len(task.classes)
    parts = []
    for grouping in groupings_of(task):
        counts = np.zeros((len(grouping.groups), classes, classes), dtype=np.uint64)
        np.add.at(counts, (grouping.places(table), table.labels, predicted), 1)
        parts.append(counts.ravel())
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def length_of(task: Task) -> int:
    """How many counts a hospital of the task masks."""
    return sum(len(one.groups) for one in groupings_of(task)) * len(task.classes) ** 2


def masked(
    counts: Words, context: Context, name: str, key: PrivateKey, hospitals: Sequence[Member]
) -> bytes:
    """The counts of hospital `name` under the masks that it shares with the others.

    Words of 8 bytes, big-endian, modulo 2^64. An attempt's masks serve one vector only: the context
    names the attempt, in which a hospital reports once, and the pair of hospitals has the key.
    """
    total = counts.copy()
    names = [one.name for one in hospitals]
    own = names.index(name)
    for at, other in enumerate(hospitals):
        if at == own:
            continue
        shared = key.exchange(ec.ECDH(), other.verifying_key)
        pair = [names[min(at, own)], names[max(at, own)]]
        words = Stream(shared, MASK_LABEL, context.bind(MASK_LABEL, *pair)).words(len(total))
        # The first of a pair adds what the other one takes away.
        total = total + words if own < at else total - words
    return total.astype(">u8").tobytes()


def open_sum(
    task: Task, reports: Mapping[str, bytes], hospitals: Sequence[Member]
) -> dict[str, dict[str, NDArray[np.int64]]] | None:
    """The counts over all hospitals by grouping and group, each int64 (classes, classes).

    None unless every hospital reported a vector of the task's length: of fewer nothing opens.
    """
    length = length_of(task)
    given = [reports.get(one.name, b"") for one in hospitals]
    if not length or any(len(one) != _WORD * length for one in given):
        return None
    total = np.zeros(length, dtype=np.uint64)
    for one in given:
        total = total + np.frombuffer(one, dtype=">u8").astype(np.uint64)
    classes, at = len(task.classes), 0
    found: dict[str, dict[str, NDArray[np.int64]]] = {}
    for grouping in groupings_of(task):
        size = len(grouping.groups) * classes**2
        part = total[at : at + size].view(np.int64).reshape(-1, classes, classes)
        found[grouping.name] = dict(zip(grouping.groups, part, strict=True))
        at += size
    return found


def _age_bands() -> tuple[str, ...]:
    first, last = AGES[0], AGES[-1]
    between = (f"{low} to {high - 1} years" for low, high in pairwise(AGES))
    return (f"under {first} years", *between, f"{last} years or more")
