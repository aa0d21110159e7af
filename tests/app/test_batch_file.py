"""A file of patients is read as the form reads one: row by row, with a reason for each refusal."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.doctor.batch_columns import EXAMPLE, REFERENCE, heading_of, template
from app.doctor.batch_file import LARGEST_FILE, MOST_ROWS, Sheet, read_sheet
from app.doctor.measures import read_measured
from app.errors import RequestError
from app.services.exports import csv_text
from fl.datasets import Column, Task, get_task, task_names
from fl.datasets.guess import MISSING
from fl.datasets.units import units_of
from fl.errors import ValueFormatError

HEART, DIABETES = get_task("heart"), get_task("diabetes")


def read(task: Task, text: str, encoding: str = "utf-8") -> Sheet:
    return read_sheet(task, text.encode(encoding))


def by_name(task: Task, sheet: Sheet, row: int = 0) -> dict[str, float | None]:
    """What a row holds, without what is not known."""
    values = zip((one.name for one in task.columns), sheet.rows[row].values, strict=True)
    return {name: value for name, value in values if value is not None}


def complaints(sheet: Sheet) -> list[tuple[int, str, str, str]]:
    return [(one.line, one.column, one.expected, one.came) for one in sheet.about.wrong]


@pytest.mark.parametrize("task", [get_task(name) for name in task_names()], ids=lambda t: t.name)
def test_the_template_comes_back_as_every_column_and_its_example_is_left_out(task: Task) -> None:
    header, example = template(task)
    sheet = read(task, csv_text(header, [example]))
    assert [label for _, label, _ in sheet.about.taken] == [one.label for one in task.columns]
    assert (sheet.rows, sheet.about.examples, sheet.about.wrong) == ((), 1, ())
    # With a reference of its own the example would be a patient without any doubt.
    sheet = read(task, csv_text(header, [["A 1", *example[1:]]]))
    assert (len(sheet.rows), sheet.about.doubtful, sheet.about.wrong) == (1, 0, ())
    assert None not in sheet.rows[0].values


@pytest.mark.parametrize(
    "text",
    [
        "Reference,Age,BMI,Glucose\nA1,54,31.5,140\n",
        "Reference;Age;BMI;Glucose\r\nA1;54;31,5;140\r\n",
        "Reference\tAge\tBMI\tGlucose\nA1\t54\t31,5\t140\n",
        'Glucose,Reference,BMI,Age,Name\n140,A1,"31,5",54,Lind\n',
        "Reference;Body mass index (kg/m²);Age (years);Glucose, two hours (mg/dl)\nA1;31.5;54;140",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiter_decimal_sign_encoding_and_order_are_found(text: str, encoding: str) -> None:
    sheet = read(DIABETES, text, encoding)
    assert by_name(DIABETES, sheet) == {"Age": 54, "BMI": 31.5, "Glucose": 140}
    assert sheet.rows[0].reference == "A1"
    assert sheet.about.wrong == ()


def test_what_is_not_used_is_named_and_not_kept() -> None:
    sheet = read(DIABETES, "Name,Age\nLindqvistsson,54\n")
    assert sheet.about.unused == ("Name",)
    assert "Lindqvistsson" not in repr(sheet)


def test_a_heading_may_name_another_unit_and_an_unknown_one_is_refused() -> None:
    sheet = read(HEART, "age,chol (mmol/L)\n54,6.2\n")
    other = units_of(next(one for one in HEART.columns if one.name == "chol"))[1]
    assert by_name(HEART, sheet)["chol"] == other.convert(6.2)
    with pytest.raises(RequestError, match=r"is in g/l\. Expected serum cholesterol in mg/dl or"):
        read(HEART, "age,chol (g/l)\n54,2.4\n")


def test_each_problem_has_its_line_column_and_what_was_expected() -> None:
    sheet = read(
        HEART,
        "ref,age,sex,cp,trestbps,chol\n"
        "a,sixty,Male,asymptomatic,130,240\n"
        "b,54,unknown,asymptomatic,130,6.2\n"
        "c,54,Male,asymptomatic,130\n"
        ",,,,,\n"
        "d,,,,,\n"
        "a,54,male,no symptoms,0,240\n"
        "e,54,f,asymptomatic,130,240\n",
    )
    assert complaints(sheet) == [
        (2, "age", "a number", "sixty"),
        (3, "sex", "female or male", "unknown"),
        (3, "chol", "60 to 700 mg/dl", "6.2"),
        (4, "", "6 cells", "5 cells"),
        (6, "", "at least one value", "none"),
        (7, "ref", "another reference than that of line 2", "a"),
        (8, "sex", "female or male", "f"),
    ]
    assert sheet.about.wrong_rows == 6
    assert sheet.rows == ()


def test_words_of_the_form_and_zero_for_missing_are_taken() -> None:
    sheet = read(HEART, "sex,cp,fbs,exang,trestbps,age\nmale,no symptoms,yes,0,0,NA\n")
    assert by_name(HEART, sheet) == {"sex": 1, "cp": 3, "fbs": 1, "exang": 0}


def test_what_is_possible_but_unusual_is_told_and_stays() -> None:
    sheet = read(HEART, "age,trestbps (kPa)\n54,16\n54,28\n")
    assert [one.doubts for one in sheet.rows] == [
        (),
        ("Resting blood pressure, 28 kPa: of 100 published patients, 99 have 12.7 to 25.5 kPa.",),
    ]
    assert sheet.about.doubtful == 1


def test_a_comma_that_may_stand_between_thousands_is_refused() -> None:
    sheet = read(DIABETES, "Age;Insulin\n54;1,000\n55;94\n")
    assert len(sheet.rows) == 1
    assert "nothing between thousands" in sheet.about.wrong[0].expected
    # Another cell of the file shows that the comma stands before a fraction.
    sheet = read(DIABETES, "Age;Insulin;DiabetesPedigreeFunction\n54;;1,893\n55;;0,6\n")
    assert by_name(DIABETES, sheet)["DiabetesPedigreeFunction"] == 1.893
    # There a point is none.
    sheet = read(DIABETES, "Age;BMI\n54;31,5\n55;31.5\n")
    assert complaints(sheet) == [(3, "BMI", "a number with a decimal comma", "31.5")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04\0\0\0\0", "a file of another kind"),
        (b"name,town\nLind,Basel\n", "No column of this file is one of heart disease"),
        (b"age,age\n54,55\n", "twice there: age"),
        (b"age,sex\n", "expected rows below the names|Expected rows"),
        (b"age,sex\n" + b"1" * LARGEST_FILE, "at most 480 KB"),
        (b"age,sex\n" + b"54,Male\n" * (MOST_ROWS + 1), "at most 5000 rows, got 5001"),
    ],
)
def test_what_is_no_table_of_patients_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_sheet(HEART, content)


def test_a_long_or_unprintable_reference_is_refused() -> None:
    sheet = read(HEART, f"Reference,age\n{'x' * 41},54\nb\x07,54\n{'y' * 40},54\n")
    assert [one.reference for one in sheet.rows] == ["y" * 40]
    assert {one.line for one in sheet.about.wrong} == {2, 3}


@settings(deadline=None)
@given(
    st.sampled_from([c for c in (*HEART.columns, *DIABETES.columns) if c.kind == "number"]),
    st.floats(-10, 1200).map(lambda number: f"{number:.4g}")
    | st.text("0123456789.-e ", max_size=6),
)
def test_a_number_is_what_the_form_makes_of_it(column: Column, text: str) -> None:
    assume(text.strip() not in MISSING)  # The form has an empty field for these.
    task = HEART if column in HEART.columns else DIABETES
    written = io.StringIO()
    other = task.columns[0] if column != task.columns[0] else task.columns[1]
    rows = csv.writer(written)
    rows.writerow([REFERENCE, heading_of(column), heading_of(other)])
    filled = template(task)[1][1 + task.columns.index(other)]
    rows.writerow(["A", text, filled])
    sheet = read(task, written.getvalue())
    expected, refusals = of_the_form(column, text.strip())
    assert [(one.expected, one.came) for one in sheet.about.wrong] == refusals
    if not refusals:
        assert sheet.rows[0].values[task.columns.index(column)] == expected


def of_the_form(column: Column, text: str) -> tuple[float | None, list[tuple[str, str]]]:
    """The form's value of a text, and why it is refused."""
    try:
        return read_measured(column, text, units_of(column)[0]), []
    except ValueFormatError as error:
        return None, [(error.expected, text)]


def test_the_example_line_says_that_it_is_one() -> None:
    assert "EXAMPLE" in EXAMPLE
    assert template(HEART)[1][0] == EXAMPLE
