"""A CSV as somebody sends it: its encoding and delimiter found, its lines numbered, no value read.

Rows keep the number of cells that they have: what does not fit is refused later, line by line.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fl.errors import CsvError

LARGEST_FILE = 16 * 2**20
MOST_ROWS = 100_000
MOST_COLUMNS = 100
LONGEST_NAME = 100
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_SAMPLE = 50
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class RawCsv:
    """The cells of a file, without the space around them; `rows` are a line number and its cells.

    A row that reaches over several lines has the number of its first. `delimiter` is the character.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def values(self, column: str) -> Iterator[str]:
        """The cells of a column, of the rows that have one. Raises ValueError for no column."""
        at = self.header.index(column)
        return (cells[at] for _, cells in self.rows if at < len(cells))


def read_raw(content: bytes) -> RawCsv:
    """Read a file. Raises CsvError, with what was expected, for what is no table of cells."""
    if len(content) > LARGEST_FILE:
        raise CsvError(f"expected at most {LARGEST_FILE // 2**20} MB")
    encoding, text = _decoded(content)
    delimiter = _delimiter(text)
    lines = _lines(text, delimiter)
    _, header = next(lines, (0, ()))
    _check_header(header)
    rows: list[tuple[int, tuple[str, ...]]] = []
    for line in lines:
        if len(rows) == MOST_ROWS:
            raise CsvError(f"expected at most {MOST_ROWS} rows: split the file")
        rows.append(line)
    if not rows:
        raise CsvError("expected rows below the names of the columns, got none")
    return RawCsv(encoding, delimiter, header, tuple(rows))


def _decoded(content: bytes) -> tuple[str, str]:
    marked = next((name for bom, name in _BOMS if content.startswith(bom)), None)
    # Windows' own encoding takes nearly every byte, so it is the last that is tried.
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise CsvError("expected a CSV as text, got a file of another kind")
        return encoding, text
    raise CsvError("expected text in UTF-8, UTF-16 or Windows-1252")


def _delimiter(text: str) -> str:
    """The character that splits most of the first lines into as many cells as the header has."""
    if not text.strip():
        raise CsvError("expected the names of the columns in the first line; the file is empty")
    found = {}
    for delimiter in DELIMITERS:
        sample = []
        for _, cells in _lines(text, delimiter):
            sample.append(len(cells))
            if len(sample) == _SAMPLE:
                break
        if sample and sample[0] > 1:
            found[delimiter] = (Counter(sample)[sample[0]] / len(sample), sample[0])
    if not found:
        raise CsvError("expected columns between commas, semicolons, tabs or bars; got one column")
    return max(found, key=lambda delimiter: found[delimiter])


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each line that holds something, with its number."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            found = tuple(cell.strip() for cell in cells)
            if any(found):
                yield before + 1, found
            before = reader.line_num
    except csv.Error as error:
        raise CsvError(f"line {before + 1} is no line of a CSV: {error}") from error


def _check_header(header: tuple[str, ...]) -> None:
    if len(header) > MOST_COLUMNS:
        raise CsvError(f"expected at most {MOST_COLUMNS} columns, got {len(header)}")
    for at, name in enumerate(header, start=1):
        if not name:
            raise CsvError(f"column {at} has no name in the first line")
        if len(name) > LONGEST_NAME:
            raise CsvError(f"the name of column {at} is longer than {LONGEST_NAME} characters")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise CsvError(f"expected different names of columns; twice there: {', '.join(twice)}")
