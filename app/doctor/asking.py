"""The model that is asked, and a posted form answered by it: both once for every page.

Where there is no answer, the page or the sentence that says why stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import abort, render_template, session

from app.doctor.forms import ValuesForm, preferred, values_form
from app.doctor.reading import Reading
from app.doctor.words import typical_words
from app.errors import ModelRefused
from app.services.predictions import CheckedModel, Prediction
from app.web import header, login
from app.web.services import services
from fl.datasets import Statistics, Task, get_task, task_names
from fl.datasets.loinc import codes_of
from fl.datasets.person import elements_of
from fl.datasets.typical import typical
from fl.datasets.use import find_use

Page = tuple[str, HTTPStatus]

# Which units somebody prefers is no patient's secret: the signed cookie may hold it.
_UNITS = "units"


@dataclass(frozen=True)
class Asked:
    """A patient's values as they were posted, and what the model in use says of them."""

    task: Task
    form: ValuesForm
    prediction: Prediction

    @property
    def reading(self) -> Reading:
        """The answer as a person is told it."""
        shares = tuple(self.prediction.probability[name] for name in self.task.classes)
        return Reading(self.task, shares, self.prediction.interval)


def ask(task: Task, form: ValuesForm) -> Asked | Page:
    """The posted values with the model's answer; else the form with what is wrong with it (422), or
    why the model was refused (409), with the values to be sent again.
    """
    if not form.validate_on_submit():
        return form_page(task, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        prediction = services().predictions.predict(task.name, form.values())
    except ModelRefused as refused:
        note_refusal(task, refused)
        page = render_template("doctor/refused.html", task=task, form=form, reason=str(refused))
        return page, HTTPStatus.CONFLICT
    return Asked(task, form, prediction)


def load_model(task: Task) -> CheckedModel | str:
    """The model in use, compared with the ledger; else the sentence that says what is wrong."""
    try:
        return services().predictions.load(task.name)
    except ModelRefused as refused:
        note_refusal(task, refused)
        return str(refused)


def note_refusal(task: Task, refused: ModelRefused) -> None:
    """Put a refused model on the audit log, and have the header compare it anew."""
    header.forget(task.name)
    details = {"task": task.name, "reason": str(refused)}
    services().audit.add(login.person(), "prediction.refused", task.name, details)


def form_page(task: Task, form: ValuesForm, **filling: Any) -> str:
    """The form for one patient's values, as it is filled in; `filling` tells of a file."""
    return render_template(
        "doctor/new_prediction.html",
        form=form,
        task=task,
        tasks=tasks(),
        problems=form.problems() if form.is_submitted() else [],
        assumed=assumed(task, form, _statistics(task)),
        use=find_use(task.name),
        codes=codes_of(task.name),
        elements=elements_of(task.name),
        **filling,
    )


def empty(task: Task) -> ValuesForm:
    """The form of a task with nothing entered, in the units that were chosen last."""
    return values_form(task)(data=preferred(task, session.get(_UNITS, {})))


def prefer_units(form: ValuesForm) -> None:
    """Begin the next form of this session in the units that were chosen in this one."""
    session[_UNITS] = session.get(_UNITS, {}) | form.units()


def posted(task: Task) -> ValuesForm:
    """The form of a task with what was sent."""
    return values_form(task)()


def assumed(task: Task, form: ValuesForm, statistics: Statistics | None) -> Mapping[str, str]:
    """By column, what the model assumes of a missing value, as words in the chosen unit."""
    found = typical(task, statistics) if statistics is not None else {}
    return {
        one.column.name: typical_words(one.column, found[one.column.name], one.unit)
        for one in form.measures()
        if one.column.name in found
    }


def tasks() -> list[Task]:
    """Everything that can be asked."""
    return [get_task(name) for name in task_names()]


def find_task(name: str) -> Task:
    """The task of an address; 404 for no task."""
    if name not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return get_task(name)


def _statistics(task: Task) -> Statistics | None:
    """What missing values are taken from, where there is a model that may answer."""
    try:
        return services().predictions.statistics(task.name)
    except ModelRefused:
        return None
