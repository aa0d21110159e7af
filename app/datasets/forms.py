"""How a page deals a task's rows to hospitals: the choices of a new training, to look at."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import IntegerField, RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange

from app.web.number_field import RealField
from fl.datasets import Partition, Task
from fl.datasets.partition import ALPHA_HIGH, ALPHA_LOW, FEWEST, MOST

MOST_SEED = 2**63 - 1

_COUNT = f"Expected a whole number, {FEWEST} to {MOST}."
_ALPHA = f"Expected a number, {ALPHA_LOW:g} to {ALPHA_HIGH:g}."
_SEED = "Expected a whole number, from 0."
_TEXT = {"type": "text", "inputmode": "decimal", "autocomplete": "off"}


class DealForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Number and evenness of the hospitals that a table is dealt to; asked by GET."""

    class Meta:
        """It changes nothing, so its address can be passed on."""

        csrf = False

    hospitals = IntegerField(
        "Number of hospitals",
        [InputRequired(_COUNT), NumberRange(FEWEST, MOST, _COUNT)],
        description=f"{FEWEST} to {MOST}.",
        render_kw=_TEXT,
    )
    kind = RadioField(
        "How patients are dealt to them",
        choices=[SelectChoice("dirichlet", "Unevenly"), SelectChoice("iid", "Evenly")],
    )
    alpha = RealField(
        "Evenness (alpha)",
        [InputRequired(_ALPHA), NumberRange(ALPHA_LOW, ALPHA_HIGH, _ALPHA)],
        description="For uneven hospitals: the smaller, the more they differ.",
        render_kw=_TEXT,
    )
    seed = IntegerField(
        "Seed",
        [InputRequired(_SEED), NumberRange(0, MOST_SEED, _SEED)],
        description="The same seed deals the same hospitals.",
        render_kw=_TEXT,
    )

    def partition(self) -> Partition:
        """What was chosen. Only of a valid form."""
        return Partition(self.kind.data, self.hospitals.data, self.alpha.data, self.seed.data)


def deal_form(task: Task, given: Any) -> DealForm:
    """The form for a task whose rows are dealt, with what is `given` or else its defaults."""
    default = task.partition
    values = {"hospitals": default.hospitals, "kind": default.kind, "alpha": default.alpha}
    return DealForm(given or None, data=values | {"seed": default.seed})
