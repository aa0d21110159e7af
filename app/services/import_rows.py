"""Which rows of a file can be taken, as far as a step knows; only they shape what is published.

A row that will be refused must neither name a category nor widen a range of a new task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.services.import_choices import Purpose
from fl.datasets.raw_csv import RawCsv
from fl.datasets.recipe import Converted, parse_number

Bounds = Mapping[str, tuple[float, float]]


def complete_rows(raw: RawCsv, purpose: Purpose) -> RawCsv:
    """The file without rows of another length, and those that lack the class or the hospital."""
    needed = [
        raw.header.index(name) for name in (purpose.class_source, purpose.hospital_source) if name
    ]
    none = purpose.missing | {""}
    rows = tuple(
        (line, cells)
        for line, cells in raw.rows
        if len(cells) == len(raw.header) and all(cells[at] not in none for at in needed)
    )
    return replace(raw, rows=rows)


def rows_within(raw: RawCsv, purpose: Purpose, bounds: Bounds) -> RawCsv:
    """Of the complete rows, those whose numbers are missing or within the columns' bounds."""
    places = [(raw.header.index(name), low, high) for name, (low, high) in bounds.items()]
    complete = complete_rows(raw, purpose)
    rows = tuple(
        (line, cells)
        for line, cells in complete.rows
        if all(_fits(cells[at], purpose, low, high) for at, low, high in places)
    )
    return replace(raw, rows=rows)


def taken_rows(raw: RawCsv, converted: Converted) -> RawCsv:
    """The file without the rows that were refused."""
    refused = {one.line for one in converted.refused}
    return replace(raw, rows=tuple(row for row in raw.rows if row[0] not in refused))


def _fits(text: str, purpose: Purpose, low: float, high: float) -> bool:
    if not text or text in purpose.missing:
        return True
    try:
        return low <= parse_number(text, purpose.decimal) <= high
    except ValueError:
        return False
