"""A doctor's pages: today, a new prediction, its result or why there is none."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, abort, render_template, request

from app.doctor import device
from app.doctor.forms import ValuesForm, values_form
from app.doctor.reading import Reading
from app.doctor.reasons import bars, warnings
from app.errors import ModelRefused
from app.services.predictions import Prediction
from app.services.roles import DOCTOR
from app.web import header, login
from app.web.roles import requires
from app.web.services import services
from fl.datasets import Task, get_task, task_names

blueprint = Blueprint("doctor", __name__, url_prefix="/doctor")
blueprint.register_blueprint(device.blueprint)

Page = tuple[str, HTTPStatus]


@blueprint.get("/")
@requires(DOCTOR)
def home() -> str:
    """Today: what can be asked, and the model that answers."""
    return render_template("doctor/home.html", tasks=_tasks())


@blueprint.get("/predictions/<task>/new")
@requires(DOCTOR)
def new_prediction(task: str) -> str:
    """An empty form for one patient's values."""
    chosen = _task(task)
    return render_template(
        "doctor/new_prediction.html", form=values_form(chosen)(), task=chosen, tasks=_tasks()
    )


@blueprint.post("/predictions/<task>/new")
@requires(DOCTOR)
def predict(task: str) -> Page:
    """The risk, from the model that the ledger names; nothing of the patient is stored."""
    chosen = _task(task)
    form = values_form(chosen)()
    if "change" in request.form or not form.validate_on_submit():
        status = HTTPStatus.OK if "change" in request.form else HTTPStatus.UNPROCESSABLE_ENTITY
        page = render_template("doctor/new_prediction.html", form=form, task=chosen, tasks=_tasks())
        return page, status
    try:
        prediction = services().predictions.predict(chosen.name, form.values())
    except ModelRefused as refused:
        return _refusal(chosen, form, refused)
    return _result(chosen, form, prediction)


def _result(task: Task, form: ValuesForm, prediction: Prediction) -> Page:
    details = {"task": task.name, "model_sha256": prediction.model_sha256}
    services().audit.add(login.person(), "prediction.made", task.name, details)
    shares = tuple(prediction.probability[name] for name in task.classes)
    reading = Reading(task, shares, prediction.interval)
    explanation = prediction.explanation
    page = render_template(
        "doctor/result.html",
        task=task,
        form=form,
        prediction=prediction,
        reading=reading,
        explanation=explanation,
        bars=bars(explanation),
        warnings=list(warnings(explanation)),
    )
    return page, HTTPStatus.OK


def _refusal(task: Task, form: ValuesForm, refused: ModelRefused) -> Page:
    header.forget(task.name)
    details = {"task": task.name, "reason": str(refused)}
    services().audit.add(login.person(), "prediction.refused", task.name, details)
    page = render_template("doctor/refused.html", task=task, form=form, reason=str(refused))
    return page, HTTPStatus.CONFLICT


def _tasks() -> list[Task]:
    return [get_task(name) for name in task_names()]


def _task(name: str) -> Task:
    if name not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return get_task(name)
