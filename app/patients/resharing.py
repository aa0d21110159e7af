"""The pages of new shares for many records: who takes whose place, the own part, how far it is.

patients/resharing.html gets `form` (a field for each who left, or None), `under_way` (`Progress`),
`lost` and `failures` (records). patients/resharing_one.html gets `seen` (a `Progress`), `password`
(a form, or None where the session has confirmed it) and `goes`: whether the next batch is asked for
by itself. patients/_resharing_now.html is its part that changes.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for

from app.errors import RequestError
from app.patients.access import SEE_OTHER, UNPROCESSABLE, Answer, confirm, with_key
from app.patients.forms import PasswordForm, SuccessorsForm, successors_form
from app.services.open_keys import OpenKey
from app.services.resharing import Begun
from app.services.resharing_view import Progress
from app.services.roles import DOCTOR
from app.web import doctor_key, login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("resharing", __name__, url_prefix="/resharing")

# That the own part was begun with a press: the page goes on by itself, once.
_GOES: Final = "resharing_goes"


@blueprint.get("")
@requires(DOCTOR)
@with_key
def page(key: OpenKey) -> Answer:
    """Which records want new shares, and what is under way."""
    return _page(key, None)


@blueprint.post("")
@requires(DOCTOR)
@with_key
def begin(key: OpenKey) -> Answer:
    """Begin with who takes whose place."""
    doctor, form = login.person(), _form(key)
    if form is None or not form.validate_on_submit():
        return _page(key, form), UNPROCESSABLE
    try:
        begun = services().resharings.begin(doctor, key, form.named())
    except RequestError as error:
        form.form_errors.append(str(error))
        return _page(key, form), UNPROCESSABLE
    flash(_told(begun), "success")
    return redirect(url_for("patients.resharing.one", resharing_id=begun.id), SEE_OTHER)


@blueprint.get("/<resharing_id>")
@requires(DOCTOR)
@with_key
def one(key: OpenKey, resharing_id: str) -> Answer:
    """How far a resharing is, and the own part in it."""
    goes = session.pop(_GOES, None) == resharing_id
    return _one(_found(key, resharing_id), goes, _password())


@blueprint.get("/<resharing_id>/now")
@requires(DOCTOR)
@with_key
def now(key: OpenKey, resharing_id: str) -> Answer:
    """The part of the page that changes while others deal."""
    seen = _found(key, resharing_id)
    return render_template("patients/_resharing_now.html", seen=seen, password=_password())


@blueprint.post("/<resharing_id>")
@requires(DOCTOR)
@with_key
def deal(key: OpenKey, resharing_id: str) -> Answer:
    """Deal the own part of the next records."""
    seen = _found(key, resharing_id)
    if not doctor_key.is_confirmed():
        form = PasswordForm()
        if not form.validate_on_submit() or not confirm(form):
            return _one(seen, False, form), UNPROCESSABLE
        key = doctor_key.find() or key
    services().resharings.deal(login.person(), key, resharing_id)
    if "HX-Request" in request.headers:
        seen = _found(key, resharing_id)
        return render_template("patients/_resharing_now.html", seen=seen, goes=True)
    session[_GOES] = resharing_id
    return redirect(url_for("patients.resharing.one", resharing_id=resharing_id), SEE_OTHER)


def _found(key: OpenKey, resharing_id: str) -> Progress:
    """The resharing; 404 for who has no record in it, whether there is one or not."""
    seen = services().resharing_views.find(login.person(), key, resharing_id)
    if seen is None:
        abort(HTTPStatus.NOT_FOUND)
    return seen


def _page(key: OpenKey, form: SuccessorsForm | None) -> str:
    doctor, views = login.person(), services().resharing_views
    return render_template(
        "patients/resharing.html",
        form=form or _form(key),
        under_way=views.under_way(doctor, key),
        lost=views.lost(doctor, key),
        failures=views.failures(doctor, key),
    )


def _one(seen: Progress, goes: bool, password: PasswordForm | None) -> str:
    return render_template(
        "patients/resharing_one.html", seen=seen, goes=goes and seen.left > 0, password=password
    )


def _form(key: OpenKey) -> SuccessorsForm | None:
    doctor = login.person()
    leavers = services().resharing_views.leavers(doctor, key)
    if not leavers:
        return None
    return successors_form(leavers, services().resharings.successors(doctor))


def _password() -> PasswordForm | None:
    return None if doctor_key.is_confirmed() else PasswordForm(formdata=None)


def _told(begun: Begun) -> str:
    told = f"Begun for {begun.records} record{'s' if begun.records != 1 else ''}."
    for number, why in (
        (begun.few, "too few doctors are left"),
        (begun.unnamed, "another doctor of theirs has no share either, and nobody was named"),
        (begun.doubled, "whom you named is of the care group already"),
    ):
        if number:
            told += f" {number} stay{'s' if number == 1 else ''} as before: {why}."
    return told
