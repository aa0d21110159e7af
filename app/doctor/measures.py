"""One value that a doctor is asked for: what was typed, in which unit, and whether it is sure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wtforms import Field

from app.doctor.words import bounds, unit_words, value_words
from app.services.numbers import read_number
from fl.datasets import Column
from fl.datasets.task import Plausible
from fl.datasets.units import Unit, asked_units
from fl.errors import ValueFormatError

# Longer than any number that lies in a column's range; what is longer is no measurement.
MOST_DIGITS = 20


@dataclass(frozen=True)
class Measure:
    """A column with its fields of a form: the value, the unit where there is a choice, the tick.

    `sure` is sent with the number that it was ticked for, so that it stands for no other one.
    """

    column: Column
    field: Field
    unit_field: Field | None = None
    sure: Field | None = None
    plausible: Plausible | None = None

    @property
    def units(self) -> tuple[Unit, ...]:
        """What the unit may be, the column's own first."""
        return asked_units(self.column)

    @property
    def unit(self) -> Unit:
        """The unit in which the value was typed."""
        chosen = self.unit_field.data if self.unit_field is not None else None
        return next((one for one in self.units if one.name == chosen), self.units[0])

    def read(self) -> float | None:
        """The stored value, in the column's unit; None where it is not known.

        Raises ValueFormatError for what is no value, or no possible one.
        """
        text = (self.field.data or "").strip()
        if self.column.kind != "number":
            value = self.column.parse(text)
            return None if math.isnan(value) else value
        return read_measured(self.column, text, self.unit)

    @property
    def doubtful(self) -> str | None:
        """The value, as its tick is sent, where it is possible but not plausible."""
        if self.plausible is None:
            return None
        try:
            value = self.read()
        except ValueFormatError:
            return None
        return None if value is None or value in self.plausible else f"{value:g}"

    @property
    def confirmed(self) -> bool:
        """Whether the tick is there for this very value."""
        return self.sure is not None and self.sure.data == self.doubtful is not None

    @property
    def typed(self) -> str:
        """What was typed, with its unit, as a person reads it. Only of a value that can be read."""
        value = self.read()
        if self.column.kind != "number" or value is None:
            return value_words(self.column, value)
        return unit_words(f"{read_number(self.field.data):g}", self.unit.name)

    @property
    def got(self) -> str | None:
        """What the model gets instead of what was typed, where that is in another unit."""
        value = None if self.unit == self.units[0] else self.read()
        return None if value is None else value_words(self.column, value)

    @property
    def empty_words(self) -> str:
        """How the value is left out, as a person reads it."""
        if self.column.kind != "number":
            return "not known"
        return "empty or 0" if self.column.zero_is_missing else "empty"

    @property
    def question(self) -> str:
        """What is asked of a doubtful value; "" of any other."""
        if self.plausible is None or not self.doubtful:
            return ""
        usual = bounds(self.plausible.low, self.plausible.high, self.unit)
        return f"Is {self.typed} right? Of 100 published patients, 99 have {usual}."


def read_measured(column: Column, text: str, unit: Unit) -> float | None:
    """The number that `text` says in `unit`, in the column's unit; None where it is not known.

    Raises ValueFormatError for what is no number, or lies outside the possible range.
    """
    if not text:
        return None
    try:
        value = unit.convert(read_number(text))
    except ValueError:
        raise ValueFormatError(column.name, "a number", text) from None
    if column.zero_is_missing and value == 0:
        return None
    if not column.low <= value <= column.high:
        raise ValueFormatError(column.name, bounds(column.low, column.high, unit), text)
    return value
