"""What a task is: its columns, its classes, its hospitals and the defaults of its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from fl.datasets.partition import Partition
from fl.datasets.source import Provenance
from fl.datasets.table import Table
from fl.errors import ValueFormatError

MISSING = math.nan


@dataclass(frozen=True)
class Category:
    """One value of a column: as the source spells it, and as a person reads it."""

    value: str
    label: str


@dataclass(frozen=True)
class Column:
    """A measured quantity of a patient.

    ``low`` and ``high`` are the possible range of a number, in ``unit``: input forms refuse what
    lies outside, and the federation's sums are scaled by it. What is merely unusual lies outside a
    ``Plausible`` of the task. A ``binary`` column has two categories and is stored as 0 or 1; a
    ``category`` is stored as its position.
    """

    name: str
    label: str
    kind: Literal["number", "binary", "category"]
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    categories: tuple[Category, ...] = ()
    zero_is_missing: bool = False

    @property
    def inputs(self) -> int:
        """How many inputs of the network this column feeds."""
        return len(self.categories) if self.kind == "category" else 1

    def parse(self, text: str) -> float:
        """Return the stored value of ``text``; NaN where it is missing.

        Raises ValueFormatError for a text that is neither a value of the column nor empty.
        """
        text = text.strip()
        if not text:
            return MISSING
        if self.kind == "number":
            return self._parse_number(text)
        for position, category in enumerate(self.categories):
            if text == category.value:
                return float(position)
        allowed = ", ".join(category.value for category in self.categories)
        raise ValueFormatError(self.name, f"one of {allowed}", text)

    def _parse_number(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueFormatError(self.name, "a number", text) from None
        if self.zero_is_missing and number == 0:
            return MISSING
        if not self.low <= number <= self.high:
            raise ValueFormatError(self.name, f"{self.low:g} to {self.high:g}", text)
        return number


@dataclass(frozen=True)
class Group:
    """Columns, by name, that are asked for together under a title."""

    title: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Plausible:
    """What a number is, but for one patient in a hundred: from ``low`` to ``high``, in its unit.

    From the 0.5th to the 99.5th percentile of the task's published rows, rounded outwards.
    """

    column: str
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        """Whether a number need not be asked about again."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Defaults:
    """What a training of the task uses when nothing else is asked for.

    ``norm_bound`` is the largest L2 norm of an update, ``class_weighted`` weighs the loss so that
    a rare class counts (``fl.training.class_weights``).
    """

    rounds: int
    local_epochs: int
    batch_size: int
    learning_rate: float
    norm_bound: float
    class_weighted: bool
    network: str = "mlp"


@dataclass(frozen=True)
class Task:
    """A question that hospitals answer together.

    ``hospitals`` names the hospitals that are chosen by name: the natural ones and, beside them,
    imported ones. It is empty where the rows are dealt out by a partition. ``load`` reads the file,
    checks its SHA-256 and returns each hospital's table.
    ``source`` tells where a built-in task's rows are from. ``groups`` is the order in which a
    person is asked, ``plausible`` what is not asked about again; both are empty for imported tasks
    (see ``fl.datasets.asking``), whose rows nobody published.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    defaults: Defaults
    partition: Partition
    loader: Callable[[Partition], Mapping[str, Table]]
    hospitals: tuple[str, ...] = ()
    source: Provenance | None = None
    groups: tuple[Group, ...] = ()
    plausible: tuple[Plausible, ...] = ()

    @cached_property
    def inputs(self) -> int:
        """The number of inputs of a network for this task."""
        return sum(column.inputs for column in self.columns)

    @property
    def joined(self) -> tuple[str, ...]:
        """The hospitals whose rows were imported."""
        return tuple(name for name, _ in self.partition.sources)

    def load(self, partition: Partition | None = None) -> Mapping[str, Table]:
        """Return the table of each hospital by its name, in a fixed order.

        Raises ChecksumError where the file was altered, and PartitionError where the task's rows
        cannot be dealt out as ``partition`` (by default the task's own) says.
        """
        return self.loader(self.partition if partition is None else partition)
