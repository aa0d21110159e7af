"""What is done with a record that stays closed: vitals, a longer period, deletion when it is due.

patients/vitals.html gets `patient`, `task`, `tasks`, `form` (the task's values), `day` (when they
were measured) and `problems`.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from wtforms import DateField
from wtforms.validators import InputRequired, ValidationError

from app.doctor.forms import values_form
from app.errors import RequestError
from app.patients.access import (
    ERASED,
    SEE_OTHER,
    UNPROCESSABLE,
    Answer,
    confirm,
    patient_of,
    patient_page,
    with_key,
)
from app.patients.forms import EraseForm, LongerForm, PasswordForm, today
from app.services.open_keys import OpenKey
from app.services.record_entries import Vitals
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services
from fl.datasets import get_task, task_names

blueprint = Blueprint("adding", __name__, url_prefix="/<patient_id>")


class DayForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """When vitals were measured."""

    measured = DateField(
        "Measured on", [InputRequired("Enter the day of the measurement.")], default=today
    )

    def validate_measured(self, field: DateField) -> None:
        """Refuse a day to come."""
        if field.data is not None and field.data > today():
            raise ValidationError("Nothing was measured on a day to come.")


@blueprint.route("/vitals/<task>", methods=["GET", "POST"])
@requires(DOCTOR)
@with_key
def vitals(key: OpenKey, patient_id: str, task: str) -> Answer:
    """Vitals of a task, sealed to the record without opening it and without an answer."""
    patient = patient_of(key, patient_id)
    if task not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    chosen = get_task(task)
    form, day = values_form(chosen)(), DayForm()
    form.nothing = "Enter at least one value that was measured."
    if form.is_submitted() and day.validate() & form.validate():
        day_words = day.measured.data.isoformat()
        told = Vitals(chosen.name, chosen.title, form.words(), form.figures(), day_words)
        try:
            services().patients.keep(login.person(), key, patient_id, told)
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash("The vitals are sealed to the record, which stays closed.", "success")
            return redirect(url_for("patients.one", patient_id=patient_id, added=1), SEE_OTHER)
    page = render_template(
        "patients/vitals.html",
        patient=patient,
        task=chosen,
        tasks=[get_task(name) for name in task_names()],
        form=form,
        day=day,
        problems=form.problems() if form.is_submitted() else [],
    )
    return page, UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.post("/longer")
@requires(DOCTOR)
@with_key
def longer(key: OpenKey, patient_id: str) -> Answer:
    """Keep the record longer, for a reason."""
    patient, form = patient_of(key, patient_id), LongerForm()
    if form.validate_on_submit():
        try:
            until, why = form.until.data, form.why.data
            services().retention.prolong(login.person(), key, patient_id, until, why)
        except RequestError as error:
            form.until.errors = [str(error)]
        else:
            flash(f"The record is kept until {form.until.data}.", "success")
            return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    return patient_page(patient, key, longer=form), UNPROCESSABLE


@blueprint.post("/erase")
@requires(DOCTOR)
@with_key
def erase(key: OpenKey, patient_id: str) -> Answer:
    """Erase a record that is due, unopened; the password is asked for once a session."""
    patient, sure = patient_of(key, patient_id), EraseForm()
    if not sure.validate_on_submit():
        return patient_page(patient, key, sure=sure), UNPROCESSABLE
    if not doctor_key.is_confirmed():
        form = PasswordForm()
        if not form.validate_on_submit() or not confirm(form):
            page = patient_page(patient, key, password=form, about="erase", sure=sure)
            return page, UNPROCESSABLE
        key = doctor_key.find() or key
    try:
        services().retention.erase(login.person(), key, patient_id)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    flash(ERASED, "success")
    return redirect(url_for("patients.listed"), SEE_OTHER)
