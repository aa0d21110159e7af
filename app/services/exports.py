"""Tables as files: CSV, XLSX and JSON, with the same values; JSON alone keeps attacks by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from app.services.tables import Table

# With these a spreadsheet begins a formula: OWASP, "CSV Injection".
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

LONGEST_SHEET_NAME = 31
WIDEST, NARROWEST = 60, 8

TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


def export(tables: Sequence[Table], form: str, facts: Mapping[str, Any]) -> bytes:
    """Tables as a file of a form in TYPES; CSV holds one table. `facts` say what they are of.

    Raises KeyError for another form, ValueError for several tables as CSV.
    """
    writers: dict[str, Callable[[], bytes]] = {
        "csv": lambda: to_csv(tables[0]) if len(tables) == 1 else _refuse(len(tables)),
        "xlsx": lambda: to_xlsx(tables),
        "json": lambda: to_json(tables, facts),
    }
    return writers[form]()


def to_csv(table: Table) -> bytes:
    """A table in UTF-8 with a byte order mark, by which spreadsheets know the encoding.

    Text in which a spreadsheet would see a formula begins with an apostrophe.
    """
    shown = table.for_people()
    return csv_text([column.name for column in shown.columns], shown.rows).encode("utf-8-sig")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lines of CSV in which no text is taken for a formula; None is an empty cell."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(header)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return written.getvalue()


def to_json(tables: Sequence[Table], facts: Mapping[str, Any]) -> bytes:
    """The facts, and each table with its title, what it shows, its columns and its rows by name."""
    document = dict(facts) | {
        "tables": {
            table.name: {
                "title": table.title,
                "about": table.about,
                "columns": {column.name: column.title for column in table.columns},
                "rows": table.records(),
            }
            for table in tables
        }
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """A workbook with a sheet a table: numbers are numbers, text is never a formula."""
    book = Workbook(write_only=True)
    for table in (one.for_people() for one in tables):
        sheet = book.create_sheet(table.name[:LONGEST_SHEET_NAME])
        sheet.freeze_panes = "A2"
        for place, column in enumerate(table.columns):
            longest = max((len(str(row[place])) for row in table.rows), default=0)
            width = min(WIDEST, max(NARROWEST, longest, len(column.name)) + 2)
            sheet.column_dimensions[get_column_letter(place + 1)].width = width
        heads = [_cell(sheet, column.name) for column in table.columns]
        for head in heads:
            head.font = Font(bold=True)
        sheet.append(heads)
        for row in table.rows:
            sheet.append([_cell(sheet, value) for value in row])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    """A cell; a text is stored as such, also one that looks like a formula."""
    if not isinstance(value, str):
        return WriteOnlyCell(sheet, value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell


def _plain(value: object) -> object:
    """The value, with an apostrophe before a text that a spreadsheet would compute."""
    if isinstance(value, str) and value.startswith(FORMULA) and not _is_number(value):
        return f"'{value}"
    return "" if value is None else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse(number: int) -> bytes:
    raise ValueError(f"expected one table for a CSV file, got {number}")
