"""Predicting on the doctor's own device: the page, and the model that its browser fetches.

Values are entered in a form that is sent nowhere; `static/js/device.js` computes with them.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, render_template

from app.doctor.asking import Page, assumed, empty, find_task, load_model, tasks
from app.doctor.reading import UNDECIDED
from app.services.device_model import device_file
from app.services.roles import DOCTOR
from app.web import login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("device", __name__, url_prefix="/predictions/<task>/device")


@blueprint.get("")
@requires(DOCTOR)
def page(task: str) -> str | Page:
    """The form, with the hashes that the ledger has now, or why there is no model."""
    chosen = find_task(task)
    model = load_model(chosen)
    if isinstance(model, str):
        told = render_template("doctor/device_refused.html", task=chosen, reason=model)
        return told, HTTPStatus.CONFLICT
    form = empty(chosen)
    return render_template(
        "doctor/device.html",
        task=chosen,
        tasks=tasks(),
        form=form,
        assumed=assumed(chosen, form, model.statistics),
        check=model.check,
        statistics_sha256=model.statistics_sha256,
        undecided=UNDECIDED,
    )


@blueprint.get("/model")
@requires(DOCTOR)
def model(task: str) -> Response:
    """The model in use as a file (docs/formats.md); who fetched it is on the audit log."""
    chosen = find_task(task)
    found = load_model(chosen)
    if isinstance(found, str):
        return Response(found, HTTPStatus.CONFLICT, content_type="text/plain; charset=utf-8")
    details = {"task": chosen.name, "model_sha256": found.check.model_sha256}
    services().audit.add(login.person(), "model.on_device", chosen.name, details)
    return Response(device_file(found), content_type="application/json")
