"""Which element of a FHIR Patient fills which column of a task; `person.toml` says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Literal


@dataclass(frozen=True)
class Element:
    """An element of Patient, what a person calls it, and the column that it fills.

    `values` leads from FHIR's codes of a gender to the column's values.
    """

    element: Literal["birthDate", "gender"]
    name: str
    task: str
    column: str
    values: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def every_element() -> tuple[Element, ...]:
    """All of them, in the file's order."""
    text = resources.files("fl.datasets").joinpath("person.toml").read_text(encoding="utf-8")
    return tuple(Element(**one) for one in tomllib.loads(text)["element"])


def elements_of(task: str) -> tuple[Element, ...]:
    """A task's elements."""
    return tuple(one for one in every_element() if one.task == task)
