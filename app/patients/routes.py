"""The patients' pages: a doctor's list, a new patient, what is seen unopened, the open record.

patients/list.html gets `page` (a `PatientPage`), `search`, `orders`, `waiting` (openings that wait
for an answer), `own` (the doctor's) and `names` (initials by identifier). patients/one.html gets
`patient`, `openings`, `changes`, `own` (the doctor's opening under way, or None), `form` (a reason)
and `password` (a form, or None where the session has confirmed it; `about` is the opening for which
it was wrong). patients/record.html gets `patient`, `record` and `opening`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import RequestError, SignInRefused
from app.models import UserRow
from app.patients.forms import (
    AskForm,
    AttributesForm,
    GroupForm,
    PasswordForm,
    PatientForm,
    filled,
)
from app.services.open_keys import OpenKey
from app.services.opening_view import Opening
from app.services.openings import ASKED, OPEN
from app.services.patient_list import ORDERS, Search
from app.services.patients import FEWEST_CARERS, Patient
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("patients", __name__, url_prefix="/patients")

Answer = Response | str | tuple[str, HTTPStatus]
_SEE_OTHER = HTTPStatus.SEE_OTHER
_UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


def _with_key(view: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give the view the doctor's open key; without one the page asks for the password first."""

    @wraps(view)
    def guarded(**arguments: Any) -> Answer:
        key = doctor_key.find()
        if key is None:
            return _unlock_page(PasswordForm(formdata=None))
        return view(key, **arguments)

    return guarded


@blueprint.get("/")
@requires(DOCTOR)
@_with_key
def listed(key: OpenKey) -> Answer:
    """The doctor's patients, as much of them as is seen unopened."""
    doctor = login.person()
    search, patients = Search.of(request.args), services().patients.mine(doctor, key)
    return render_template(
        "patients/list.html",
        page=search.page_of(patients),
        search=search,
        waiting=services().opening_views.waiting_for(doctor, key),
        own=services().opening_views.own(doctor, key),
        names={one.id: one.minimum.initials for one in patients},
        password=_password(),
        orders=ORDERS,
        viewer=doctor.id,
    )


@blueprint.post("/unlock")
@requires(DOCTOR)
def unlock() -> Answer:
    """Open the own key for this session, then on to the page that was wanted."""
    form = PasswordForm()
    if not form.validate_on_submit() or not _confirm(form):
        return _unlock_page(form)
    return redirect(_wanted(), _SEE_OTHER)


@blueprint.route("/new", methods=["GET", "POST"])
@requires(DOCTOR)
def new() -> Answer:
    """Enter a patient; it is sealed at once, for which nobody's key has to be open."""
    doctor, form = login.person(), PatientForm()
    colleagues = services().patients.colleagues(doctor)
    form.offer(colleagues)
    if form.validate_on_submit():
        try:
            made = services().patients.create(
                doctor, form.attributes(), form.carers.data, form.quorum.data
            )
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash(
                "The patient is sealed. The record opens with colleagues only.",
                "success",
            )
            return redirect(url_for("patients.one", patient_id=made), _SEE_OTHER)
    page = render_template(
        "patients/new.html", form=form, colleagues=colleagues, fewest=FEWEST_CARERS - 1
    )
    return page, _UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.get("/<patient_id>")
@requires(DOCTOR)
@_with_key
def one(key: OpenKey, patient_id: str) -> Answer:
    """What is seen of a patient unopened, and who opened the record when and why."""
    return _page(_patient(key, patient_id), key, AskForm(formdata=None))


@blueprint.post("/<patient_id>/openings")
@requires(DOCTOR)
@_with_key
def ask(key: OpenKey, patient_id: str) -> Answer:
    """Ask the care group for an opening."""
    patient, form = _patient(key, patient_id), AskForm()
    if not form.validate_on_submit():
        return _page(patient, key, form), _UNPROCESSABLE
    try:
        reason, emergency = form.reason.data, form.emergency.data
        services().openings.ask(login.person(), key, patient_id, reason, emergency)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        told = "Today shows when one has approved."
        if emergency:
            told = "The administration’s share is lent to you, and the care group is told."
        flash(f"Your colleagues are asked. {told}", "success")
    return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)


@blueprint.post("/<patient_id>/openings/<opening_id>")
@requires(DOCTOR)
@_with_key
def act(key: OpenKey, patient_id: str, opening_id: str) -> Answer:
    """Approve, decline, open, close or withdraw, as the pressed button says."""
    patient, doctor = _patient(key, patient_id), login.person()
    action = request.form.get("action", "")
    if action not in _DONE:
        abort(HTTPStatus.BAD_REQUEST)
    if action in _CONFIRMED and not doctor_key.is_confirmed():
        form = PasswordForm()
        if not form.validate_on_submit() or not _confirm(form):
            page = _page(patient, key, AskForm(formdata=None), form, opening_id)
            return page, _UNPROCESSABLE
        key = doctor_key.find() or key
    try:
        _carry_out(action, doctor, key, opening_id)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(_DONE[action], "success")
        if action == "open":
            return redirect(url_for("patients.record", patient_id=patient_id), _SEE_OTHER)
    return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)


@blueprint.get("/<patient_id>/record")
@requires(DOCTOR)
@_with_key
def record(key: OpenKey, patient_id: str) -> Answer:
    """The whole record, while the doctor has it open."""
    patient = _patient(key, patient_id)
    try:
        found = services().openings.read(login.person(), key, patient_id)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)
    return render_template(
        "patients/record.html", patient=patient, record=found, opening=_own(patient, key)
    )


@blueprint.route("/<patient_id>/record/edit", methods=["GET", "POST"])
@requires(DOCTOR)
@_with_key
def edit(key: OpenKey, patient_id: str) -> Answer:
    """Other attributes for an open record; those of before are kept."""
    patient, doctor = _patient(key, patient_id), login.person()
    try:
        newest = services().openings.read(doctor, key, patient_id).versions[0]
        form = AttributesForm(data=filled(newest.attributes))
        if form.validate_on_submit():
            if form.attributes() == newest.attributes:
                flash("Nothing was changed.")
            else:
                services().openings.revise(doctor, key, patient_id, form.attributes())
                flash("The record is changed. What it held before is kept.", "success")
            return redirect(url_for("patients.record", patient_id=patient_id), _SEE_OTHER)
    except RequestError as error:
        flash(str(error), "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)
    page = render_template("patients/edit.html", patient=patient, form=form)
    return page, _UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


_DONE = {
    "approve": "You approved. Whoever asked can open the record for 15 minutes once enough agree.",
    "decline": "You declined. Others of the care group may still approve.",
    "open": "The record is open. Everybody of the care group sees that you opened it.",
    "end": "It is over. Opening it again needs a new approval.",
}
# What asks for the password, once a session.
_CONFIRMED = ("approve", "open")


@blueprint.route("/<patient_id>/record/group", methods=["GET", "POST"])
@requires(DOCTOR)
@_with_key
def group(key: OpenKey, patient_id: str) -> Answer:
    """Another care group for an open record, which is sealed anew and closed."""
    patient, doctor, form = _patient(key, patient_id), login.person(), GroupForm()
    colleagues = services().patients.colleagues(doctor)
    form.offer(colleagues, [one.user for one in patient.carers if one.able])
    if not form.is_submitted():
        form.quorum.data = patient.quorum
    own = _own(patient, key)
    if own is None or own.state != OPEN:
        flash("The record is closed. Ask for an opening.", "danger")
        return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)
    if form.validate_on_submit():
        try:
            carers, quorum = form.carers.data, form.quorum.data
            services().openings.reseal(doctor, key, patient_id, carers, quorum)
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash("The record is sealed anew among this care group, and closed.", "success")
            return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)
    page = render_template("patients/group.html", patient=patient, form=form)
    return page, _UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.get("/<patient_id>/openings/<opening_id>")
@requires(DOCTOR)
def opening(patient_id: str, opening_id: str) -> Answer:
    """An address that was copied, or asked for again, leads back to the patient."""
    del opening_id
    return redirect(url_for("patients.one", patient_id=patient_id), _SEE_OTHER)


def _carry_out(action: str, doctor: UserRow, key: OpenKey, opening: str) -> None:
    openings = services().openings
    if action == "approve":
        openings.approve(doctor, key, opening)
    elif action == "decline":
        openings.decline(doctor, opening)
    elif action == "open":
        openings.open(doctor, key, opening)
    else:
        openings.end(doctor, opening)


def _patient(key: OpenKey, identifier: str) -> Patient:
    found = services().patients.find(login.person(), key, identifier)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return found


def _own(patient: Patient, key: OpenKey) -> Opening | None:
    """The doctor's own request or opening that is under way, or None."""
    doctor = login.person()
    shown = services().opening_views.of_patient(doctor, key, patient.id)
    under_way = (one for one in shown if one.state in (ASKED, OPEN))
    return next((one for one in under_way if one.asked_by == doctor.id), None)


def _page(
    patient: Patient,
    key: OpenKey,
    form: AskForm,
    password: PasswordForm | None = None,
    about: str = "",
) -> str:
    """The patient's page; `about` is the opening whose password form was wrong."""
    return render_template(
        "patients/one.html",
        patient=patient,
        openings=services().opening_views.of_patient(login.person(), key, patient.id),
        own=_own(patient, key),
        changes=services().opening_views.changes(patient.id),
        form=form,
        password=password or _password(),
        about=about,
        viewer=login.person().id,
    )


def _password() -> PasswordForm | None:
    return None if doctor_key.is_confirmed() else PasswordForm(formdata=None)


def _confirm(form: PasswordForm) -> bool:
    """Open the key with the password; False, with the reason at its field, for a wrong one."""
    try:
        doctor_key.unlock(form.password.data, confirmed=True)
    except (SignInRefused, RequestError) as refused:
        form.password.errors = [str(refused)]
        return False
    return True


def _unlock_page(form: PasswordForm) -> tuple[str, HTTPStatus]:
    """The page that asks for the password, and leads on to what was wanted."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else _wanted()
    page = render_template("patients/unlock.html", form=form, next=wanted)
    return page, _UNPROCESSABLE if form.errors else HTTPStatus.OK


def _wanted() -> str:
    """Where to go on: a page of this part of the application."""
    wanted = request.form.get("next", "")
    listed = url_for("patients.listed")
    return wanted if wanted.startswith(listed) and "//" not in wanted else listed
