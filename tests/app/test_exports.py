"""Files of tables, read back: the same values in each form, and no formula where text was."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from openpyxl import load_workbook

from app.services.exports import export, to_csv, to_json, to_xlsx
from app.services.tables import Column, Table

EVIL = ('=HYPERLINK("http://evil.example")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1")
TABLE = Table(
    "rows",
    "Rows",
    "What is shown.",
    (Column("name", "Name"), Column("share", "Share", "share"), Column("count", "Count", "number")),
    (("Zürich", 0.1234, -7), ('a, "b"\nc', None, 0), (None, 1.0, 12345678901)),
)


def evil() -> Table:
    rows = tuple((text, None, None) for text in EVIL)
    return Table("rows", "Rows", "", TABLE.columns, rows)


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def read_xlsx(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = load_workbook(io.BytesIO(data))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def test_csv_holds_the_values_under_names() -> None:
    data = to_csv(TABLE)
    assert data.startswith(b"\xef\xbb\xbf")
    assert read_csv(data) == [
        ["name", "share", "count"],
        ["Zürich", "0.1234", "-7"],
        ['a, "b"\nc', "", "0"],
        ["", "1.0", "12345678901"],
    ]


def test_xlsx_holds_numbers_as_numbers() -> None:
    assert read_xlsx(to_xlsx([TABLE, evil()]))["rows"] == [("name", "share", "count"), *TABLE.rows]


def test_json_says_what_the_table_is_and_of_what() -> None:
    read = json.loads(to_json([TABLE], {"training": "ab"}))
    assert read["training"] == "ab"
    assert read["tables"]["rows"]["title"] == "Rows"
    assert read["tables"]["rows"]["rows"] == TABLE.records()


def test_text_that_looks_like_a_formula_is_none_in_a_spreadsheet() -> None:
    for (written, *_), text in zip(read_csv(to_csv(evil()))[1:], EVIL, strict=True):
        assert written == f"'{text}"
    sheet = load_workbook(io.BytesIO(to_xlsx([evil()]))).active
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert cells[0].value == EVIL[0]


def test_characters_that_no_workbook_may_hold_are_left_out() -> None:
    table = Table("rows", "Rows", "", TABLE.columns, (("a\x00b\x1fc", None, None),))
    assert read_xlsx(to_xlsx([table]))["rows"][1][0] == "abc"


def test_a_sheet_s_name_is_short_enough() -> None:
    table = Table("a" * 40, "Rows", "", TABLE.columns, ())
    assert list(read_xlsx(to_xlsx([table]))) == ["a" * 31]


def test_several_tables_are_no_csv_and_other_forms_are_none() -> None:
    with pytest.raises(ValueError, match="one table"):
        export([TABLE, TABLE], "csv", {})
    with pytest.raises(KeyError):
        export([TABLE], "ods", {})


def test_rows_are_chosen_by_value() -> None:
    assert TABLE.where({"name": "Zürich", "count": None}).rows == (TABLE.rows[0],)
    assert TABLE.where({"count": 5}).rows == ()


def test_attacks_have_their_titles_where_people_read_and_their_names_in_json() -> None:
    table = Table(
        "truth",
        "Truth",
        "",
        (Column("attack", "Attack", "attack"), Column("note", "Note")),
        (("sign-flip + label-flip", "sign-flip"), (None, ""), ("of-tomorrow", "")),
    )
    told = [["Scaled sign flip + Label flip", "sign-flip"], ["", ""], ["of-tomorrow", ""]]
    assert list(csv.reader(io.StringIO(to_csv(table).decode("utf-8-sig"))))[1:] == told
    sheet = load_workbook(io.BytesIO(to_xlsx([table])))["truth"]
    rows = [[value or "" for value in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[1:] == told
    stored = json.loads(to_json([table], {}))["tables"]["truth"]["rows"]
    assert [row["attack"] for row in stored] == ["sign-flip + label-flip", None, "of-tomorrow"]
