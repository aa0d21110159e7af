"""In which order, and under which titles, a person is asked for a task's columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fl.datasets.task import Column, Plausible, Task

_OTHER = "Other values"
# By label or unit, the first that fits; only for tasks that do not say their groups themselves.
_TITLES = (
    ("Person", re.compile(r"\b(age|sex|gender|pregnan\w*|smok\w*|family)\b")),
    ("Blood pressure and pulse", re.compile(r"\b(pressure|pulse|heart rate|mmhg|kpa|bpm)\b")),
    ("Body", re.compile(r"\b(weight|height|waist|bmi|body mass index|kg|lb|kg/m²)(?!\w)")),
    (
        "Blood",
        re.compile(
            r"\b(blood|serum|glucose|cholesterol|insulin|ha?emoglobin|creatinine)\b|/(dl|l|ml)$"
        ),
    ),
)


@dataclass(frozen=True)
class Asked:
    """A title, and the columns that are asked for under it."""

    title: str
    columns: tuple[Column, ...]


def grouped(task: Task) -> tuple[Asked, ...]:
    """A task's columns in groups: as the task says, or else by their labels and units.

    Each column is in one group.
    """
    if task.groups:
        by_name = {column.name: column for column in task.columns}
        return tuple(
            Asked(group.title, tuple(by_name[name] for name in group.columns))
            for group in task.groups
        )
    titles = [_title(column) for column in task.columns]
    if set(titles) == {_OTHER}:
        return (Asked("Values", task.columns),)
    order = [title for title, _ in _TITLES] + [_OTHER]
    return tuple(
        Asked(title, tuple(c for c, own in zip(task.columns, titles, strict=True) if own == title))
        for title in order
        if title in titles
    )


def plausible_of(task: Task, column: Column) -> Plausible | None:
    """What of a column need not be asked about again; None where nothing is published."""
    return next((one for one in task.plausible if one.column == column.name), None)


def _title(column: Column) -> str:
    said = f"{column.label} {column.unit}".casefold()
    return next((title for title, words in _TITLES if words.search(said)), _OTHER)
