"""Predicting on the doctor's own device: the page, and the model that its browser fetches.

Values are entered in a form that is sent nowhere; `static/js/device.js` computes with them.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, abort, render_template

from app.doctor.forms import field_name, values_form
from app.doctor.reading import UNDECIDED
from app.errors import ModelRefused
from app.services.device_model import device_file
from app.services.roles import DOCTOR
from app.web import header, login
from app.web.roles import requires
from app.web.services import services
from fl.datasets import Task, get_task, task_names

blueprint = Blueprint("device", __name__, url_prefix="/predictions/<task>/device")

Page = str | tuple[str, HTTPStatus]


@blueprint.get("")
@requires(DOCTOR)
def page(task: str) -> Page:
    """The form, with the hashes that the ledger has now, or why there is no model."""
    chosen = _task(task)
    try:
        model = services().predictions.load(chosen.name)
    except ModelRefused as refused:
        _note(chosen, refused)
        told = render_template("doctor/device_refused.html", task=chosen, reason=str(refused))
        return told, HTTPStatus.CONFLICT
    form = values_form(chosen)()
    return render_template(
        "doctor/device.html",
        task=chosen,
        tasks=[get_task(name) for name in task_names()],
        fields=[(column, form[field_name(column)]) for column in chosen.columns],
        check=model.check,
        statistics_sha256=model.statistics_sha256,
        undecided=UNDECIDED,
    )


@blueprint.get("/model")
@requires(DOCTOR)
def model(task: str) -> Response:
    """The model in use as a file (docs/formats.md); who fetched it is on the audit log."""
    chosen = _task(task)
    try:
        found = services().predictions.load(chosen.name)
    except ModelRefused as refused:
        _note(chosen, refused)
        return Response(str(refused), HTTPStatus.CONFLICT, content_type="text/plain; charset=utf-8")
    details = {"task": chosen.name, "model_sha256": found.check.model_sha256}
    services().audit.add(login.person(), "model.on_device", chosen.name, details)
    return Response(device_file(found), content_type="application/json")


def _note(task: Task, refused: ModelRefused) -> None:
    header.forget(task.name)
    details = {"task": task.name, "reason": str(refused)}
    services().audit.add(login.person(), "prediction.refused", task.name, details)


def _task(name: str) -> Task:
    if name not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return get_task(name)
