"""A file of patients for one task: its template, and which of its columns is which value.

A heading may name a column as the template does, by its name in the data or its label, with the
unit in brackets. The first rule is that of the template, so that what comes out of it goes in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.doctor.words import bounds
from app.errors import RequestError
from app.services.tables import Column as Shown
from app.services.tables import Table
from fl.datasets import Column, Task
from fl.datasets.asking import plausible_of
from fl.datasets.guess import name_and_unit, sources_of
from fl.datasets.raw_csv import RawCsv
from fl.datasets.units import Unit, asked_units, units_of

REFERENCE = "Reference"
EXAMPLE = "EXAMPLE: delete this line"
# Headings, letters and digits alone, of a doctor's own reference for a row.
_REFERENCES = frozenset(
    {"reference", "ref", "yourreference", "id", "case", "row", "number", "nr", "no", "key"}
)


@dataclass(frozen=True)
class Source:
    """A column of the file, at `place` from 0, that holds a value, in `unit`."""

    place: int
    heading: str
    column: Column
    unit: Unit


@dataclass(frozen=True)
class Layout:
    """Which columns a file has: `reference` is the place of the doctor's own, or None."""

    reference: int | None
    sources: tuple[Source, ...]
    unused: tuple[str, ...]


def heading_of(column: Column) -> str:
    """How the template calls a column."""
    return f"{column.label} ({column.unit})" if column.unit else column.label


def layout_of(raw: RawCsv, task: Task) -> Layout:
    """Find the task's columns. Raises RequestError for none of them, or a unit that none has."""
    reference = next((at for at, one in enumerate(raw.header) if _plain(one) in _REFERENCES), None)
    free = [name for at, name in enumerate(raw.header) if at != reference]
    exact = {heading_of(column).casefold(): column for column in task.columns}
    found = {exact[name.casefold()].name: name for name in free if name.casefold() in exact}
    left = [name for name in free if name not in found.values()]
    missing = [column for column in task.columns if column.name not in found]
    found |= {name: heading for name, heading in sources_of(left, missing).items() if heading}
    if not found:
        names = ", ".join(heading_of(column) for column in task.columns[:3])
        raise RequestError(
            f"No column of this file is one of {task.title.lower()}: the first line has to name "
            f"them, as in the template ({names} and so on)."
        )
    sources = tuple(
        Source(raw.header.index(found[c.name]), found[c.name], c, _unit(found[c.name], c))
        for c in task.columns
        if c.name in found
    )
    unused = tuple(name for name in free if name not in found.values())
    return Layout(reference, sources, unused)


def template(task: Task) -> list[list[str]]:
    """The header and one line that is plainly an example."""
    header = [REFERENCE, *(heading_of(column) for column in task.columns)]
    return [header, [EXAMPLE, *(_example(task, column) for column in task.columns)]]


def description(task: Task) -> Table:
    """What each column of the template may hold."""
    return Table(
        f"{task.name}-columns",
        "Columns",
        "One row of the file is one patient.",
        (
            Shown("column", "Column"),
            Shown("required", "Needed"),
            Shown("what", "What it may hold"),
            Shown("usual", "Asked about outside of"),
            Shown("units", "Units, in brackets in the heading"),
        ),
        (
            (
                REFERENCE,
                "no",
                "Your own reference for the row, at most 40 characters, each once. No name.",
                "",
                "",
            ),
            *(_described(task, column) for column in task.columns),
        ),
    )


def _described(task: Task, column: Column) -> tuple[str, ...]:
    plausible = plausible_of(task, column)
    units = asked_units(column)
    usual = "" if plausible is None else bounds(plausible.low, plausible.high, units[0])
    named = ", ".join(one.name for one in units if one.name)
    return heading_of(column), "no, if another is there", _allowed(column), usual, named


def _allowed(column: Column) -> str:
    if column.kind == "number":
        zero = "; 0 means not known" if column.zero_is_missing else ""
        return bounds(column.low, column.high, asked_units(column)[0]) + zero
    return " or ".join(one.label for one in column.categories)


def _example(task: Task, column: Column) -> str:
    if column.kind != "number":
        return column.categories[0].label
    plausible = plausible_of(task, column)
    low, high = (plausible.low, plausible.high) if plausible else (column.low, column.high)
    return f"{(low + high) / 2:.2g}" if high - low < 10 else f"{(low + high) / 2:.0f}"


def _unit(heading: str, column: Column) -> Unit:
    """The unit that a heading names, else the column's own. Raises RequestError for another."""
    units = units_of(column)
    said = name_and_unit(heading)[1]
    own = heading.casefold() in (heading_of(column).casefold(), column.label.casefold())
    if column.kind != "number" or not column.unit or not said or own:
        return units[0]
    found = next((one for one in units if one.name.casefold() == said.casefold()), None)
    if found is None:
        names = " or ".join(one.name for one in units)
        raise RequestError(
            f"The column “{heading}” is in {said}. Expected {column.label.lower()} in {names}."
        )
    return found


def shown(layout: Layout) -> Iterator[tuple[str, str, str]]:
    """Heading, label and unit of each column that was found."""
    for one in layout.sources:
        yield one.heading, one.column.label, one.unit.name


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())
