"""The pages of an open record: the record, a change, a diagnosis, another care group, export.

patients/record.html gets `patient`, `record`, `opening`, `courses` (charts), `asked` (the form for
each answer's diagnosis, by reference), the words of consent, and `form`, the tick before erasure.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.errors import RequestError
from app.patients.access import (
    ERASED,
    SEE_OTHER,
    UNPROCESSABLE,
    Answer,
    own_of,
    patient_of,
    with_key,
)
from app.patients.forms import AttributesForm, EraseForm, GroupForm, OutcomeForm, filled
from app.services.open_keys import OpenKey
from app.services.open_records import Record
from app.services.openings import OPEN
from app.services.patient_consent import RECORDING, TRAINING
from app.services.roles import DOCTOR
from app.services.vitals import courses
from app.web import login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services

# What an export tells of a step.
_ON_LEDGER = ("what", "by", "noted_at", "standing", "opening", "record", "account", "transaction")

blueprint = Blueprint("record", __name__, url_prefix="/<patient_id>/record")


@blueprint.get("")
@requires(DOCTOR)
@with_key
def page(key: OpenKey, patient_id: str) -> Answer:
    """The whole record, while the doctor has it open."""
    return _record_page(key, patient_id, EraseForm(formdata=None))


@blueprint.route("/edit", methods=["GET", "POST"])
@requires(DOCTOR)
@with_key
def edit(key: OpenKey, patient_id: str) -> Answer:
    """Other attributes for an open record; those of before are kept."""
    patient, doctor = patient_of(key, patient_id), login.person()
    try:
        newest = services().open_records.read(doctor, key, patient_id).versions[0]
        form = AttributesForm(data=filled(newest.attributes))
        if form.validate_on_submit():
            changed = replace(form.attributes(), consent=newest.attributes.consent)
            if changed == newest.attributes:
                flash("Nothing was changed.")
            else:
                services().open_records.revise(doctor, key, patient_id, changed)
                flash("The record is changed. What it held before is kept.", "success")
            return redirect(url_for("patients.record.page", patient_id=patient_id), SEE_OTHER)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    shown = render_template("patients/edit.html", patient=patient, form=form)
    return shown, UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.route("/group", methods=["GET", "POST"])
@requires(DOCTOR)
@with_key
def group(key: OpenKey, patient_id: str) -> Answer:
    """Another care group for an open record, which is sealed anew and closed."""
    patient, doctor, form = patient_of(key, patient_id), login.person(), GroupForm()
    colleagues = services().patients.colleagues(doctor)
    form.offer(colleagues, [one.user for one in patient.carers if one.able])
    if not form.is_submitted():
        form.quorum.data = patient.quorum
    own = own_of(patient, key)
    if own is None or own.state != OPEN:
        flash("The record is closed. Ask for an opening.", "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    if form.validate_on_submit():
        try:
            carers, quorum = form.carers.data, form.quorum.data
            services().open_records.reseal(doctor, key, patient_id, carers, quorum)
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash("The record is sealed anew among this care group, and closed.", "success")
            return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    shown = render_template("patients/group.html", patient=patient, form=form)
    return shown, UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.post("/outcomes")
@requires(DOCTOR)
@with_key
def outcome(key: OpenKey, patient_id: str) -> Answer:
    """The diagnosis that was confirmed for one of the answers."""
    patient, reference = patient_of(key, patient_id), request.form.get("answer", "")
    form = OutcomeForm(prefix=_prefix(reference))
    if not form.validate_on_submit():
        return _record_page(key, patient_id, EraseForm(formdata=None), form)
    try:
        services().outcomes.note(login.person(), key, patient.id, form.outcome(reference))
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash("The diagnosis is sealed to the record.", "success")
    return redirect(url_for("patients.record.page", patient_id=patient_id), SEE_OTHER)


@blueprint.post("/export")
@requires(DOCTOR)
@with_key
def export(key: OpenKey, patient_id: str) -> Answer:
    """Everything that is held of the patient, as a file to hand over."""
    patient, doctor = patient_of(key, patient_id), login.person()
    try:
        found = services().open_records.export(doctor, key, patient_id)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    told = {
        "patient": patient.id,
        "care_group": [one.name for one in patient.carers],
        **asdict(found),
        "openings": [
            asdict(one) for one in services().opening_views.of_patient(doctor, key, patient.id)
        ],
        "ledger": [
            {name: getattr(one, name) for name in _ON_LEDGER}
            for one in services().record_ledger_views.of_patient(patient.id)
        ],
    }
    written = json.dumps(told, ensure_ascii=False, indent=2, default=_moment).encode()
    return file_answer(written, "application/json", f"patient-{patient.short}.json")


@blueprint.post("/erase")
@requires(DOCTOR)
@with_key
def erase(key: OpenKey, patient_id: str) -> Answer:
    """Destroy the record for good."""
    patient, form = patient_of(key, patient_id), EraseForm()
    if not form.validate_on_submit():
        return _record_page(key, patient_id, form)
    try:
        services().open_records.erase(login.person(), key, patient.id)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    flash(ERASED, "success")
    return redirect(url_for("patients.listed"), SEE_OTHER)


def _record_page(
    key: OpenKey, patient_id: str, form: EraseForm, sent: OutcomeForm | None = None
) -> Answer:
    """The record; `sent` is a diagnosis that was wrong."""
    patient = patient_of(key, patient_id)
    try:
        found = services().open_records.read(login.person(), key, patient_id)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)
    shown = render_template(
        "patients/record.html",
        patient=patient,
        record=found,
        opening=own_of(patient, key),
        form=form,
        courses=courses(found),
        asked=_asked(found, sent),
        recording=RECORDING,
        training=TRAINING,
    )
    return shown, UNPROCESSABLE if form.errors or (sent and sent.errors) else HTTPStatus.OK


def _asked(found: Record, sent: OutcomeForm | None) -> dict[str, OutcomeForm]:
    """By its reference, the form for each answer's diagnosis."""
    prefixes = {one.answer.reference: _prefix(one.answer.reference) for one in found.answers}
    forms = {one: OutcomeForm(formdata=None, prefix=prefix) for one, prefix in prefixes.items()}
    if sent is not None:
        forms |= {one: sent for one in forms if sent.came.name.startswith(prefixes[one])}
    return forms


def _prefix(reference: str) -> str:
    """What tells the fields of one answer from those of another."""
    return f"o{reference[:12]}-"


def _moment(value: object) -> str:
    """A moment in JSON: ISO 8601, in UTC."""
    if not isinstance(value, datetime):
        raise TypeError(f"expected a moment, got {type(value).__name__}")
    return f"{value.isoformat(timespec='seconds')}Z"
