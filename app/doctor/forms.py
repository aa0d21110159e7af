"""A form for a patient's values, made from the columns of a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import ValidationError

from app.doctor.measures import MOST_DIGITS, Measure, read_measured
from app.doctor.words import bounds
from app.services.numbers import read_number
from app.services.record_entries import Figure
from app.web.number_field import about_comma
from fl.datasets import Task
from fl.datasets.asking import grouped, plausible_of
from fl.datasets.task import Column
from fl.datasets.units import Unit, asked_units, quantity_of
from fl.errors import ValueFormatError

UNKNOWN = "Not known"
# No column's name has a dash.
UNIT, SURE = "-unit", "-sure"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a field, or to be confirmed: `anchor` is the element to go to."""

    anchor: str
    label: str
    text: str


@dataclass(frozen=True)
class Section:
    """A group of a form's fields."""

    title: str
    measures: tuple[Measure, ...]


class ValuesForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Base of the forms that `values_form` makes; `task` says what is asked, `nothing` is what a
    form without a single value is refused with.
    """

    task: Task
    nothing = "Enter at least one value. Of nothing, the model can only tell its average."

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check every field; what is possible but not plausible needs its tick.

        A form without a single value is refused as a whole.
        """
        if not super().validate(extra_validators):
            return False
        if all(value is None for value in self.values().values()):
            self.form_errors.append(self.nothing)
            return False
        return not any(one.doubtful and not one.confirmed for one in self.measures())

    def measures(self) -> Iterator[Measure]:
        """Each column with its fields, in the order of the task."""
        for column in self.task.columns:
            name = field_name(column)
            yield Measure(
                column,
                self[name],
                self._fields.get(name + UNIT),
                self._fields.get(name + SURE),
                plausible_of(self.task, column),
            )

    def sections(self) -> list[Section]:
        """The same in groups, as they are asked."""
        by_name = {one.column.name: one for one in self.measures()}
        return [
            Section(group.title, tuple(by_name[column.name] for column in group.columns))
            for group in grouped(self.task)
        ]

    def values(self) -> dict[str, float | None]:
        """The stored value of each column, None where it is not known. Only of a valid form."""
        return {one.column.name: one.read() for one in self.measures()}

    def inputs(self) -> tuple[tuple[str, float], ...]:
        """The values that are known, by column, as the model reads them. Only of a valid form."""
        return tuple((name, value) for name, value in self.values().items() if value is not None)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each column's label and what was entered, as a person reads it. Only of a valid form."""
        return tuple((one.column.label, one.typed) for one in self.measures())

    def figures(self) -> tuple[Figure, ...]:
        """The numbers that were entered, in their columns' own units. Only of a valid form."""
        numbers = [(one.column, one.read()) for one in self.measures()]
        return tuple(
            Figure(column.name, column.label, value, column.unit)
            for column, value in numbers
            if column.kind == "number" and value is not None
        )

    def units(self) -> dict[str, str]:
        """The unit that was chosen, by what is measured (`fl.datasets.units.quantity_of`)."""
        choices = (one for one in self.measures() if one.unit_field is not None)
        return {quantity_of(one.column): one.unit.name for one in choices}

    def problems(self) -> list[Problem]:
        """What keeps the values from being used, in the order of the fields on the page."""
        return [one for part in self.sections() for m in part.measures for one in _problems(m)]

    def carried(self) -> list[tuple[str, str]]:
        """Name and value of each field that was filled in, to be sent again by another page."""
        sent = [f for one in self.measures() for f in (one.field, one.unit_field, one.sure) if f]
        return [(field.name, field.data) for field in sent if field.data]


def values_form(task: Task) -> type[ValuesForm]:
    """The form for a task's columns; see `field_name`."""
    fields: dict[str, Any] = {}
    for column in task.columns:
        name = field_name(column)
        fields[name] = _field(column)
        if len(units := asked_units(column)) > 1:
            choices = [SelectChoice(one.name, one.name) for one in units]
            fields[name + UNIT] = SelectField("Unit", choices=choices, default=units[0].name)
        if plausible_of(task, column) is not None:
            fields[name + SURE] = StringField("Sure")
    return type("TaskForm", (ValuesForm,), {"task": task} | fields)


def preferred(task: Task, units: Mapping[str, str]) -> dict[str, str]:
    """What an empty form begins with, where these units (see `ValuesForm.units`) are preferred."""
    found: dict[str, str] = {}
    for column in task.columns:
        names = [one.name for one in asked_units(column)]
        wanted = units.get(quantity_of(column), "") if len(names) > 1 else ""
        if wanted in names:
            found[field_name(column) + UNIT] = wanted
    return found


def field_name(column: Column) -> str:
    """A column's name; WTForms takes nothing that begins with an underline for a field."""
    return f"c{column.name}" if column.name.startswith("_") else column.name


def _field(column: Column) -> Any:
    if column.kind == "number":
        # Keyboards of phones for numbers have no minus.
        keys = {"inputmode": "decimal"} if column.low >= 0 else {}
        return StringField(
            column.label,
            [_check(column)],
            description=_range(column),
            render_kw=keys | {"autocomplete": "off", "maxlength": MOST_DIGITS},
        )
    options = [SelectChoice(one.value, _capital(one.label)) for one in column.categories]
    kind = RadioField if column.kind == "binary" else SelectField
    return kind(column.label, choices=[*options, SelectChoice("", UNKNOWN)], default="")


def _check(column: Column) -> Any:
    def check(form: ValuesForm, field: Field) -> None:
        measure = next(one for one in form.measures() if one.field is field)
        try:
            measure.read()
        except ValueFormatError as error:
            typed = field.data.strip()[:MOST_DIGITS]
            expected = bounds(column.low, column.high, measure.unit)
            raise ValidationError(
                f"Expected a number from {expected}, got “{typed}”."
                + (_about_number(field) or _about_unit(measure))
            ) from error

    return check


def _about_number(field: Field) -> str:
    """What to write instead of what is no number; "" for a number, which is out of range then."""
    try:
        read_number(field.data)
    except ValueError:
        return about_comma(field.raw_data)
    return ""


def _about_unit(measure: Measure) -> str:
    """Where the number would be possible in another unit, after a space that question; else ""."""
    return next(
        (
            f" In {unit.name} it would be possible: is the unit right?"
            for unit in measure.units
            if unit != measure.unit and _is_possible(measure, unit)
        ),
        "",
    )


def _is_possible(measure: Measure, unit: Unit) -> bool:
    try:
        return read_measured(measure.column, measure.field.data.strip(), unit) is not None
    except ValueFormatError:
        return False


def _problems(measure: Measure) -> Iterator[Problem]:
    label, field = measure.column.label, measure.field
    # A group of radio buttons has no element of its own; its first button has.
    anchor = f"{field.id}-0" if field.type == "RadioField" else field.id
    yield from (Problem(anchor, label, text) for text in field.errors)
    if measure.unit_field is not None and measure.unit_field.errors:
        yield Problem(measure.unit_field.id, label, "Choose one of the units.")
    if not field.errors and measure.sure is not None and measure.doubtful and not measure.confirmed:
        yield Problem(measure.sure.id, label, measure.question)


def _range(column: Column) -> str:
    return "; ".join(bounds(column.low, column.high, unit) for unit in asked_units(column))


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]
