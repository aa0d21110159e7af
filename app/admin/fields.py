"""Fields for numbers, with what may be entered in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask_wtf import FlaskForm
from wtforms import Field, IntegerField
from wtforms.validators import InputRequired, NumberRange, Optional, StopValidation

from app.web.number_field import RealField, about_comma

# The largest whole number that a database keeps, which no hint needs to name.
MOST = 2**63 - 1

_WHOLE = {"inputmode": "numeric", "autocomplete": "off"}
_REAL = {"inputmode": "decimal", "autocomplete": "off"}


def whole(
    label: str,
    low: int,
    high: int,
    default: int | None,
    hint: str = "",
    also: Sequence[Callable[[FlaskForm, IntegerField], None]] = (),
) -> IntegerField:
    """A field for a whole number from `low` to `high`; without a default it may stay empty.

    `also` are validators that run on a number within the bounds.
    """
    bounds = f"{low} to {high}" if high < MOST else f"from {low}"
    text = f"Expected a whole number, {bounds}."
    whole_range = f"Expected a whole number, {low} to {high}."
    return IntegerField(
        label,
        [_needed(default, text), _said_once(text), NumberRange(low, high, whole_range), *also],
        default=default,
        description=hint or f"{bounds.capitalize()}.",
        render_kw=_WHOLE | {"type": "text"},
    )


def real(label: str, low: float, high: float, default: float | None, hint: str) -> RealField:
    """A field for a number from `low` to `high`; without a default it may stay empty."""
    text = f"Expected a number, {low:.5f}".rstrip("0").rstrip(".") + f" to {high:g}."
    return RealField(
        label,
        [_needed(default, text), _said_once(text), NumberRange(low, high, text)],
        default=default,
        description=hint,
        render_kw=_REAL | {"type": "text"},
    )


def _needed(default: float | None, text: str) -> InputRequired | Optional:
    """What has no default may be left empty, and is then not asked for."""
    return Optional() if default is None else InputRequired(text)


def _said_once(text: str) -> Callable[[FlaskForm, Field], None]:
    """A validator that puts our sentence in place of WTForms' own about what is no number."""

    def is_number(_: FlaskForm, field: Field) -> None:
        if field.data is None:
            field.errors.clear()
            raise StopValidation(text + about_comma(field.raw_data))

    return is_number
