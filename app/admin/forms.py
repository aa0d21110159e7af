"""The administrator's forms: decisions about people, a new training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    Field,
    FloatField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    NumberRange,
    StopValidation,
    ValidationError,
)

from app.services.requests import DEFAULT_SEED, TrainingRequest
from app.services.roles import WORDS
from fl.datasets import Task
from fl.datasets.partition import ALPHA_HIGH, ALPHA_LOW, FEWEST, MOST

# A sum of fewer updates would show a hospital the update of another (fl.plan.Plan).
LEAST_HOSPITALS = 3
MOST_ROUNDS = MOST_EPOCHS = 1000
MOST_SEED = 2**63 - 1
MOST_REASON = 500

_WHOLE = {"inputmode": "numeric", "autocomplete": "off"}
_REAL = {"inputmode": "decimal", "autocomplete": "off"}


class AuthoriseForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The role in which somebody may act from now on."""

    role = SelectField("Role", choices=[SelectChoice(role, word) for role, word in WORDS.items()])


class ReasonForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why somebody is refused or suspended; the person reads it."""

    reason = StringField(
        "Reason",
        [
            DataRequired("Give the reason: the person reads it."),
            Length(max=MOST_REASON, message=f"At most {MOST_REASON} characters."),
        ],
        description="The person reads it at the next sign-in.",
    )


class TrainingForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """What is common to the trainings of all tasks; `training_form` adds the hospitals."""

    task: Task

    def request(self) -> TrainingRequest:
        """What was asked for. Only of a valid form."""
        given = {name: field.data for name, field in self._fields.items() if name in _REQUESTED}
        if "hospitals" in given and not isinstance(given["hospitals"], int):
            given["hospitals"] = tuple(given["hospitals"])
        return TrainingRequest(task=self.task.name, **given)


_REQUESTED = {
    "hospitals", "partition", "alpha", "rounds", "local_epochs", "learning_rate", "seed",
}  # fmt: skip


def training_form(task: Task) -> type[TrainingForm]:
    """The form for a training of `task`, filled in with its defaults."""
    hospitals = _by_name(task) if task.hospitals else _by_number(task)
    return type("TrainingFormOfTask", (TrainingForm,), {"task": task} | hospitals | _course(task))


def _by_name(task: Task) -> dict[str, Any]:
    def enough(_: FlaskForm, field: SelectMultipleField) -> None:
        if len(field.data or ()) < LEAST_HOSPITALS:
            raise ValidationError(
                f"Choose at least {LEAST_HOSPITALS} hospitals: "
                "a sum of fewer would show one the update of another."
            )

    names = list(task.hospitals)
    choices = [SelectChoice(name) for name in names]
    return {"hospitals": SelectMultipleField("Hospitals", [enough], choices=choices, default=names)}


def _by_number(task: Task) -> dict[str, Any]:
    default = task.partition
    kinds = [SelectChoice("dirichlet", "Unevenly"), SelectChoice("iid", "Evenly")]
    return {
        "hospitals": _whole("Number of hospitals", FEWEST, MOST, default.hospitals),
        "partition": RadioField(
            "How patients are dealt to them",
            choices=kinds,
            default=default.kind,
            description="Unevenly: hospitals differ in size and in how many are ill.",
        ),
        "alpha": _real(
            "Evenness (alpha)",
            ALPHA_LOW,
            ALPHA_HIGH,
            default.alpha,
            "For uneven hospitals: the smaller, the more they differ.",
        ),
    }


def _course(task: Task) -> dict[str, Any]:
    defaults = task.defaults
    return {
        "rounds": _whole("Rounds", 1, MOST_ROUNDS, defaults.rounds),
        "local_epochs": _whole(
            "Local epochs",
            1,
            MOST_EPOCHS,
            defaults.local_epochs,
            "How often each hospital goes through its patients in a round.",
        ),
        "learning_rate": _real(
            "Learning rate", 0.00001, 1.0, defaults.learning_rate, "How far each step goes."
        ),
        "seed": _whole(
            "Seed", 0, MOST_SEED, DEFAULT_SEED, "The same seed gives the same training."
        ),
    }


def _whole(label: str, low: int, high: int, default: int, hint: str = "") -> IntegerField:
    bounds = f"{low} to {high}" if high < MOST_SEED else f"from {low}"
    text = f"Expected a whole number, {bounds}."
    return IntegerField(
        label,
        [InputRequired(text), _said_once(text), NumberRange(low, high, text)],
        default=default,
        description=hint or f"{bounds.capitalize()}.",
        render_kw=_WHOLE | {"type": "text"},
    )


def _real(label: str, low: float, high: float, default: float, hint: str) -> FloatField:
    text = f"Expected a number, {low:.5f}".rstrip("0") + f" to {high:g}."
    return FloatField(
        label,
        [InputRequired(text), _said_once(text), NumberRange(low, high, text)],
        default=default,
        description=hint,
        render_kw=_REAL | {"type": "text"},
    )


def _said_once(text: str) -> Callable[[FlaskForm, Field], None]:
    """A validator that puts our sentence in place of WTForms' own about what is no number."""

    def is_number(_: FlaskForm, field: Field) -> None:
        if field.data is None:
            field.errors.clear()
            raise StopValidation(text)

    return is_number
