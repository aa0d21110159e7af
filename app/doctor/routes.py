"""A doctor's pages: today, a new prediction, its result or why there is none."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.doctor import batches, device, papers, passport, rules
from app.doctor.asking import (
    Asked,
    Page,
    ask,
    empty,
    find_task,
    form_page,
    posted,
    prefer_units,
    tasks,
)
from app.doctor.filling import document, filled
from app.doctor.forms import values_form
from app.doctor.result import ask_again, result_page
from app.errors import RequestError
from app.services.batches import RUNNING
from app.services.fhir import read_bundle
from app.services.record_entries import Answer
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("doctor", __name__, url_prefix="/doctor")
for pages in (batches, device, papers, passport, rules):
    blueprint.register_blueprint(pages.blueprint)

_JSON: Final = ("application/json", "application/fhir+json")


@blueprint.get("/")
@requires(DOCTOR)
def home() -> str:
    """Today: what can be asked, and the model that answers."""
    key, doctor, views = doctor_key.find(), login.person(), services().opening_views
    waiting = views.waiting_for(doctor, key) if key else []
    ready = [one for one in views.own(doctor, key) if one.ready] if key else []
    loud = views.emergencies(doctor, key) if key else []
    shares = services().resharing_views.told(doctor, key) if key else None
    running = [one for one in services().batches.mine(doctor) if one.state == RUNNING]
    return render_template(
        "doctor/home.html",
        tasks=tasks(),
        waiting=waiting,
        ready=ready,
        emergencies=loud,
        shares=shares,
        running=running,
    )


@blueprint.get("/predictions/<task>/new")
@requires(DOCTOR)
def new_prediction(task: str) -> str:
    """An empty form for one patient's values, in the units that were chosen last."""
    chosen = find_task(task)
    return form_page(chosen, empty(chosen))


@blueprint.post("/predictions/<task>/new")
@requires(DOCTOR)
def predict(task: str) -> Page:
    """The risk, from the model that the ledger names; nothing of the patient is stored."""
    chosen = find_task(task)
    form = posted(chosen)
    prefer_units(form)
    if "change" in request.form:
        return form_page(chosen, form), HTTPStatus.OK
    found = ask(chosen, form)
    return result_page(found) if isinstance(found, Asked) else found


@blueprint.post("/predictions/<task>/fhir")
@requires(DOCTOR)
def fill(task: str) -> Page | Response:
    """The form filled from a FHIR bundle: a file of the form's page, or as JSON to a program.

    A program sends the bundle as the body, with the form's token in the header X-CSRFToken.
    """
    chosen = find_task(task)
    if request.mimetype in _JSON:
        try:
            return jsonify(document(chosen, read_bundle(chosen.name, request.get_data())))
        except RequestError as error:
            answer = jsonify(error=str(error))
            answer.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
            return answer
    file = request.files.get("bundle")
    try:
        if file is None or not file.filename:
            raise RequestError("Choose a FHIR file.")
        vitals = read_bundle(chosen.name, file.read())
    except RequestError as error:
        page = form_page(chosen, values_form(chosen)(), fill_error=str(error))
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    form = filled(chosen, request.form, vitals)
    return form_page(chosen, form, vitals=vitals), HTTPStatus.OK


@blueprint.post("/predictions/<task>/keep")
@requires(DOCTOR)
def keep(task: str) -> Page | Response:
    """Keep the answer with a patient: asked for once more, it must come of the same model."""
    found, key = ask_again(task), doctor_key.find()
    if not isinstance(found, Asked):
        return found
    patient = request.form.get("patient", "")
    try:
        if key is None:
            raise RequestError("Your key is not open: open it at Patients. Nothing was kept.")
        services().patients.keep(login.person(), key, patient, _answer(found))
    except RequestError as error:
        flash(str(error), "danger")
        return result_page(found)
    flash("The answer is kept with the patient. The record stays closed.", "success")
    return redirect(url_for("patients.one", patient_id=patient), HTTPStatus.SEE_OTHER)


def _answer(asked: Asked) -> Answer:
    """What is kept of a prediction, in the words that the doctor read."""
    reading, prediction = asked.reading, asked.prediction
    return Answer(
        task=asked.task.name,
        title=asked.task.title,
        result=f"{reading.percent} risk of {reading.disease}",
        values=asked.form.words(),
        version=prediction.version,
        model_sha256=prediction.model_sha256,
        at=prediction.checked_at.isoformat(timespec="seconds"),
        figures=asked.form.figures(),
        risk=reading.risk,
        inputs=asked.form.inputs(),
    )
