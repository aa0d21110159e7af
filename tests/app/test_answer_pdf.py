"""The two papers of an answer, from an answer made up: readable, on one page, in plain words."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader

from app.services.answer_pdf import Advice, Line, Paper, write_report, write_sheet

LABELS = ("Age", "Sex", "ST depression by exercise", "Resting blood pressure <sitting>")
PAPER = Paper(
    title="Heart disease",
    disease="heart disease",
    percent="62 %",
    words="More likely than not",
    range="55 % to 68 %",
    of_hundred=62,
    baseline="48.2 %",
    lines=tuple(Line(one, "54", "the same", "+1.5") for one in LABELS),
    known=LABELS,
    strongest=LABELS[2:],
    warnings=(),
    knows="Whom the model knows: Patients of four hospitals.",
    version="version 3 (b30004e2, round 5)",
    model_sha256="3f" * 32,
    training="b3" * 32,
    round=5,
    block=1234,
    contract="0x" + "Ab" * 20,
    at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
    advice_about="For you to weigh: this is not a medical device.",
    advice=(),
)
BOTH = pytest.mark.parametrize("write", [write_report, write_sheet])


def read(body: bytes) -> tuple[PdfReader, str]:
    reader = PdfReader(io.BytesIO(body))
    return reader, " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@BOTH
def test_a_paper_is_one_page_with_a_title_and_a_line_for_the_name(
    write: Callable[[Paper], bytes],
) -> None:
    reader, told = read(write(PAPER))
    assert len(reader.pages) == 1
    assert reader.metadata is not None
    assert "Heart disease" in str(reader.metadata.title)
    assert "2026-03-04" in str(reader.metadata.title)
    for part in ("Name and date of birth, by hand", "no medical device", "Page 1", "Heart disease"):
        assert part in told


def test_the_report_has_every_value_and_hash() -> None:
    _, told = read(write_report(PAPER))
    for part in ("62 % risk of heart disease", "95 % interval: 55 % to 68 %", "48.2 %", "1234"):
        assert part in told
    for part in (*LABELS, "+1.5", "Version 3 (b30004e2, round 5)", "2026-03-04 05:06 UTC"):
        assert part in told
    for digest in (PAPER.model_sha256, PAPER.training, PAPER.contract):
        assert digest in told.replace(" ", "")


def test_the_sheet_counts_people() -> None:
    _, told = read(write_sheet(PAPER))
    assert "about 62 have heart disease and about 38 do not" in told
    assert "55 to 68 of 100" in told
    # Only what begins with an ordinary word loses its capital.
    assert "age, sex, ST depression by exercise and resting blood pressure <sitting>." in told


def test_no_count_is_told_as_certain() -> None:
    _, told = read(write_sheet(replace(PAPER, of_hundred=0)))
    assert "fewer than 1 have heart disease and more than 99 do not" in told


def test_an_answer_that_is_not_calibrated_counts_nobody() -> None:
    own = replace(PAPER, of_hundred=None, range=None)
    _, told = read(write_sheet(own))
    assert "of 100" not in told
    assert "about heart disease is: more likely than not" in told
    _, told = read(write_report(own))
    assert "too few test patients" in told
    assert "of 100" not in told.lower()


@pytest.mark.parametrize(
    ("write", "said"),
    [(write_report, "Age, 99 years: far above."), (write_sheet, "Your numbers are unusual")],
)
def test_a_warning_stands_on_both_papers(write: Callable[[Paper], bytes], said: str) -> None:
    _, told = read(write(replace(PAPER, warnings=("Age, 99 years: far above.",))))
    assert said in told
    _, told = read(write(PAPER))
    assert said not in told


def test_a_long_table_goes_on_with_its_heading_on_the_next_page() -> None:
    many = tuple(Line(f"Value {at}", "1", "the same", "0.0") for at in range(90))
    reader, _ = read(write_report(replace(PAPER, lines=many)))
    assert len(reader.pages) > 1
    for at, page in enumerate(reader.pages[:2], start=1):
        assert "The model took" in page.extract_text()
        assert f"Page {at}" in page.extract_text()


def test_the_report_alone_has_the_suggestions_with_their_sources() -> None:
    source = "Society <of hearts>, Guideline on pressure, 2024, section 7.2"
    one = Advice("Next examination", "Measure it <again>.", "Age: 54; at any risk.", (source,) * 2)
    advised = replace(PAPER, advice=(one,) * 12)
    reader, told = read(write_report(advised))
    assert len(reader.pages) > 1
    said = f"Next examination. {one.text} Because of {one.why} Sources: {source}; {source}."
    assert told.count(said) == len(advised.advice)
    assert PAPER.advice_about in told
    assert source not in read(write_sheet(advised))[1]
