"""The form of a new training, from a task's defaults or from what was asked for before."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import ValidationError

from app.admin.fields import MOST as MOST_SEED
from app.admin.fields import real, whole
from app.services.requests import DEFAULT_SEED, TrainingRequest
from app.services.simulation import FEWEST_HONEST
from fl.attacks import ATTACKS
from fl.datasets import SplitRule, Task
from fl.datasets.partition import ALPHA_HIGH, ALPHA_LOW, FEWEST, MOST
from fl.plan import Review

# A sum of fewer updates would show a hospital the update of another (fl.plan.Plan).
LEAST_HOSPITALS = 3
MOST_ROUNDS = MOST_EPOCHS = 1000
# The smallest with which a thousand rounds still have a learning rate that a float64 can hold.
SMALLEST_DECAY = 0.5
MOST_DONATED = 256
# The verification rule by its fraction (fl.verdict.Rule), in words.
USUAL_FRACTION = "1/2"
FRACTIONS = {
    "1/4": "A quarter of the lead: lenient, for hospitals that differ much",
    USUAL_FRACTION: "Half of the lead: the usual rule",
    "3/4": "Three quarters of the lead: strict",
    "1/1": "The whole lead: as good as the reference",
}


class TrainingForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """What is common to the trainings of all tasks; `training_form` adds the hospitals."""

    task: Task

    def request(self) -> TrainingRequest:
        """What was asked for. Only of a valid form."""
        given = {name: field.data for name, field in self._fields.items() if name in _REQUESTED}
        for name in ("hospitals", "joining"):
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        given |= self._attacks()
        for name in _PERCENT:
            if given[name] is not None:
                given[name] = round(given[name] / 100, 6)
        return TrainingRequest(task=self.task.name, **given)

    def _attacks(self) -> dict[str, Any]:
        """What the rows of attacks ask for; several are kept with their numbers."""
        rows = [(self[kind].data, self[number].data or 1) for kind, number in ATTACK_ROWS]
        chosen = [row for row in rows if row[0]]
        if len(chosen) > 1:
            return {"attack": None, "attackers": None, "attacks": tuple(chosen)}
        attack, attackers = chosen[0] if chosen else (None, None)
        return {"attack": attack, "attackers": attackers}


def values_of(request: TrainingRequest) -> dict[str, Any]:
    """What the form is filled in with, to ask for the same once more; defaults are left out.

    Of attackers only the number is kept: which they are is drawn by the seed.
    """
    values = {name: getattr(request, name) for name in _REQUESTED}
    for row, (attack, number) in zip(ATTACK_ROWS, request.attacks or (), strict=False):
        values |= dict(zip(row, (attack, number), strict=True))
    if isinstance(values["attackers"], tuple):
        values["attackers"] = len(values["attackers"])
    for name in _PERCENT:
        if values[name] is not None:
            values[name] = round(100 * values[name], 4)
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: object) -> object:
    """Whole numbers without a decimal point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_REQUESTED = {
    "hospitals", "partition", "alpha", "rounds", "local_epochs", "learning_rate", "decay", "seed",
    "share", "stop_accuracy", "patience", "review", "fraction", "donated_rows", "attack",
    "attackers", "joining",
}  # fmt: skip
# The fields of each kind of attack and of its number.
ATTACK_ROWS = (
    ("attack", "attackers"),
    ("attack_2", "attackers_2"),
    ("attack_3", "attackers_3"),
    ("attack_4", "attackers_4"),
)
# What the form asks for in percent is a share everywhere else.
_PERCENT = ("share", "stop_accuracy")


def training_form(
    task: Task, reviewable: bool = True, fraction: str | None = None
) -> type[TrainingForm]:
    """The form for a training of `task`, filled in with its defaults.

    `reviewable`: whether the installation's nodes can test updates; `fraction`: one that can be
    chosen beside the usual ones.
    """
    fraction = fraction or USUAL_FRACTION
    fields = {"task": task}
    fields |= _by_name(task) if task.hospitals else _by_number(task)
    fields |= _course(task) | _review(task, reviewable, fraction) | _attack()
    return type("TrainingFormOfTask", (TrainingForm,), fields)


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
    return _joining(task) | {
        "hospitals": whole("Number of hospitals", FEWEST, MOST, default.hospitals),
        "partition": RadioField(
            "How patients are dealt to them",
            choices=kinds,
            default=default.kind,
            description="Unevenly: hospitals differ in size and in how many are ill.",
        ),
        "alpha": real(
            "Evenness (alpha)",
            ALPHA_LOW,
            ALPHA_HIGH,
            default.alpha,
            "For uneven hospitals: the smaller, the more they differ.",
        ),
    }


def _joining(task: Task) -> dict[str, Any]:
    """Imported hospitals, where there are any: they have rows of their own."""
    if not task.joined:
        return {}
    names = list(task.joined)
    return {
        "joining": SelectMultipleField(
            "Imported hospitals that take part",
            choices=[SelectChoice(name) for name in names],
            default=names,
            description="Beside those that the patients are dealt to.",
        )
    }


def _course(task: Task) -> dict[str, Any]:
    defaults = task.defaults
    return {
        "rounds": whole(
            "Rounds",
            1,
            MOST_ROUNDS,
            defaults.rounds,
            f"1 to {MOST_ROUNDS}; at most {Review().slice_rounds} where updates are tested.",
            also=[_slices_serve],
        ),
        "share": real(
            "Hospitals in a round, %",
            1.0,
            100.0,
            100,
            "So many are drawn by the seed for each round, at least 3; with 3, none may fail.",
        ),
        "stop_accuracy": real(
            "End at right answers, %",
            1.0,
            100.0,
            None,
            "Ends as soon as so many of all hospitals’ test patients are told right. Empty: never.",
        ),
        "patience": whole(
            "End without improvement, rounds",
            1,
            MOST_ROUNDS,
            None,
            "Ends after so many rounds without more right answers than before. Empty: never.",
        ),
        "local_epochs": whole(
            "Local epochs",
            1,
            MOST_EPOCHS,
            defaults.local_epochs,
            "How often each hospital goes through its patients in a round.",
        ),
        "learning_rate": real(
            "Learning rate", 0.00001, 1.0, defaults.learning_rate, "How far each step goes."
        ),
        "decay": real(
            "Learning rate, decay",
            SMALLEST_DECAY,
            1.0,
            1,
            "What each round multiplies the learning rate by; 1 leaves it as it is.",
        ),
        "seed": whole("Seed", 0, MOST_SEED, DEFAULT_SEED, "The same seed gives the same training."),
    }


def _slices_serve(form: FlaskForm, field: IntegerField) -> None:
    most = Review().slice_rounds
    if form["review"].data and field.data > most:
        raise ValidationError(
            f"At most {most} rounds when updates are tested: each opens a little about the donated "
            "rows."
        )


def _review(task: Task, reviewable: bool, fraction: str) -> dict[str, Any]:
    def can_review(_: FlaskForm, field: BooleanField) -> None:
        if field.data and not reviewable:
            raise ValidationError("This installation’s nodes cannot test updates: leave it off.")

    hint = (
        "Three nodes test each hospital’s model on donated rows without seeing either. What does "
        "badly, or is out of range, is left out."
    )
    if not reviewable:
        hint = "Not possible here: it needs CONSILIUM_THRESHOLD 1 and at least 3 nodes."
    label = "Test every update before it counts"
    listed = FRACTIONS | ({} if fraction in FRACTIONS else {fraction: f"{fraction} of the lead"})
    return {
        "review": BooleanField(label, [can_review], default=reviewable, description=hint),
        "fraction": SelectField(
            "How good a model must be",
            choices=[SelectChoice(value, word) for value, word in listed.items()],
            default=USUAL_FRACTION,
            description="Of the reference’s lead over guessing; the reference is the better of the "
            "hospitals’ median and the model before.",
        ),
        "donated_rows": whole(
            "Rows that a hospital donates, of each class",
            1,
            MOST_DONATED,
            SplitRule.of_classes(len(task.classes)).donated_rows,
            "At most so many, and a fifth of its own. With more, a verdict is surer and slower.",
        ),
    }


def _attack() -> dict[str, Any]:
    none = SelectChoice("", "None: every hospital follows the protocol")
    listed = [SelectChoice(attack.name, attack.title) for attack in ATTACKS.values()]
    more: dict[str, Any] = {}
    for place, (kind, number) in enumerate(ATTACK_ROWS[1:], start=2):
        choices = [SelectChoice("", "None"), *listed]
        checks = [_only_once, _leaves_honest]
        more[kind] = SelectField(
            f"Attack {place}",
            checks,
            choices=choices,
            default="",
            description=f"All kinds together leave at least {FEWEST_HONEST} hospitals honest.",
        )
        more[number] = whole(f"Number of attackers {place}", 1, MOST, None, "Empty: one.")
    return more | {
        "attack": SelectField("Attack", choices=[none, *listed], default=""),
        "attackers": whole(
            "Number of attackers",
            1,
            MOST,
            1,
            "Which hospitals attack is drawn by the seed. Without an attack this does not count.",
            also=[_fewer_than_hospitals],
        ),
    }


def _only_once(form: FlaskForm, field: SelectField) -> None:
    before = [form[kind].data for kind, _ in ATTACK_ROWS if kind < field.name]
    if field.data and field.data in before:
        raise ValidationError("This attack is chosen above: give its number there.")


def _leaves_honest(form: FlaskForm, field: SelectField) -> None:
    """Said once, at the last of several attacks."""
    chosen = {kind: number for kind, number in ATTACK_ROWS if form[kind].data}
    if len(chosen) < 2 or field.name != list(chosen)[-1]:
        return
    most = max(_hospitals_of(form) - FEWEST_HONEST, 0)
    together = sum(form[number].data or 1 for number in chosen.values())
    if together > most:
        raise ValidationError(
            f"Attacks of several kinds must leave {FEWEST_HONEST} hospitals honest: at most {most} "
            f"attackers together, not {together}."
        )


def _hospitals_of(form: FlaskForm) -> int:
    """How many hospitals take part, as far as the form tells."""
    hospitals = form["hospitals"].data
    number = hospitals if isinstance(hospitals, int) else len(hospitals or ())
    return number + len(form["joining"].data or ()) if "joining" in form else number


def _fewer_than_hospitals(form: FlaskForm, field: IntegerField) -> None:
    most = _hospitals_of(form)
    if form["attack"].data and field.data > most:
        raise ValidationError(f"At most as many as there are hospitals: {most}.")
