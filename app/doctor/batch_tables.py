"""A finished batch as a table, for the page and as a file; and its refused rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.doctor.reading import Reading
from app.services.batch_sealing import Row, RowAnswer, Wrong
from app.services.batches import Answered
from app.services.tables import Column, Table
from fl.datasets import Task

PAGE: Final = 50
# By what a table is sorted, and how the choice is called.
ORDERS: Final = {"row": "As in the file", "risk": "Highest risk first"}
LEFT_OUT: Final = "Left out: unusual values were not confirmed"


@dataclass(frozen=True)
class Line:
    """A row with its answer as it is told; `reading` is None for one that was left out."""

    row: Row
    reading: Reading | None
    answer: RowAnswer | None

    @property
    def name(self) -> str:
        """The doctor's reference, or the line of the file."""
        return self.row.reference or f"line {self.row.line}"


@dataclass(frozen=True)
class View:
    """Which part of the lines is shown: `order` of ORDERS, `page` from 1."""

    order: str = "row"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        """What an address asks for; what makes no sense in it is left out."""
        order, page = query.get("order", ""), query.get("page", "")
        number = int(page) if page.isdecimal() and 0 < int(page) < 10**6 else 1
        return cls(order if order in ORDERS else "row", number)

    def at(self, page: int) -> dict[str, str]:
        """The address's query of another page."""
        there = replace(self, page=page)
        return {"order": there.order, "page": str(there.page)}


@dataclass(frozen=True)
class LinesPage:
    """The lines of one page of `pages`."""

    lines: Sequence[Line]
    number: int
    pages: int


def lines_of(task: Task, answered: Answered) -> list[Line]:
    """Every row as it is told, in the order of the file."""
    return [Line(row, _reading(task, answer), answer) for row, answer in answered.rows]


def page_of(lines: Sequence[Line], view: View) -> LinesPage:
    """The page that is asked for, or the last one."""
    found = list(lines)
    if view.order == "risk":
        found.sort(key=lambda one: -1.0 if one.answer is None else one.answer.risk, reverse=True)
    pages = max(1, -(-len(found) // PAGE))
    number = min(view.page, pages)
    return LinesPage(found[(number - 1) * PAGE : number * PAGE], number, pages)


def results(task: Task, answered: Answered) -> Table:
    """The answers as a file has them."""
    return Table(
        f"{task.name}-predictions",
        f"{task.title}: predictions",
        f"The probability of {task.classes[-1]}, by {answered.version}. It supports teaching and "
        "research; it is no diagnosis.",
        (
            Column("line", "Line of the file", "number"),
            Column("reference", "Reference"),
            Column("probability", f"Probability of {task.classes[-1]}", "figure"),
            Column("band", "Risk band"),
            Column("interval_low", "95 % interval, from", "figure"),
            Column("interval_high", "95 % interval, to", "figure"),
            Column("warnings", "Warnings"),
            Column("model", "Model"),
            Column("model_sha256", "SHA-256 of the model", "hash"),
        ),
        tuple(_result(one, answered) for one in lines_of(task, answered)),
    )


def refused(task: Task, wrong: Sequence[Wrong]) -> Table:
    """What is wrong with the rows that were not taken, a line for each problem."""
    return Table(
        f"{task.name}-problems",
        "Rows with problems",
        "What was expected, and what came instead.",
        (
            Column("line", "Line of the file", "number"),
            Column("reference", "Reference"),
            Column("column", "Column"),
            Column("expected", "Expected"),
            Column("came", "Got"),
        ),
        tuple((one.line, one.reference, one.column, one.expected, one.came) for one in wrong),
    )


def _reading(task: Task, answer: RowAnswer | None) -> Reading | None:
    if answer is None:
        return None
    return Reading(task, (1 - answer.risk, answer.risk), answer.interval)


def _result(line: Line, answered: Answered) -> tuple[object, ...]:
    row, model = line.row, (answered.version, answered.model_sha256)
    if line.answer is None or line.reading is None:
        why = f"{LEFT_OUT}: {' '.join(row.doubts)}"
        return row.line, row.reference, None, "left out", None, None, why, *model
    low, high = line.answer.interval or (None, None)
    return (
        row.line,
        row.reference,
        _rounded(line.answer.risk),
        line.reading.words,
        _rounded(low),
        _rounded(high),
        " ".join(line.answer.warnings),
        *model,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
