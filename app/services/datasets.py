"""What the pages of data sets show: each task's hospitals, and what they publish of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.services.exports import csv_text
from fl.datasets import Partition, Table, Task, get_task, task_names
from fl.datasets.summary import LEAST, Cell, Distribution, Summary, summarise
from fl.errors import DatasetError

HIDDEN = f"<{LEAST}"
_HEADER = ("task", "hospital", "column", "unit", "class", "value", "patients")


@dataclass(frozen=True)
class Total:
    """A count over hospitals: what is published of it, and how many keep their part back."""

    known: int
    kept_back: int

    @classmethod
    def of(cls, parts: Sequence[Cell]) -> Total:
        """The total of what each hospital publishes."""
        known = [part for part in parts if part is not None]
        return cls(sum(known), len(parts) - len(known))


@dataclass(frozen=True)
class TaskData:
    """A task dealt by `partition`, and what its hospitals publish; `problem`: why they do not."""

    task: Task
    partition: Partition
    summaries: Sequence[Summary]
    problem: str = ""

    @property
    def rows(self) -> int:
        """All hospitals' patients."""
        return sum(summary.rows for summary in self.summaries)

    def classes(self) -> Mapping[str, Total]:
        """Patients by class."""
        return {name: self._class(name) for name in self.task.classes}

    def missing(self, position: int) -> Total:
        """Missing values of a column at all hospitals."""
        return Total.of([summary.distributions[position].missing for summary in self.summaries])

    def _class(self, name: str) -> Total:
        return Total.of([summary.classes[name] for summary in self.summaries])


def every_task() -> list[TaskData]:
    """All tasks, each as a training deals it by default."""
    return [task_data(get_task(name)) for name in task_names()]


def task_data(task: Task, partition: Partition | None = None) -> TaskData:
    """What a task's hospitals publish. A file that was altered, or a partition that the rows do
    not allow, is told in `problem`.
    """
    chosen = task.partition if partition is None else partition
    try:
        tables = task.load(chosen)
    except DatasetError as error:
        return TaskData(task, chosen, (), str(error))
    summaries = [summarise(task, name, table) for name, table in tables.items()]
    return TaskData(task, chosen, summaries)


def preview(task: Task, table: Table, rows: int) -> list[list[str]]:
    """The first rows as a person reads them, for a public data set only."""
    return [
        [
            *(_worded(task, at, float(value)) for at, value in enumerate(features)),
            task.classes[label],
        ]
        for features, label in zip(table.features[:rows], table.labels[:rows], strict=True)
    ]


def document(data: TaskData) -> dict[str, Any]:
    """The summaries as JSON: counts, or None where a hospital keeps them back."""
    return {
        "task": data.task.name,
        "suppressed_under": LEAST,
        "hospitals": [_hospital(summary) for summary in data.summaries],
    }


def as_csv(data: TaskData) -> str:
    """The summaries as lines of CSV, a count each; `<5` where a hospital keeps it back."""
    return csv_text(_HEADER, _lines(data))


def shown(cell: Cell) -> str:
    """A count as it is told."""
    return HIDDEN if cell is None else str(cell)


def _worded(task: Task, at: int, value: float) -> str:
    column = task.columns[at]
    if value != value:
        return "–"
    return f"{value:g}" if column.kind == "number" else column.categories[int(value)].label


def _hospital(summary: Summary) -> dict[str, Any]:
    return {
        "hospital": summary.hospital,
        "patients": summary.rows,
        "classes": dict(summary.classes),
        "columns": [_column(one) for one in summary.distributions],
    }


def _column(one: Distribution) -> dict[str, Any]:
    return {
        "column": one.column.name,
        "unit": one.column.unit,
        "missing": one.missing,
        "values": list(one.labels),
        "patients": {name: list(cells) for name, cells in one.counts.items()},
    }


def _lines(data: TaskData) -> Iterator[tuple[str, ...]]:
    for summary in data.summaries:
        place = (data.task.name, summary.hospital)
        yield (*place, "", "", "", "all", str(summary.rows))
        for name, cell in summary.classes.items():
            yield (*place, "", "", name, "all", shown(cell))
        for one in summary.distributions:
            about = (*place, one.column.name, one.column.unit)
            yield (*about, "", "missing", shown(one.missing))
            for name, cells in one.counts.items():
                for label, cell in zip(one.labels, cells, strict=True):
                    yield (*about, name, label, shown(cell))
