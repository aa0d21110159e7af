"""Files as people send them: encodings, delimiters, quotes, and what is no table."""

from __future__ import annotations

import pytest

from fl.datasets import raw_csv
from fl.datasets.guess import decimal_sign
from fl.datasets.raw_csv import read_raw
from fl.errors import CsvError


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("größe,klasse\n1,ja\n".encode(), "utf-8"),
        ("größe,klasse\n1,ja\n".encode("utf-8-sig"), "utf-8-sig"),
        ("größe,klasse\n1,ja\n".encode("utf-16"), "utf-16"),
        ("größe,klasse\n1,ja\n".encode("cp1252"), "cp1252"),
    ],
)
def test_every_usual_encoding_gives_the_same_cells(content: bytes, encoding: str) -> None:
    raw = read_raw(content)
    assert (raw.encoding, raw.header) == (encoding, ("größe", "klasse"))
    assert raw.rows == ((2, ("1", "ja")),)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines = [["age", "sex", "note"], ["63", "m", '"a, b; c"'], ["41", "f", ""]]
    raw = read_raw("\r\n".join(delimiter.join(line) for line in lines).encode())
    assert raw.delimiter == delimiter
    assert raw.rows == ((2, ("63", "m", "a, b; c")), (3, ("41", "f", "")))


def test_decimal_commas_are_not_taken_for_delimiters() -> None:
    raw = read_raw(b"age;chol;class\n63;5,2;1\n41;6,1;0\n")
    assert (raw.delimiter, raw.rows[0][1]) == (";", ("63", "5,2", "1"))
    assert decimal_sign(raw) == ","
    assert decimal_sign(read_raw(b"age,chol\n63,5.2\n")) == "."


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    raw = read_raw(b'a,b\n\n"one\ntwo",2\n\n3,4\n')
    assert [line for line, _ in raw.rows] == [3, 6]
    assert raw.rows[0][1] == ("one\ntwo", "2")


def test_rows_keep_the_cells_that_they_have() -> None:
    raw = read_raw(b"a,b,c\n1,2,3\n1,2\n1,2,3,4\n")
    assert [len(cells) for _, cells in raw.rows] == [3, 2, 4]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "expected rows"),
        (b"a,b\n \n,\n", "expected rows"),
        (b"only\n1\n2\n", "got one column"),
        (b"a,b,a\n1,2,3\n", "twice there: a"),
        (b"a,,b\n1,2,3\n", "column 2 has no name"),
        (b"PK\x03\x04\0\0,\n", "a file of another kind"),
        (b"a,b\n1,\x81\n", "expected text in UTF-8"),
        (b"a," + b"b" * 200 + b"\n1,2\n", "longer than 100"),
        (",".join(f"c{i}" for i in range(101)).encode() + b"\n1\n", "at most 100 columns"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(content: bytes, problem: str) -> None:
    with pytest.raises(CsvError, match=problem):
        read_raw(content)


def test_as_many_rows_as_allowed_are_read_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_csv, "MOST_ROWS", 1000)
    content = b"a,b\n" + b"1,2\n" * 1000
    assert len(read_raw(content).rows) == 1000
    with pytest.raises(CsvError, match="at most 1000 rows"):
        read_raw(content + b"1,2\n")


def test_a_large_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(CsvError, match="at most 16 MB"):
        read_raw(b"a,b\n" + b"1,2\n" * (4 * 2**20))
