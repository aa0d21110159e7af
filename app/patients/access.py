"""What the patients' pages share: the open key, the patient, the password once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from flask import abort, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.errors import RequestError, SignInRefused
from app.patients.forms import AskForm, EraseForm, LongerForm, PasswordForm
from app.services.open_keys import OpenKey
from app.services.opening_view import Opening
from app.services.openings import ASKED, OPEN
from app.services.patients import Patient
from app.web import doctor_key, login
from app.web.services import services
from fl.datasets import get_task, task_names

Answer = Response | str | tuple[str, HTTPStatus]
SEE_OTHER: Final = HTTPStatus.SEE_OTHER
UNPROCESSABLE: Final = HTTPStatus.UNPROCESSABLE_ENTITY
ERASED: Final = (
    "The patient is erased. The audit log and the ledger tell that there was a record, not whose."
)
# So many steps are shown beside the record; the page of the ledger has them all.
_LATEST_STEPS: Final = 6


def with_key(view: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give the view the doctor's open key; without one the page asks for the password first.

    With it the doctor's steps are signed for the ledger.
    """

    @wraps(view)
    def guarded(**arguments: Any) -> Answer:
        key = doctor_key.find()
        if key is None and "HX-Request" in request.headers:
            # A part of a page: the whole browser goes where the password is asked for.
            return Response(headers={"HX-Redirect": request.path.removesuffix("/now")})
        if key is None:
            return unlock_page(PasswordForm(formdata=None))
        doctor, signing = login.person(), services().record_signing
        # Before it is shown, and after it was done.
        signing.sign_waiting(doctor, key)
        answer = view(key, **arguments)
        if request.method != "GET":
            signing.sign_waiting(doctor, key)
        return answer

    return guarded


def patient_of(key: OpenKey, identifier: str) -> Patient:
    """The viewer's patient; 404 for any other, whether there is one or not."""
    found = services().patients.find(login.person(), key, identifier)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return found


def own_of(patient: Patient, key: OpenKey) -> Opening | None:
    """The doctor's own request or opening that is under way, or None."""
    doctor = login.person()
    shown = services().opening_views.of_patient(doctor, key, patient.id)
    under_way = (one for one in shown if one.state in (ASKED, OPEN))
    return next((one for one in under_way if one.asked_by == doctor.id), None)


def confirm(form: PasswordForm) -> bool:
    """Open the key with the password; False, with the reason at its field, for a wrong one."""
    try:
        doctor_key.unlock(form.password.data, confirmed=True)
    except (SignInRefused, RequestError) as refused:
        form.password.errors = [str(refused)]
        return False
    return True


def patient_page(
    patient: Patient,
    key: OpenKey,
    form: AskForm | None = None,
    password: PasswordForm | None = None,
    about: str = "",
    **others: FlaskForm,
) -> str:
    """The patient's page, unopened; `about` is what the password form that was wrong is for.

    `form` is the request to open it; `others` are `longer` and `sure`, where they were sent.
    """
    doctor = login.person()
    retention = services().retention
    return render_template(
        "patients/one.html",
        patient=patient,
        openings=services().opening_views.of_patient(doctor, key, patient.id),
        own=own_of(patient, key),
        changes=services().opening_views.changes(patient.id),
        steps=services().record_ledger_views.of_patient(patient.id)[:_LATEST_STEPS],
        form=form or AskForm(formdata=None),
        password=password or password_form(),
        about=about,
        viewer=doctor.id,
        tasks=[get_task(name) for name in task_names()],
        due=retention.day(patient.id),
        today=retention.today,
        years=retention.years,
        longer=others.get("longer") or LongerForm(formdata=None),
        sure=others.get("sure") or EraseForm(formdata=None),
    )


def password_form() -> PasswordForm | None:
    """The form in which the password goes with what needs it; None once it was confirmed."""
    return None if doctor_key.is_confirmed() else PasswordForm(formdata=None)


def unlock_page(form: PasswordForm) -> tuple[str, HTTPStatus]:
    """The page that asks for the password, and leads on to what was wanted."""
    there = request.full_path.rstrip("?") if request.method == "GET" else wanted()
    page = render_template("patients/unlock.html", form=form, next=there)
    return page, UNPROCESSABLE if form.errors else HTTPStatus.OK


def wanted() -> str:
    """Where to go on: a page of those that need the key."""
    sent = request.form.get("next", "")
    parts = (url_for("patients.listed"), url_for("doctor.home"))
    return sent if sent.startswith(parts) and "//" not in sent else parts[0]
