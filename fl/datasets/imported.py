"""Imported data: tasks and hospitals that came by CSV, in a folder of the installation.

::

    tasks/TASK.json              an imported task's description (`fl.datasets.description`)
    rows/TASK/HOSPITAL.csv       a hospital's rows: the task's columns by name, then `class`
    rows/TASK/HOSPITAL.json      where they are from (`Origin`); written last

The folder is read anew each time, since another process may have imported something meanwhile. Who
begins a process says once where it is (`use_folder`); without that there are the built-in tasks
only, as experiments want it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from fl.datasets.description import Description, read_description
from fl.datasets.table import Table
from fl.datasets.task import Column, Task
from fl.errors import ChecksumError, DatasetError, DescriptionError

CLASS = "class"
TASKS, ROWS = "tasks", "rows"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Origin:
    """Where a hospital's rows are from.

    `sha256` is that of the CSV beside it, `file` and `file_sha256` are those of what was uploaded;
    `source` and `licence` are as the importer wrote them; `at` is a time in UTC, ISO 8601.
    """

    hospital: str
    sha256: str
    rows: int
    refused: int
    file: str
    file_sha256: str
    source: str
    licence: str
    at: str

    def to_json(self) -> str:
        """The canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """The inverse of `to_json`. Raises DescriptionError."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise DescriptionError(f"expected the JSON of an origin: {error}") from error


class Catalogue:
    """What was imported into `folder`, as it is now, beside the `built_in` tasks."""

    def __init__(self, folder: Path, built_in: Sequence[str] = ()) -> None:
        self.folder = folder
        self.built_in = built_in

    def task_names(self) -> tuple[str, ...]:
        """The names of the imported tasks, in the alphabet's order; no damaged one's."""
        return tuple(name for name in self._names() if self._problem(name) is None)

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each description or origin that cannot be read as it was written.

        And for rows of an imported task whose description is gone.
        """
        tasks = [self._problem(name) for name in self._names()]
        origins = [
            f"{path.name} of {path.parent.name} does not say where its rows are from"
            for path in sorted((self.folder / ROWS).glob("*/*.json"))
            if _origin(path) is None
        ]
        known = {*self._names(), *self.built_in}
        strays = [
            f"there are rows of {path.name}, but no such task"
            for path in sorted((self.folder / ROWS).glob("*"))
            if path.name not in known
        ]
        return (*(problem for problem in tasks if problem is not None), *origins, *strays)

    def find(self, name: str) -> Description | None:
        """The description of an imported task, or None.

        Raises ChecksumError where its file is not the one that the name was made of.
        """
        if not _NAME.fullmatch(name):
            return None
        try:
            content = (self.folder / TASKS / f"{name}.json").read_bytes()
        except FileNotFoundError:
            return None
        text = content.decode("utf-8", errors="replace")
        found = read_description(text)
        if found.name != name:
            raise ChecksumError(f"the description of {name}", name.rsplit("-", 1)[1], found.name)
        return found

    def origins(self, task: str) -> tuple[Origin, ...]:
        """The hospitals whose rows were imported for a task, by name."""
        files = (self.folder / ROWS / task).glob("*.json") if _NAME.fullmatch(task) else ()
        found = [origin for path in files if (origin := _origin(path)) is not None]
        return tuple(sorted(found, key=lambda one: one.hospital))

    def table(self, task: Task, hospital: str, expected: str) -> Table:
        """The rows of an imported hospital, whose file has the SHA-256 `expected`.

        Raises ChecksumError where the file was altered, DatasetError where it is gone or holds
        something else than the task's columns.
        """
        path = self.folder / ROWS / task.name / f"{folder_name(hospital)}.csv"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise DatasetError(
                f"the rows of {hospital} for {task.name} are not here: they were removed"
            ) from None
        actual = sha256(content).hexdigest()
        if actual != expected:
            raise ChecksumError(f"the imported rows of {hospital}", expected, actual)
        return _table(content, task.columns, task.classes)

    def _names(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / TASKS).glob("*.json"))

    def _problem(self, name: str) -> str | None:
        try:
            self.find(name)
        except DatasetError as error:
            return str(error)
        return None


_catalogue: Catalogue | None = None


def use_folder(folder: Path) -> None:
    """Let `get_task` find what lies in this folder, in this process from now on."""
    global _catalogue  # noqa: PLW0603  # one a process, as the registry of built-in tasks is
    _catalogue = Catalogue(folder)


def catalogue() -> Catalogue | None:
    """The catalogue that `use_folder` named, or None."""
    return _catalogue


def folder_name(hospital: str) -> str:
    """The name of a hospital's files: lower case, with dashes."""
    return re.sub(r"[^a-z0-9]+", "-", hospital.lower()).strip("-")


def _origin(path: Path) -> Origin | None:
    """What an origin's file says, or None where it is damaged."""
    try:
        return Origin.from_json(path.read_text(encoding="utf-8"))
    except (DescriptionError, UnicodeDecodeError):
        return None


def written(task: Task, table: Table) -> bytes:
    """A hospital's rows as the CSV that `Catalogue.table` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(column.name for column in task.columns), CLASS])
    for features, label in zip(table.features.tolist(), table.labels.tolist(), strict=True):
        texts = (_text(column, value) for column, value in zip(task.columns, features, strict=True))
        writer.writerow([*texts, task.classes[label]])
    return out.getvalue().encode()


def _text(column: Column, value: float) -> str:
    if value != value:
        return ""
    return repr(value) if column.kind == "number" else column.categories[int(value)].value


# A page and a training read the same file again and again.
@lru_cache(maxsize=8)
def _table(content: bytes, columns: tuple[Column, ...], classes: tuple[str, ...]) -> Table:
    lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    header = next(lines, [])
    if header != [*(column.name for column in columns), CLASS]:
        raise DatasetError(f"expected the task's columns in imported rows, got {header}")
    rows = [line for line in lines if line]
    features = np.array([_values(columns, row) for row in rows], dtype=np.float64)
    labels = np.array([classes.index(row[-1]) for row in rows], dtype=np.int64)
    return Table(features.reshape(len(rows), len(columns)), labels)


def _values(columns: Sequence[Column], row: Sequence[str]) -> list[float]:
    return [column.parse(text) for column, text in zip(columns, row, strict=False)]
