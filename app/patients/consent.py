"""What the patient agreed to: changed on the open record, with the history of its attributes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for

from app.errors import RequestError
from app.patients.access import SEE_OTHER, UNPROCESSABLE, Answer, patient_of, with_key
from app.patients.forms import ConsentForm
from app.services.open_keys import OpenKey
from app.services.patient_consent import UNKNOWN, Consent
from app.services.roles import DOCTOR
from app.web import login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("consent", __name__, url_prefix="/<patient_id>/record/consent")


@blueprint.route("", methods=["GET", "POST"])
@requires(DOCTOR)
@with_key
def page(key: OpenKey, patient_id: str) -> Answer:
    """Another consent for an open record; what was agreed before is kept."""
    patient, doctor = patient_of(key, patient_id), login.person()
    there = redirect(url_for("patients.record.page", patient_id=patient_id), SEE_OTHER)
    records = services().open_records
    try:
        newest = records.read(doctor, key, patient_id).versions[0].attributes
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    form = ConsentForm(data=_filled(newest.consent))
    if form.validate_on_submit():
        changed = replace(newest, consent=form.consent(doctor.name))
        try:
            records.revise(doctor, key, patient_id, changed)
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash("What the patient agreed to is noted. What was noted before is kept.", "success")
            return there
    shown = render_template("patients/consent.html", patient=patient, form=form)
    return shown, UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


def _filled(consent: Consent) -> dict[str, Any]:
    """What the form shows of a consent; nothing of one that is not known."""
    if consent.recording == UNKNOWN:
        return {}
    return {
        "recording": consent.recording,
        "training": consent.training,
        "basis": consent.basis,
        "asked_on": date.fromisoformat(consent.on),
    }
