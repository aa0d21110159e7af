"""A doctor's pages: today, a new prediction, its result or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import (
    Blueprint,
    abort,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response

from app.doctor import batches, device
from app.doctor.filling import document, filled
from app.doctor.forms import ValuesForm, preferred, values_form
from app.doctor.reading import Reading
from app.doctor.reasons import bars, warnings
from app.doctor.words import typical_words
from app.errors import ModelRefused, RequestError
from app.services.batches import RUNNING
from app.services.fhir import read_bundle
from app.services.patients import Patient
from app.services.predictions import Prediction
from app.services.record_sealing import Answer
from app.services.roles import DOCTOR
from app.web import doctor_key, header, login
from app.web.roles import requires
from app.web.services import services
from fl.datasets import Statistics, Task, get_task, task_names
from fl.datasets.loinc import codes_of
from fl.datasets.typical import typical
from fl.datasets.use import find_use

blueprint = Blueprint("doctor", __name__, url_prefix="/doctor")
blueprint.register_blueprint(device.blueprint)
blueprint.register_blueprint(batches.blueprint)

Page = tuple[str, HTTPStatus]

# Which units somebody prefers is no patient's secret: the signed cookie may hold it.
_UNITS = "units"
_JSON: Final = ("application/json", "application/fhir+json")


@blueprint.get("/")
@requires(DOCTOR)
def home() -> str:
    """Today: what can be asked, and the model that answers."""
    key, doctor, views = doctor_key.find(), login.person(), services().opening_views
    waiting = views.waiting_for(doctor, key) if key else []
    ready = [one for one in views.own(doctor, key) if one.ready] if key else []
    loud = views.emergencies(doctor, key) if key else []
    running = [one for one in services().batches.mine(doctor) if one.state == RUNNING]
    return render_template(
        "doctor/home.html",
        tasks=_tasks(),
        waiting=waiting,
        ready=ready,
        emergencies=loud,
        running=running,
    )


@blueprint.get("/predictions/<task>/new")
@requires(DOCTOR)
def new_prediction(task: str) -> str:
    """An empty form for one patient's values, in the units that were chosen last."""
    chosen = _task(task)
    form = values_form(chosen)(data=preferred(chosen, session.get(_UNITS, {})))
    return _form_page(chosen, form)


@blueprint.post("/predictions/<task>/new")
@requires(DOCTOR)
def predict(task: str) -> Page:
    """The risk, from the model that the ledger names; nothing of the patient is stored."""
    chosen = _task(task)
    form = values_form(chosen)()
    session[_UNITS] = session.get(_UNITS, {}) | form.units()
    if "change" in request.form:
        return _form_page(chosen, form), HTTPStatus.OK
    if not form.validate_on_submit():
        return _form_page(chosen, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        prediction = services().predictions.predict(chosen.name, form.values())
    except ModelRefused as refused:
        return _refusal(chosen, form, refused)
    return _result(chosen, form, prediction)


@blueprint.post("/predictions/<task>/fhir")
@requires(DOCTOR)
def fill(task: str) -> Page | Response:
    """The form filled from a FHIR bundle: a file of the form's page, or as JSON to a program.

    A program sends the bundle as the body, with the form's token in the header X-CSRFToken.
    """
    chosen = _task(task)
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
        page = _form_page(chosen, values_form(chosen)(), fill_error=str(error))
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    form = filled(chosen, request.form, vitals)
    return _form_page(chosen, form, vitals=vitals), HTTPStatus.OK


@blueprint.post("/predictions/<task>/keep")
@requires(DOCTOR)
def keep(task: str) -> Page | Response:
    """Keep the answer with a patient: asked for once more, it must come of the same model."""
    chosen, key = _task(task), doctor_key.find()
    form = values_form(chosen)()
    if not form.validate_on_submit():
        return _form_page(chosen, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        prediction = services().predictions.predict(chosen.name, form.values())
    except ModelRefused as refused:
        return _refusal(chosen, form, refused)
    if request.form.get("model") != prediction.model_sha256:
        flash("Another model is in use by now: this is its answer. Nothing was kept yet.", "danger")
        return _result(chosen, form, prediction)
    patient = request.form.get("patient", "")
    try:
        if key is None:
            raise RequestError("Your key is not open: open it at Patients. Nothing was kept.")
        services().patients.keep(login.person(), key, patient, _answer(chosen, form, prediction))
    except RequestError as error:
        flash(str(error), "danger")
        return _result(chosen, form, prediction)
    flash("The answer is kept with the patient. The record stays closed.", "success")
    return redirect(url_for("patients.one", patient_id=patient), HTTPStatus.SEE_OTHER)


def _answer(task: Task, form: ValuesForm, prediction: Prediction) -> Answer:
    """What is kept of a prediction, in the words that the doctor read."""
    reading = _reading(task, prediction)
    return Answer(
        task=task.name,
        title=task.title,
        result=f"{reading.percent} risk of {reading.disease}",
        values=tuple((one.column.label, one.typed) for one in form.measures()),
        version=prediction.version,
        model_sha256=prediction.model_sha256,
        at=prediction.checked_at.isoformat(timespec="seconds"),
    )


def _reading(task: Task, prediction: Prediction) -> Reading:
    shares = tuple(prediction.probability[name] for name in task.classes)
    return Reading(task, shares, prediction.interval)


def _patients() -> list[Patient] | None:
    """The doctor's patients, changed last first; None while the doctor's key is not open."""
    key = doctor_key.find()
    if key is None:
        return None
    found = services().patients.mine(login.person(), key)
    return sorted(found, key=lambda one: one.changed_at, reverse=True)


def _form_page(task: Task, form: ValuesForm, **filling: Any) -> str:
    return render_template(
        "doctor/new_prediction.html",
        form=form,
        task=task,
        tasks=_tasks(),
        problems=form.problems() if form.is_submitted() else [],
        assumed=_assumed(task, form, _statistics(task)),
        use=find_use(task.name),
        codes=codes_of(task.name),
        **filling,
    )


def _statistics(task: Task) -> Statistics | None:
    """What missing values are taken from, where there is a model that may answer."""
    try:
        return services().predictions.statistics(task.name)
    except ModelRefused:
        return None


def _assumed(task: Task, form: ValuesForm, statistics: Statistics | None) -> Mapping[str, str]:
    """By column, what the model assumes of a missing value, as words in the chosen unit."""
    found = typical(task, statistics) if statistics is not None else {}
    return {
        one.column.name: typical_words(one.column, found[one.column.name], one.unit)
        for one in form.measures()
        if one.column.name in found
    }


def _result(task: Task, form: ValuesForm, prediction: Prediction) -> Page:
    details = {"task": task.name, "model_sha256": prediction.model_sha256}
    services().audit.add(login.person(), "prediction.made", task.name, details)
    explanation = prediction.explanation
    page = render_template(
        "doctor/result.html",
        task=task,
        form=form,
        prediction=prediction,
        reading=_reading(task, prediction),
        patients=_patients(),
        explanation=explanation,
        bars=bars(explanation),
        warnings=list(warnings(explanation)),
        assumed=_assumed(task, form, prediction.statistics),
        use=find_use(task.name),
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
