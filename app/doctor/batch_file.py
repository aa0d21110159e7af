"""Reads a file of patients by the rules of the form: what is impossible is refused, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.doctor.batch_columns import EXAMPLE, Layout, Source, layout_of, shown
from app.doctor.measures import MOST_DIGITS, read_measured
from app.doctor.words import NOT_KNOWN, bounds, unit_words
from app.errors import RequestError
from app.services.batch_sealing import About, Row, Wrong
from app.services.import_choices import sentence
from app.services.numbers import WITH_POINT
from fl.datasets import Column, Task
from fl.datasets.asking import plausible_of
from fl.datasets.guess import category_of, is_bare_answer, missing_markers
from fl.datasets.raw_csv import RawCsv, read_raw
from fl.datasets.recipe import LONGEST_SHOWN, parse_number
from fl.errors import CsvError, ValueFormatError

MOST_ROWS: Final = 5000
# Below what the server's parsers keep in memory (500 KiB): a larger one would touch the disk.
LARGEST_FILE: Final = 480 * 1024
LONGEST_REFERENCE: Final = 40

_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")
# Either a thousand or a fraction of three digits: it says nothing of the file's decimal sign.
_UNCLEAR = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Sheet:
    """What a file holds: the rows that can be predicted, and how all of it was read."""

    rows: tuple[Row, ...]
    about: About


def read_sheet(task: Task, content: bytes) -> Sheet:
    """Read a file. Raises RequestError for what is no table of this task's patients."""
    if len(content) > LARGEST_FILE:
        raise RequestError(f"Expected at most {LARGEST_FILE // 1024} KB: split the file.")
    try:
        raw = read_raw(content)
    except CsvError as error:
        raise RequestError(sentence(error)) from error
    if len(raw.rows) > MOST_ROWS:
        raise RequestError(
            f"Expected at most {MOST_ROWS} rows, got {len(raw.rows)}: split the file."
        )
    return _Reader(task, raw).read()


class _Reader:
    """Reads one file, row after row."""

    def __init__(self, task: Task, raw: RawCsv) -> None:
        self._task, self._raw = task, raw
        self._layout: Layout = layout_of(raw, task)
        self._missing = {*missing_markers(raw), NOT_KNOWN, ""}
        self._comma = _has_decimal_comma(raw, self._layout.sources)
        self._seen: dict[str, int] = {}

    def read(self) -> Sheet:
        """Every row."""
        rows: list[Row] = []
        wrong: list[Wrong] = []
        examples = 0
        for line, cells in self._raw.rows:
            if self._reference(cells) == EXAMPLE:
                examples += 1
                continue
            found, problems = self._row(line, cells)
            wrong += problems
            if found is not None:
                rows.append(found)
        layout = self._layout
        about = About(
            columns=tuple(column.name for column in self._task.columns),
            taken=tuple(shown(layout)),
            unused=layout.unused,
            reference="" if layout.reference is None else self._raw.header[layout.reference],
            wrong=tuple(wrong),
            doubtful=sum(bool(one.doubts) for one in rows),
            examples=examples,
        )
        return Sheet(tuple(rows), about)

    def _row(self, line: int, cells: Sequence[str]) -> tuple[Row | None, list[Wrong]]:
        reference = self._reference(cells)
        if len(cells) != len(self._raw.header):
            expected, came = f"{len(self._raw.header)} cells", f"{len(cells)} cells"
            return None, [Wrong(line, reference[:LONGEST_REFERENCE], "", expected, came)]
        wrong = list(self._wrong_reference(line, reference))
        values: dict[str, float | None] = {}
        doubts: list[str] = []
        for source in self._layout.sources:
            text = cells[source.place]
            try:
                value = self._value(source, "" if text in self._missing else text)
            except ValueFormatError as error:
                wrong.append(Wrong(line, reference, source.heading, error.expected, _short(text)))
                continue
            values[source.column.name] = value
            doubts += self._doubts(source, value)
        if not wrong and all(value is None for value in values.values()):
            wrong.append(Wrong(line, reference, "", "at least one value", "none"))
        if wrong:
            return None, wrong
        ordered = tuple(values.get(column.name) for column in self._task.columns)
        return Row(line, reference, ordered, tuple(doubts)), []

    def _reference(self, cells: Sequence[str]) -> str:
        at = self._layout.reference
        return cells[at] if at is not None and at < len(cells) else ""

    def _wrong_reference(self, line: int, reference: str) -> Iterator[Wrong]:
        if not reference:
            return
        heading = self._raw.header[self._layout.reference or 0]
        if len(reference) > LONGEST_REFERENCE or not reference.isprintable():
            expected = f"at most {LONGEST_REFERENCE} characters in one line"
            yield Wrong(line, reference[:LONGEST_REFERENCE], heading, expected, _short(reference))
        elif reference in self._seen:
            expected = f"another reference than that of line {self._seen[reference]}"
            yield Wrong(line, reference, heading, expected, reference)
        else:
            self._seen[reference] = line

    def _value(self, source: Source, text: str) -> float | None:
        column = source.column
        if not text:
            return None
        if column.kind != "number":
            return float(_category(column, text))
        plain = text.replace("\N{MINUS SIGN}", "-")
        if self._comma:
            try:
                parse_number(plain, ",")
            except ValueError:
                raise ValueFormatError(column.name, "a number with a decimal comma", text) from None
            plain = plain.replace(",", ".")
        try:
            if len(plain) > MOST_DIGITS:
                raise ValueFormatError(column.name, "a number", text)
            return read_measured(column, plain, source.unit)
        except ValueFormatError as error:
            if "," in plain and error.expected == "a number":
                raise ValueFormatError(column.name, f"a number. {WITH_POINT}", text) from None
            raise

    def _doubts(self, source: Source, value: float | None) -> Iterator[str]:
        """What is asked of a value that is possible but not plausible."""
        plausible = plausible_of(self._task, source.column)
        if plausible is None or value is None or value in plausible:
            return
        unit = source.unit
        told = unit_words(f"{value / unit.factor:.4g}", unit.name)
        usual = bounds(plausible.low, plausible.high, unit)
        label = source.column.label
        yield f"{label}, {told}: of 100 published patients, 99 have {usual}."


def _category(column: Column, text: str) -> int:
    """The position of what a cell says. Raises ValueFormatError.

    What the data or the form call it, or yes and no in other words; never the mere beginning.
    """
    said = text.casefold()
    known = [one.value for one in column.categories]
    for at, one in enumerate(column.categories):
        if said in (one.value.casefold(), one.label.casefold()):
            return at
    labels = {one.label.casefold() for one in column.categories}
    if is_bare_answer(text) and labels == {"no", "yes"}:
        return known.index(category_of(text, column.categories))
    expected = " or ".join(one.label for one in column.categories)
    raise ValueFormatError(column.name, expected, text)


def _has_decimal_comma(raw: RawCsv, sources: Sequence[Source]) -> bool:
    """Whether a number of the file has a comma that can only stand before a fraction."""
    places = [one.place for one in sources if one.column.kind == "number"]
    cells = (row[at] for _, row in raw.rows for at in places if at < len(row))
    return any(_WITH_COMMA.fullmatch(one) and not _UNCLEAR.fullmatch(one) for one in cells)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
