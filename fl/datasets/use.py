"""What a task's models are for, and whom they know nothing of: text that people wrote and reviewed.

`TASK.toml` beside a built-in task's module holds it; of an imported task nobody wrote any.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from fl.errors import DescriptionError

_LISTS = (
    "intended_use",
    "out_of_scope",
    "countries",
    "represented",
    "not_represented",
    "limits",
    "sources",
)
_TEXTS = ("revised", "collected", "outcome")


@dataclass(frozen=True)
class Use:
    """The statement of a task, in sentences; `revised` is a day, ISO 8601.

    `collected` says where and when the rows are from, `outcome` what the last class means.
    """

    revised: str
    intended_use: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    collected: str
    countries: tuple[str, ...]
    outcome: str
    represented: tuple[str, ...]
    not_represented: tuple[str, ...]
    limits: tuple[str, ...]
    sources: tuple[str, ...]


def read_use(text: str) -> Use:
    """Read a statement in TOML. Raises DescriptionError for anything else."""
    try:
        fields: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"expected a statement of use in TOML: {error}") from error
    if set(fields) != {*_LISTS, *_TEXTS}:
        raise DescriptionError(f"expected {', '.join((*_TEXTS, *_LISTS))}; got {', '.join(fields)}")
    for name in _LISTS:
        if (
            not isinstance(fields[name], list)
            or not fields[name]
            or not all(map(_said, fields[name]))
        ):
            raise DescriptionError(f"expected sentences in {name}")
    for name in _TEXTS:
        if not _said(fields[name]):
            raise DescriptionError(f"expected a text in {name}")
    given: dict[str, Any] = {**fields, **{name: tuple(fields[name]) for name in _LISTS}}
    return Use(**given)


@lru_cache(maxsize=16)
def find_use(task: str) -> Use | None:
    """The statement of a built-in task, or None. Raises DescriptionError where it is damaged."""
    if not task.isalpha():
        return None  # Names of imported tasks have a dash; none leads out of this folder.
    try:
        text = resources.files("fl.datasets").joinpath(f"{task}.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return read_use(text)


def _said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
