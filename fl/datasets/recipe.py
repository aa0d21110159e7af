"""How the columns of a file become those of a task, and what of its rows is refused, and why."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fl.datasets.raw_csv import RawCsv
from fl.datasets.table import Table
from fl.datasets.task import MISSING, Column, Task
from fl.datasets.units import NO_UNIT, Unit
from fl.errors import ValueFormatError

# A hospital with fewer patients can neither train, donate and test, nor publish anything.
LEAST_ROWS = 20
LEAST_OF_CLASS = 5
LONGEST_SHOWN = 60

# What `float` takes beyond this (nan, infinity, underscores) is no measurement.
_NUMBER = {
    ".": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"),
    ",": re.compile(r"[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d{1,3})?"),
}


@dataclass(frozen=True)
class Take:
    """Which column of the file a task's column is taken from; none where the hospital lacks it.

    `unit` is that of the file's numbers; `words` tells which category a text of the file means.
    """

    column: Column
    source: str = ""
    unit: Unit = NO_UNIT
    words: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Recipe:
    """All that turns rows into tables.

    `classes` tells which class a text of `class_source` means. The hospital is `hospital`, or what
    the column `hospital_source` says. `missing` are texts that stand for a missing value, beside
    an empty cell; `decimal` is the sign before a number's fraction.
    """

    takes: tuple[Take, ...]
    class_source: str
    classes: Mapping[str, str]
    hospital: str = ""
    hospital_source: str = ""
    missing: frozenset[str] = frozenset()
    decimal: str = "."


@dataclass(frozen=True)
class Refusal:
    """Why a row is not taken. `line` is counted from 1, the header's line included."""

    line: int
    column: str
    expected: str
    came: str


@dataclass(frozen=True)
class Converted:
    """The hospitals' tables, and what was refused: `refused` in the order of the lines."""

    tables: Mapping[str, Table]
    refused: Sequence[Refusal]

    @property
    def refused_rows(self) -> int:
        """How many rows are not taken."""
        return len({one.line for one in self.refused})


def convert(raw: RawCsv, task: Task, recipe: Recipe) -> Converted:
    """Read every row by the recipe; a row with anything wrong in it is refused as a whole."""
    reader = _Reader(raw, task, recipe)
    found: dict[str, list[tuple[list[float], int]]] = defaultdict(list)
    refused: list[Refusal] = []
    for line, cells in raw.rows:
        wrong, hospital, values, label = reader.read(line, cells)
        if wrong:
            refused += wrong
        else:
            found[hospital].append((values, label))
    tables = {name: _table(rows, len(task.columns)) for name, rows in sorted(found.items())}
    return Converted(tables, refused)


def parse_number(text: str, decimal: str) -> float:
    """The number that a text writes with this decimal sign. Raises ValueError."""
    if not _NUMBER[decimal].fullmatch(text):
        raise ValueError(f"expected a number, got {text!r}")
    return float(text.replace(",", "."))


class _Reader:
    """Reads one row after the other."""

    def __init__(self, raw: RawCsv, task: Task, recipe: Recipe) -> None:
        self._task, self._recipe = task, recipe
        self._width = len(raw.header)
        self._at = {name: position for position, name in enumerate(raw.header)}

    def read(self, line: int, cells: Sequence[str]) -> tuple[list[Refusal], str, list[float], int]:
        """What is wrong with the row; its hospital, values and class where nothing is."""
        if len(cells) != self._width:
            came = f"{len(cells)} cells"
            return [Refusal(line, "", f"{self._width} cells", came)], "", [], 0
        wrong: list[Refusal] = []
        values = []
        for take in self._recipe.takes:
            text = self._cell(cells, take.source)
            try:
                values.append(self._value(take, text))
            except ValueFormatError as error:
                values.append(MISSING)
                wrong.append(_refusal(line, take.source, error))
        if not wrong and all(math.isnan(value) for value in values):
            wrong.append(Refusal(line, "", "at least one value", "none"))
        label = 0
        try:
            label = self._label(self._cell(cells, self._recipe.class_source))
        except ValueFormatError as error:
            wrong.append(_refusal(line, self._recipe.class_source, error))
        hospital = self._recipe.hospital
        if self._recipe.hospital_source:
            hospital = self._cell(cells, self._recipe.hospital_source)
            if not hospital:
                source = self._recipe.hospital_source
                wrong.append(Refusal(line, source, "the name of a hospital", ""))
        return wrong, hospital, values, label

    def _cell(self, cells: Sequence[str], source: str) -> str:
        text = cells[self._at[source]] if source else ""
        return "" if text in self._recipe.missing else text

    def _value(self, take: Take, text: str) -> float:
        column = take.column
        if not text:
            return MISSING
        if take.words is not None:
            if text not in take.words:
                raise ValueFormatError(column.name, f"one of {', '.join(take.words)}", text)
            return column.parse(take.words[text])
        if column.kind != "number":
            return column.parse(text)
        return self._number(column, take.unit, text)

    def _number(self, column: Column, unit: Unit, text: str) -> float:
        sign = "comma" if self._recipe.decimal == "," else "point"
        try:
            number = unit.convert(parse_number(text, self._recipe.decimal))
        except ValueError:
            expected = f"a number with a decimal {sign}"
            raise ValueFormatError(column.name, expected, text) from None
        if column.zero_is_missing and number == 0:
            return MISSING
        if not column.low <= number <= column.high:
            low, high = (f"{bound / unit.factor:.4g}" for bound in (column.low, column.high))
            expected = f"{low} to {high} {unit.name}".strip()
            raise ValueFormatError(column.name, expected, text)
        return number

    def _label(self, text: str) -> int:
        name = self._recipe.classes.get(text)
        if name is None:
            expected = f"one of {', '.join(self._recipe.classes)}"
            raise ValueFormatError(self._recipe.class_source, expected, text)
        return self._task.classes.index(name)


def too_small(task: Task, tables: Mapping[str, Table]) -> Iterator[str]:
    """A sentence for each hospital that has too few patients to take part."""
    for name, table in tables.items():
        if len(table) < LEAST_ROWS:
            yield f"{name} has {len(table)} patients; expected at least {LEAST_ROWS}"
        for label, what in enumerate(task.classes):
            count = int((table.labels == label).sum())
            if count < LEAST_OF_CLASS:
                yield f"{name} has {count} patients with {what}; expected at least {LEAST_OF_CLASS}"


def _table(rows: Sequence[tuple[list[float], int]], columns: int) -> Table:
    features = np.array([values for values, _ in rows], dtype=np.float64)
    labels = np.array([label for _, label in rows], dtype=np.int64)
    return Table(features.reshape(len(rows), columns), labels)


def _refusal(line: int, source: str, error: ValueFormatError) -> Refusal:
    came = str(error.value)
    short = came if len(came) <= LONGEST_SHOWN else f"{came[:LONGEST_SHOWN]}…"
    return Refusal(line, source, error.expected, short)
