"""A stored value, and the range of one, as a person reads it."""

from __future__ import annotations

import math

from fl.datasets import Column
from fl.datasets.typical import Typical
from fl.datasets.units import Unit

NOT_KNOWN = "not known"


def value_words(column: Column, value: float | None) -> str:
    """A number with its unit, or a category's label; what is missing is not known."""
    if value is None:
        return NOT_KNOWN
    if column.kind == "number":
        return unit_words(f"{value:g}", column.unit)
    return column.categories[int(value)].label


def unit_words(number: str, unit: str) -> str:
    """A number as text, with its unit where it has one."""
    return f"{number} {unit}".strip()


def bounds(low: float, high: float, unit: Unit) -> str:
    """A range that is given in a column's own unit, as words in `unit`: "1.6 to 18.1 mmol/l".

    In another unit than the column's the ends are rounded to a tenth, inwards: what lies within
    the words lies within the range.
    """
    if unit.factor != 1.0:
        low, high = math.ceil(low / unit.factor * 10) / 10, math.floor(high / unit.factor * 10) / 10
    words = f"{low:g} to {high:g}".replace("-", "\N{MINUS SIGN}")
    return unit_words(words, unit.name)


def typical_words(column: Column, typical: Typical, unit: Unit) -> str:
    """What a model takes for a missing value: a mean in `unit`, or how frequent each value is.

    Of a binary column the second value's share.
    """
    if column.kind == "number":
        return unit_words(f"{typical[0] / unit.factor:.3g}", unit.name)
    shares = list(zip(column.categories, typical, strict=True))
    told = shares[1:] if column.kind == "binary" else shares
    return ", ".join(f"{share * 100:.0f}\N{NO-BREAK SPACE}% {one.label}" for one, share in told)
