"""A table as pages, files and the report show it: one definition, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.services.attack_names import attack_titles

# sentence: begins in the middle of one; share: of 1, shown in percent; figure: with three digits;
# attack: its name, or several, shown by their titles.
Kind = Literal[
    "text",
    "sentence",
    "number",
    "share",
    "figure",
    "hash",
    "transaction",
    "verdict",
    "round",
    "attack",
    "appeal",
]

NUMERIC = ("number", "share", "figure")


@dataclass(frozen=True)
class Column:
    """A column: its name in files, its heading for people, and what a value of it means."""

    name: str
    title: str
    kind: Kind = "text"
    meaning: str = ""

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, which stand to the right."""
        return self.kind in NUMERIC


@dataclass(frozen=True)
class Table:
    """Rows under columns; a value is text, a number, a bool, or None where there is none.

    `about` says what the table shows, over what and in which units. `totals` is how many of the
    last rows sum up the others.
    """

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    totals: int = 0

    def records(self) -> list[dict[str, Any]]:
        """Each row by its columns' names."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def for_people(self) -> Table:
        """The table with attacks by their titles, for what is read; machines keep the names."""
        named = [place for place, one in enumerate(self.columns) if one.kind == "attack"]
        rows = tuple(
            tuple(
                attack_titles(value) if place in named and value else value
                for place, value in enumerate(row)
            )
            for row in self.rows
        )
        return replace(self, rows=rows)

    def where(self, wanted: Mapping[str, Any]) -> Table:
        """The table of the rows that have these values, by column; None wants all."""
        chosen = {name: value for name, value in wanted.items() if value is not None}
        kept = [
            row
            for row, record in zip(self.rows, self.records(), strict=True)
            if all(record[name] == value for name, value in chosen.items())
        ]
        return replace(self, rows=tuple(kept), totals=0)

    def without(self, *names: str) -> Table:
        """The table without these columns."""
        return self._of([place for place, one in enumerate(self.columns) if one.name not in names])

    def without_empty(self) -> Table:
        """The table without columns in which no row has a value."""
        return self._of(
            [
                place
                for place in range(len(self.columns))
                if any(row[place] not in (None, "") for row in self.rows)
            ]
        )

    def _of(self, places: list[int]) -> Table:
        columns = tuple(self.columns[place] for place in places)
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=columns, rows=rows)
