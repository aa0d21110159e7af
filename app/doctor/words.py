"""A stored value as a person reads it."""

from __future__ import annotations

from fl.datasets import Column

NOT_KNOWN = "not known"


def value_words(column: Column, value: float | None) -> str:
    """A number with its unit, or a category's label; what is missing is not known."""
    if value is None:
        return NOT_KNOWN
    if column.kind == "number":
        return f"{value:g} {column.unit}".strip()
    return column.categories[int(value)].label
