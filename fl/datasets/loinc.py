"""Which LOINC code of an observation is which column of a task; `loinc.toml` says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

SYSTEM = "http://loinc.org"


@dataclass(frozen=True)
class Code:
    """A code, what LOINC calls it, and the column; `units` leads from a UCUM code to a unit's name.

    `source` is LOINC's page of the code, `read` the page on which it was read.
    """

    loinc: str
    name: str
    task: str
    column: str
    units: Mapping[str, str]
    source: str
    read: str


@lru_cache(maxsize=1)
def every_code() -> tuple[Code, ...]:
    """All codes, in the file's order."""
    text = resources.files("fl.datasets").joinpath("loinc.toml").read_text(encoding="utf-8")
    return tuple(Code(**one) for one in tomllib.loads(text)["code"])


def codes_of(task: str) -> dict[str, Code]:
    """A task's codes, by their number."""
    return {one.loinc: one for one in every_code() if one.task == task}
