"""A doctor's pages: today, a new prediction, its result or why there is none."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from app.doctor import device, papers, passport, rules
from app.doctor.asking import Asked, Page, ask, find_task, form_page, posted, tasks
from app.doctor.forms import preferred, values_form
from app.doctor.result import ask_again, result_page
from app.errors import RequestError
from app.services.record_entries import Answer
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("doctor", __name__, url_prefix="/doctor")
for pages in (device, papers, passport, rules):
    blueprint.register_blueprint(pages.blueprint)

# Which units somebody prefers is no patient's secret: the signed cookie may hold it.
_UNITS = "units"


@blueprint.get("/")
@requires(DOCTOR)
def home() -> str:
    """Today: what can be asked, and the model that answers."""
    key, doctor, views = doctor_key.find(), login.person(), services().opening_views
    waiting = views.waiting_for(doctor, key) if key else []
    ready = [one for one in views.own(doctor, key) if one.ready] if key else []
    loud = views.emergencies(doctor, key) if key else []
    shares = services().resharing_views.told(doctor, key) if key else None
    return render_template(
        "doctor/home.html",
        tasks=tasks(),
        waiting=waiting,
        ready=ready,
        emergencies=loud,
        shares=shares,
    )


@blueprint.get("/predictions/<task>/new")
@requires(DOCTOR)
def new_prediction(task: str) -> str:
    """An empty form for one patient's values, in the units that were chosen last."""
    chosen = find_task(task)
    form = values_form(chosen)(data=preferred(chosen, session.get(_UNITS, {})))
    return form_page(chosen, form)


@blueprint.post("/predictions/<task>/new")
@requires(DOCTOR)
def predict(task: str) -> Page:
    """The risk, from the model that the ledger names; nothing of the patient is stored."""
    chosen = find_task(task)
    form = posted(chosen)
    session[_UNITS] = session.get(_UNITS, {}) | form.units()
    if "change" in request.form:
        return form_page(chosen, form), HTTPStatus.OK
    found = ask(chosen, form)
    return result_page(found) if isinstance(found, Asked) else found


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
    )
