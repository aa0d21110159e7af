"""Tasks: which patients, which columns, which hospitals.

``get_task`` finds a task by name. A new data set is a new module with a ``TASK`` and a line in the
registry below.
"""

from __future__ import annotations

from fl.datasets import diabetes, heart
from fl.datasets.encoding import INPUT_BOUND, encode
from fl.datasets.partition import Partition
from fl.datasets.split import Split, SplitRule, split
from fl.datasets.statistics import Statistics, local_sums, sums_length
from fl.datasets.table import Table
from fl.datasets.task import Category, Column, Defaults, Task
from fl.errors import UnknownTaskError

__all__ = [
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
    "encode",
    "get_task",
    "local_sums",
    "split",
    "sums_length",
    "task_names",
]

_TASKS = {task.name: task for task in (heart.TASK, diabetes.TASK)}


def task_names() -> tuple[str, ...]:
    """Return the names that ``get_task`` knows, in a fixed order."""
    return tuple(_TASKS)


def get_task(name: str) -> Task:
    """Return the task called ``name``. Raises UnknownTaskError, which lists the names."""
    try:
        return _TASKS[name]
    except KeyError:
        raise UnknownTaskError(name, _TASKS) from None
