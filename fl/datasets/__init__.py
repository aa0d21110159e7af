"""Tasks: which patients, which columns, which hospitals.

``get_task`` finds a task by name. A new built-in data set is a new module with a ``TASK`` and a
line in the registry below; what was imported lies in the folder that ``use_folder`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from fl.datasets import diabetes, heart
from fl.datasets.description import Description, read_description
from fl.datasets.encoding import INPUT_BOUND, encode
from fl.datasets.imported import catalogue, use_folder
from fl.datasets.partition import Partition
from fl.datasets.split import Split, SplitRule, split
from fl.datasets.statistics import Statistics, local_sums, sums_length
from fl.datasets.table import Table
from fl.datasets.task import Category, Column, Defaults, Task
from fl.errors import DatasetError, DescriptionError, UnknownTaskError

__all__ = [
    "BUILT_IN",
    "INPUT_BOUND",
    "Category",
    "Column",
    "Defaults",
    "Partition",
    "Split",
    "SplitRule",
    "Statistics",
    "Table",
    "Task",
    "described",
    "encode",
    "get_task",
    "local_sums",
    "split",
    "sums_length",
    "task_names",
    "task_of",
    "use_folder",
]

_TASKS = {task.name: task for task in (heart.TASK, diabetes.TASK)}
BUILT_IN = tuple(_TASKS)


# What a training of an imported task uses when nothing else is asked for.
_DEFAULTS = Defaults(
    rounds=10,
    local_epochs=3,
    batch_size=32,
    learning_rate=1e-2,
    norm_bound=1.5,
    class_weighted=True,
)


def task_names() -> tuple[str, ...]:
    """Return the names that ``get_task`` knows: the built-in tasks, then the imported ones."""
    found = catalogue()
    return (*BUILT_IN, *(found.task_names() if found else ()))


def get_task(name: str) -> Task:
    """Return the task called ``name`` with all its hospitals, imported ones included.

    Raises UnknownTaskError, which lists the names, and ChecksumError for an imported task whose
    description was altered.
    """
    found = catalogue()
    if name in _TASKS:
        task = _TASKS[name]
    else:
        description = found.find(name) if found else None
        if description is None:
            raise UnknownTaskError(name, task_names())
        task = described(description)
    origins = found.origins(name) if found else ()
    return _joined(task, tuple((one.hospital, one.sha256) for one in origins))


def task_of(name: str, partition: Partition) -> Task:
    """Return the task that a plan names: an imported one is what its partition describes.

    It needs no file of the task's until rows are loaded. Raises UnknownTaskError, and
    DescriptionError where the description is another task's.
    """
    if not partition.description:
        return get_task(name)
    description = read_description(partition.description)
    if description.name != name:
        raise DescriptionError(f"expected the description of {name}, got {description.name}'s")
    return _joined(described(description), partition.sources)


def described(description: Description) -> Task:
    """Return the imported task of a description, without its hospitals."""
    return Task(
        name=description.name,
        title=description.title,
        columns=description.columns,
        classes=description.classes,
        defaults=_DEFAULTS,
        partition=Partition("natural", hospitals=0, description=description.text),
        loader=lambda _: {},
    )


def _joined(task: Task, sources: tuple[tuple[str, str], ...]) -> Task:
    """The task with hospitals whose rows were imported, beside those that it has."""
    names = tuple(name for name, _ in sources)
    natural = task.partition.kind == "natural"
    return replace(
        task,
        partition=replace(task.partition, sources=sources),
        loader=partial(_load, task),
        hospitals=(*task.hospitals, *names) if natural else (),
    )


def _load(task: Task, partition: Partition) -> Mapping[str, Table]:
    """The task's own hospitals' tables, then those of the partition's imported ones."""
    tables = dict(task.loader(partition))
    found = catalogue()
    for hospital, sha256 in partition.sources:
        if found is None:
            raise DatasetError(f"the rows of {hospital} were imported; no folder of imports is set")
        tables[hospital] = found.table(task, hospital, sha256)
    return tables
