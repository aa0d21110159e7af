"""A patient's vitals, and a model's answers, over time: from the entries of an open record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.services.open_records import Record
from app.services.record_entries import Answer, Figure, Vitals
from fl.datasets import get_task, task_names
from fl.datasets.asking import plausible_of

# What is counted in these, or in nothing, is no course: ages, pregnancies, scores.
_NO_COURSE: Final = ("", "years", "months")
_PERCENT: Final = 100.0


@dataclass(frozen=True)
class Point:
    """A number of one moment (UTC), what it is of, and who entered it."""

    at: datetime
    value: float
    origin: str
    by: str


@dataclass(frozen=True)
class Course:
    """Numbers of one kind over time, the oldest first.

    `typical` is what 99 of 100 published patients have, from and to, in `unit`; None where nothing
    is published. `whole` is the whole of a share.
    """

    name: str
    title: str
    unit: str
    points: tuple[Point, ...]
    typical: tuple[float, float] | None = None
    whole: float | None = None
    about: str = ""

    @property
    def caption(self) -> str:
        """What is drawn: of how many numbers, in which unit, beside what."""
        many = len(self.points)
        told = f"{self.title} in {self.unit}, {many} value{'s' if many > 1 else ''} (n = {many})."
        if self.typical is not None:
            low, high = self.typical
            told += f" The band is what 99 of 100 published patients have: {low:g} to {high:g}."
        return f"{told} {self.about}".strip()

    def outside(self, point: Point) -> bool:
        """Whether a number lies outside of the band."""
        return self.typical is not None and not (self.typical[0] <= point.value <= self.typical[1])

    def to_json(self) -> dict[str, Any]:
        """As static/js/courses.js draws it; moments as ISO 8601."""
        return {
            "name": self.name,
            "unit": self.unit,
            "across": "date",
            "labels": [one.at.isoformat() for one in self.points],
            "series": [{"name": self.title, "values": [one.value for one in self.points]}],
            "typical": self.typical,
            "whole": self.whole,
        }


def courses(record: Record) -> list[Course]:
    """The record's risks by task, then its vitals; each number in its column's own unit."""
    return [*_risks(record), *_vitals(record)]


def _risks(record: Record) -> Iterator[Course]:
    told = [one for one in record.answers if one.answer.risk is not None]
    for task in dict.fromkeys(one.answer.task for one in reversed(told)):
        own = [one for one in told if one.answer.task == task]
        points = [
            Point(
                _moment(one.answer.at),
                round(_PERCENT * (one.answer.risk or 0.0), 1),
                one.answer.version.split(" (")[0],
                one.by,
            )
            for one in own
        ]
        yield Course(
            f"risk-{task}",
            f"Risk, {own[0].answer.title.lower()}",
            "%",
            _sorted(points),
            whole=_PERCENT,
            about="Answers of different models cannot be compared like measurements.",
        )


def _vitals(record: Record) -> list[Course]:
    found: dict[tuple[str, str], tuple[str, Figure, list[Point]]] = {}
    entries: list[tuple[Answer | Vitals, str]] = [(one.answer, one.by) for one in record.answers]
    entries += [(one.entry, one.by) for one in record.vitals]
    for entry, by in entries:
        for figure in entry.figures:
            if figure.unit not in _NO_COURSE:
                kind = (figure.label, figure.unit)
                _, _, points = found.setdefault(kind, (entry.task, figure, []))
                origin = "with an answer" if isinstance(entry, Answer) else "vitals"
                points.append(Point(_moment(entry.at), figure.value, origin, by))
    return [
        Course(
            f"vital-{number}",
            figure.label,
            figure.unit,
            _sorted(points),
            _typical(task, figure),
        )
        for number, (task, figure, points) in enumerate(
            sorted(found.values(), key=lambda one: one[1].label.casefold()), start=1
        )
    ]


def _sorted(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda one: one.at))


def _typical(task: str, figure: Figure) -> tuple[float, float] | None:
    """What is typical of the column, as the task has it now; None where it is gone or changed."""
    if task not in task_names():
        return None
    chosen = get_task(task)
    column = next((one for one in chosen.columns if one.name == figure.column), None)
    if column is None or column.unit != figure.unit:
        return None
    found = plausible_of(chosen, column)
    return None if found is None else (found.low, found.high)


def _moment(at: str) -> datetime:
    """A day or moment in UTC; of a day, its beginning."""
    found = datetime.fromisoformat(at)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
