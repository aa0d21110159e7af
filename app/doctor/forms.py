"""A form for a patient's values, made from the columns of a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import ValidationError

from app.doctor.words import value_words
from fl.datasets import Task
from fl.datasets.task import Column
from fl.errors import ValueFormatError

UNKNOWN = "Not known"
# Longer than any number that lies in a column's range; what is longer is no measurement.
MOST_DIGITS = 20


class ValuesForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Base of the forms that `values_form` makes; `task` says what is asked."""

    task: Task

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check every field; a form without a single value is refused as a whole."""
        valid = bool(super().validate(extra_validators))
        if valid and all(value is None for value in self.values().values()):
            self.form_errors.append(
                "Enter at least one value. Of nothing, the model can only tell its average."
            )
            return False
        return valid

    def measures(self) -> Iterator[tuple[Column, Field]]:
        """Each column with its field, in the order of the task."""
        for column in self.task.columns:
            yield column, self[column.name]

    def values(self) -> dict[str, float | None]:
        """The stored value of each column, None where it is not known. Only of a valid form."""
        found: dict[str, float | None] = {}
        for column, field in self.measures():
            value = column.parse(_plain(field.data))
            found[column.name] = None if value != value else value
        return found

    def shown(self) -> list[tuple[str, str]]:
        """Label and value of each column as a person reads them. Only of a valid form."""
        values = self.values()
        return [
            (column.label, value_words(column, values[column.name])) for column in self.task.columns
        ]


def values_form(task: Task) -> type[ValuesForm]:
    """The form for a task's columns: its fields are named as the columns are."""
    fields: dict[str, Any] = {column.name: _field(column) for column in task.columns}
    return type(f"{task.name.capitalize()}Form", (ValuesForm,), {"task": task} | fields)


def _field(column: Column) -> Any:
    if column.kind == "number":
        return StringField(
            column.label,
            [_check(column)],
            description=_range(column),
            render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": MOST_DIGITS},
        )
    options = [SelectChoice(one.value, _capital(one.label)) for one in column.categories]
    kind = RadioField if column.kind == "binary" else SelectField
    return kind(column.label, choices=[*options, SelectChoice("", UNKNOWN)], default="")


def _check(column: Column) -> Any:
    def check(_: FlaskForm, field: Field) -> None:
        try:
            column.parse(_plain(field.data))
        except ValueFormatError as error:
            unit = f" {column.unit}" if column.unit else ""
            bounds = f"{_bounds(column)}{unit}"
            raise ValidationError(
                f"Expected a number from {bounds}, got “{field.data.strip()[:MOST_DIGITS]}”."
            ) from error

    return check


def _plain(text: str | None) -> str:
    """What was typed, with a decimal point where somebody writes a comma."""
    return (text or "").strip().replace(",", ".").replace("\N{MINUS SIGN}", "-")


def _range(column: Column) -> str:
    text = _bounds(column)
    return f"{text}; 0 means not known" if column.zero_is_missing else text


def _bounds(column: Column) -> str:
    return f"{column.low:g} to {column.high:g}".replace("-", "\N{MINUS SIGN}")


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]
