"""What an experiment hands back: tables of text, a document of plain values, a figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Grid:
    """A table of text: a heading, columns, rows, and sentences below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """An experiment's result. `draw` writes the figure to a file, its kind by the suffix."""

    name: str
    title: str
    grids: tuple[Grid, ...]
    document: dict[str, Any]
    draw: Callable[[Path], None]
