"""The patients' pages: a doctor's list, a new patient, what is seen unopened, what is asked.

patients/list.html gets `page` (a `PatientPage`), `search`, `orders`, `waiting` (openings that wait
for an answer), `own` (the doctor's), `shares` (what wants new ones) and `names` (initials by
identifier). patients/one.html gets `patient`, `openings`, `changes`, `steps` (for the ledger),
`own` (the doctor's opening under way, or None), `form` (a reason) and `password` (a form, or None
where the session has confirmed it; `about` is the opening for which it was wrong).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from app.errors import RequestError
from app.models import UserRow
from app.patients import adding, consent, ledger, record, resharing
from app.patients.access import (
    SEE_OTHER,
    UNPROCESSABLE,
    Answer,
    confirm,
    password_form,
    patient_of,
    patient_page,
    unlock_page,
    wanted,
    with_key,
)
from app.patients.forms import (
    AskForm,
    PasswordForm,
    PatientForm,
)
from app.services.open_keys import OpenKey
from app.services.patient_list import ORDERS, Search
from app.services.patients import FEWEST_CARERS
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("patients", __name__, url_prefix="/patients")
for pages in (adding, consent, ledger, record, resharing):
    blueprint.register_blueprint(pages.blueprint)


@blueprint.get("/")
@requires(DOCTOR)
@with_key
def listed(key: OpenKey) -> Answer:
    """The doctor's patients, as much of them as is seen unopened."""
    doctor = login.person()
    search, patients = Search.of(request.args), services().patients.mine(doctor, key)
    due = _due(doctor)
    return render_template(
        "patients/list.html",
        page=search.page_of([one for one in patients if one.id in due or not search.due]),
        due={one.id: due[one.id] for one in patients if one.id in due},
        search=search,
        waiting=services().opening_views.waiting_for(doctor, key),
        own=services().opening_views.own(doctor, key),
        shares=services().resharing_views.told(doctor, key),
        names={one.id: one.minimum.initials for one in patients},
        password=password_form(),
        orders=ORDERS,
        viewer=doctor.id,
    )


@blueprint.post("/unlock")
@requires(DOCTOR)
def unlock() -> Answer:
    """Open the own key for this session, then on to the page that was wanted."""
    form = PasswordForm()
    if not form.validate_on_submit() or not confirm(form):
        return unlock_page(form)
    return redirect(wanted(), SEE_OTHER)


@blueprint.route("/new", methods=["GET", "POST"])
@requires(DOCTOR)
def new() -> Answer:
    """Enter a patient; it is sealed at once, for which nobody's key has to be open."""
    doctor, form = login.person(), PatientForm()
    colleagues = services().patients.colleagues(doctor)
    form.offer(colleagues)
    if form.validate_on_submit():
        try:
            attributes = replace(form.attributes(), consent=form.consent(doctor.name))
            made = services().patients.create(
                doctor, attributes, form.carers.data, form.quorum.data
            )
        except RequestError as error:
            form.form_errors.append(str(error))
        else:
            flash(
                "The patient is sealed. The record opens with colleagues only.",
                "success",
            )
            return redirect(url_for("patients.one", patient_id=made, added=1), SEE_OTHER)
    page = render_template(
        "patients/new.html", form=form, colleagues=colleagues, fewest=FEWEST_CARERS - 1
    )
    return page, UNPROCESSABLE if form.is_submitted() else HTTPStatus.OK


@blueprint.get("/<patient_id>")
@requires(DOCTOR)
@with_key
def one(key: OpenKey, patient_id: str) -> Answer:
    """What is seen of a patient unopened, and who opened the record when and why."""
    return patient_page(patient_of(key, patient_id), key, AskForm(formdata=None))


@blueprint.post("/<patient_id>/openings")
@requires(DOCTOR)
@with_key
def ask(key: OpenKey, patient_id: str) -> Answer:
    """Ask the care group for an opening."""
    patient, form = patient_of(key, patient_id), AskForm()
    if not form.validate_on_submit():
        return patient_page(patient, key, form), UNPROCESSABLE
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
    return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)


@blueprint.post("/<patient_id>/openings/<opening_id>")
@requires(DOCTOR)
@with_key
def act(key: OpenKey, patient_id: str, opening_id: str) -> Answer:
    """Approve, decline, open, close or withdraw, as the pressed button says."""
    patient, doctor = patient_of(key, patient_id), login.person()
    action = request.form.get("action", "")
    if action not in (_OPEN, *_DONE):
        abort(HTTPStatus.BAD_REQUEST)
    if action in _CONFIRMED and not doctor_key.is_confirmed():
        form = PasswordForm()
        if not form.validate_on_submit() or not confirm(form):
            page = patient_page(patient, key, AskForm(formdata=None), form, opening_id)
            return page, UNPROCESSABLE
        key = doctor_key.find() or key
    try:
        _carry_out(action, doctor, key, opening_id)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        if action == _OPEN:
            # That page itself says until when it is open, and who sees it.
            return redirect(url_for("patients.record.page", patient_id=patient_id), SEE_OTHER)
        flash(_DONE[action], "success")
    return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)


_OPEN = "open"
_DONE = {
    "approve": "You approved. Whoever asked can open the record for 15 minutes once enough agree.",
    "decline": "You declined. Others of the care group may still approve.",
    "end": "It is over. Opening it again needs a new approval.",
}
# What asks for the password, once a session.
_CONFIRMED = ("approve", _OPEN)


@blueprint.get("/<patient_id>/openings/<opening_id>")
@requires(DOCTOR)
def opening(patient_id: str, opening_id: str) -> Answer:
    """An address that was copied, or asked for again, leads back to the patient."""
    del opening_id
    return redirect(url_for("patients.one", patient_id=patient_id), SEE_OTHER)


def _due(doctor: UserRow) -> dict[str, date]:
    """Since when records of the doctor's care groups are due for deletion; those that are."""
    retention = services().retention
    days = retention.days(doctor)
    return {one: day for one, day in days.items() if day <= retention.today}


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
